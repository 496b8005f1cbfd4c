#include "experiments/data/font_face.hpp"

#include <fmt/format.h>
#include <ft2build.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include FT_FREETYPE_H
#include FT_OUTLINE_H
#include FT_TRUETYPE_TABLES_H

namespace ridgeline {
namespace {

struct CloseLibrary {
  void operator()(FT_Library library) const { FT_Done_FreeType(library); }
};
struct CloseFace {
  void operator()(FT_Face face) const { FT_Done_Face(face); }
};
using Library = std::unique_ptr<std::remove_pointer_t<FT_Library>, CloseLibrary>;
using Face = std::unique_ptr<std::remove_pointer_t<FT_Face>, CloseFace>;

Library open_library() {
  FT_Library library = nullptr;
  if (FT_Init_FreeType(&library) != 0) throw std::runtime_error("FreeType cannot be started");
  return Library(library);
}

GlyphOutline outline_of(FT_Face face, char character) {
  GlyphOutline result;
  const FT_UInt glyph = FT_Get_Char_Index(face, static_cast<unsigned char>(character));
  if (glyph == 0 || FT_Load_Glyph(face, glyph, FT_LOAD_NO_SCALE | FT_LOAD_NO_BITMAP) != 0) return result;
  if (face->glyph->format != FT_GLYPH_FORMAT_OUTLINE) return result;
  const FT_Outline& outline = face->glyph->outline;
  for (int i = 0; i < outline.n_points; ++i) {
    result.points.push_back(
        {static_cast<std::int32_t>(outline.points[i].x), static_cast<std::int32_t>(outline.points[i].y)});
    result.tags.push_back(outline.tags[i]);
  }
  result.contours.assign(outline.contours, outline.contours + outline.n_contours);
  result.flags = outline.flags;
  if (outline.n_points > 0) {
    FT_BBox box;
    FT_Outline_Get_CBox(&outline, &box);
    result.box = {static_cast<std::int32_t>(box.xMin), static_cast<std::int32_t>(box.yMin),
                  static_cast<std::int32_t>(box.xMax), static_cast<std::int32_t>(box.yMax)};
  }
  return result;
}

}  // namespace

std::optional<FontFace> read_face(std::string_view bytes) {
  const Library library = open_library();
  FT_Face raw = nullptr;
  const auto* data = reinterpret_cast<const FT_Byte*>(bytes.data());
  if (FT_New_Memory_Face(library.get(), data, static_cast<FT_Long>(bytes.size()), 0, &raw) != 0) return std::nullopt;
  const Face face(raw);
  if (!FT_IS_SCALABLE(raw)) return std::nullopt;
  FontFace result;
  result.family = raw->family_name != nullptr ? raw->family_name : "";
  result.style = raw->style_name != nullptr ? raw->style_name : "";
  if (const auto* head = static_cast<const TT_Header*>(FT_Get_Sfnt_Table(raw, FT_SFNT_HEAD))) {
    result.revision = static_cast<double>(head->Font_Revision) / 65536.0;
  }
  if (FT_Select_Charmap(raw, FT_ENCODING_UNICODE) != 0) return result;
  result.latin = std::all_of(glyph_characters.begin(), glyph_characters.end(),
                             [&](char c) { return FT_Get_Char_Index(raw, static_cast<unsigned char>(c)) != 0; });
  if (!result.latin) return result;
  for (const char c : glyph_characters) result.outlines.push_back(outline_of(raw, c));
  return result;
}

std::string freetype_version() {
  const Library library = open_library();
  FT_Int major = 0, minor = 0, patch = 0;
  FT_Library_Version(library.get(), &major, &minor, &patch);
  return fmt::format("{}.{}.{}", major, minor, patch);
}

struct GlyphRaster::Impl {
  Library library = open_library();
  std::vector<FT_Vector> points;
  std::vector<char> tags;
  std::vector<short> contours;
};

GlyphRaster::GlyphRaster() : impl_(std::make_unique<Impl>()) {}
GlyphRaster::~GlyphRaster() = default;
GlyphRaster::GlyphRaster(GlyphRaster&&) noexcept = default;

void GlyphRaster::draw(const GlyphOutline& outline, const GlyphPlacement& placement, int side,
                       std::span<std::uint8_t> out) {
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  // FreeType takes coordinates in 64ths of a pixel; its own matrices would round twice.
  const auto rounded = [](double v) { return static_cast<FT_Pos>(std::lround(v * 64.0)); };
  impl_->points.clear();
  for (const auto& [x, y] : outline.points) {
    impl_->points.push_back({rounded(placement.xx * x + placement.xy * y + placement.dx),
                             rounded(placement.yx * x + placement.yy * y + placement.dy)});
  }
  impl_->tags = outline.tags;
  impl_->contours = outline.contours;
  FT_Outline drawn{};
  drawn.n_points = static_cast<short>(impl_->points.size());
  drawn.n_contours = static_cast<short>(impl_->contours.size());
  drawn.points = impl_->points.data();
  drawn.tags = impl_->tags.data();
  drawn.contours = impl_->contours.data();
  drawn.flags = outline.flags;
  FT_Bitmap bitmap{};
  bitmap.rows = static_cast<unsigned>(side);
  bitmap.width = static_cast<unsigned>(side);
  bitmap.pitch = side;
  bitmap.buffer = out.data();
  bitmap.num_grays = 256;
  bitmap.pixel_mode = FT_PIXEL_MODE_GRAY;
  if (FT_Outline_Get_Bitmap(impl_->library.get(), &drawn, &bitmap) != 0) {
    throw std::runtime_error("FreeType cannot draw an outline");
  }
}

}  // namespace ridgeline
