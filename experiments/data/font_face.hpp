// A face of a font file through FreeType: its names and the outlines of its characters, and a raster for outlines.
//
// Outlines are kept in font units, so that no rounding depends on a size; drawing uses FreeType's own integer raster,
// which gives the same bytes everywhere. Values are safe to read from several threads; a `GlyphRaster` belongs to one.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ridgeline {

// The 47 classes: digits, capitals, and the lower-case letters whose shape is not that of their capital.
inline constexpr std::string_view glyph_characters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt";

struct GlyphOutline {
  std::vector<std::array<std::int32_t, 2>> points;  // x, y in font units, y upwards
  std::vector<char> tags;                           // FreeType's, one a point
  std::vector<std::int16_t> contours;               // the last point of each
  int flags = 0;
  std::array<std::int32_t, 4> box{};  // x least, y least, x most, y most

  bool empty() const { return points.empty() || box[2] <= box[0] || box[3] <= box[1]; }
};

struct FontFace {
  std::string family, style;
  double revision = 0;                 // of the font, as its head table states it
  bool latin = false;                  // a Unicode character map with every one of the characters
  std::vector<GlyphOutline> outlines;  // one for each of glyph_characters; none where not latin
};

// The first face of a font file's bytes; nothing where FreeType cannot read them or they have no outlines.
std::optional<FontFace> read_face(std::string_view bytes);

std::string freetype_version();  // of the library that is linked: "2.12.1"

// Font units to pixels: (x, y) -> (xx x + xy y + dx, yx x + yy y + dy), y upwards from the lower edge.
struct GlyphPlacement {
  double xx = 1, xy = 0, yx = 0, yy = 1, dx = 0, dy = 0;
};

class GlyphRaster {
 public:
  GlyphRaster();
  ~GlyphRaster();
  GlyphRaster(GlyphRaster&&) noexcept;

  // Coverage 0..255 of each pixel, [side, side], the upper row first.
  void draw(const GlyphOutline& outline, const GlyphPlacement& placement, int side, std::span<std::uint8_t> out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ridgeline
