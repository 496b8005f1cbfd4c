#include "experiments/data/glyphs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>

#include "experiments/data/array_files.hpp"
#include "experiments/data/contact_sheet.hpp"
#include "experiments/data/face_filter.hpp"
#include "experiments/data/folder_writer.hpp"
#include "experiments/whole_file.hpp"
#include "experiments/worker_pool.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t classes = glyph_characters.size();
constexpr std::size_t cells = static_cast<std::size_t>(glyph_side) * glyph_side;
// The first chance to notice Ctrl-C, and one draw of the progress line, comes after so many images.
constexpr std::size_t block = 500;

struct Typefaces {
  std::vector<GlyphFace> faces;
  std::vector<FontFace> fonts;  // as many
};

void stop_if(const std::atomic<bool>* stop) {
  if (stop != nullptr && *stop) throw StoppedEarly{};
}

Typefaces read_fonts(const std::string& root, const DataProgress& progress, const std::atomic<bool>* stop) {
  Typefaces result;
  const std::vector<FontFile> files = find_fonts(root);
  std::map<std::uint64_t, std::string> seen;
  for (std::size_t i = 0; i < files.size(); ++i) {
    stop_if(stop);
    if (progress) progress("reading fonts", i, files.size());
    const std::string bytes = read_whole_file(files[i].path, {.kind = "font"});
    std::optional<FontFace> font = read_face(bytes);
    GlyphFace face;
    face.file = files[i].relative;
    face.package = files[i].package;
    face.hash = Hasher().add(std::string_view(bytes)).value();
    const auto [earlier, fresh] = seen.emplace(face.hash, face.file);
    if (!font) face.left_out = "FreeType finds no outlines in it";
    if (!fresh) face.left_out = "the same file as " + earlier->second;
    if (font) {
      face.family = font->family;
      face.style = font->style;
      face.revision = font->revision;
      face.design = design_of(face.family);
    }
    result.fonts.push_back(font.value_or(FontFace{}));
    result.faces.push_back(std::move(face));
  }
  return result;
}

void leave_out_unreadable(Typefaces& typefaces) {
  std::vector<FaceCandidate> candidates;
  std::vector<std::size_t> index;
  for (std::size_t i = 0; i < typefaces.faces.size(); ++i) {
    if (!typefaces.faces[i].left_out.empty()) continue;
    candidates.push_back({&typefaces.fonts[i], typefaces.faces[i].design.name});
    index.push_back(i);
  }
  const std::vector<std::string> reasons = reasons_against(candidates);
  for (std::size_t k = 0; k < index.size(); ++k) typefaces.faces[index[k]].left_out = reasons[k];
}

// Designs of each kind are shuffled and dealt out: of every kind, a quarter for test and an eighth for validation, as
// nearly as whole numbers allow, so that no split is without serifs.
void deal_out(std::vector<GlyphFace>& faces, std::uint64_t seed) {
  std::map<std::string, GlyphSplit> split_of;
  for (std::size_t kind = 0; kind < typeface_kind_names().size(); ++kind) {
    std::vector<std::string> names;
    for (const GlyphFace& face : faces) {
      if (face.left_out.empty() && face.design.kind == static_cast<TypefaceKind>(kind))
        names.push_back(face.design.name);
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    Rng rng(seed, "glyph designs", kind);
    rng.shuffle(std::span(names));
    const auto n = static_cast<double>(names.size());
    const auto test = static_cast<std::size_t>(std::llround(n / 4));
    const auto validation = static_cast<std::size_t>(std::llround(n / 8));
    for (std::size_t i = 0; i < names.size(); ++i) {
      split_of[names[i]] = i < test                ? GlyphSplit::test
                           : i < test + validation ? GlyphSplit::validation
                                                   : GlyphSplit::train;
    }
  }
  for (GlyphFace& face : faces) {
    if (face.left_out.empty()) face.split = split_of.at(face.design.name);
  }
}

Typefaces prepare(const GlyphOptions& options, const DataProgress& progress, const std::atomic<bool>* stop) {
  Typefaces typefaces = read_fonts(options.fonts, progress, stop);
  leave_out_unreadable(typefaces);
  deal_out(typefaces.faces, options.seed);
  return typefaces;
}

// The fonts of a split, design by design.
std::vector<std::vector<const FontFace*>> fonts_of(const Typefaces& typefaces, GlyphSplit split) {
  std::map<std::string, std::vector<const FontFace*>> by_design;
  for (std::size_t i = 0; i < typefaces.faces.size(); ++i) {
    const GlyphFace& face = typefaces.faces[i];
    if (face.left_out.empty() && face.split == split) by_design[face.design.name].push_back(&typefaces.fonts[i]);
  }
  std::vector<std::vector<const FontFace*>> designs;
  designs.reserve(by_design.size());
  for (auto& [name, fonts] : by_design) designs.push_back(std::move(fonts));
  if (designs.empty()) throw std::logic_error("glyphs: a split without typefaces");
  return designs;
}

double cap_height(const FontFace& font) {
  const GlyphOutline& h = font.outlines[glyph_characters.find('H')];
  return static_cast<double>(h.box[3] - h.box[1]);
}

struct DrawRequest {
  const GlyphOptions& options;
  GlyphSplit split;
  std::size_t count;
};

LabelledImages draw_split(const DrawRequest& request, const Typefaces& typefaces, const DataProgress& progress,
                          const std::atomic<bool>* stop) {
  const std::string& name = glyph_split_names()[static_cast<std::size_t>(request.split)];
  const auto designs = fonts_of(typefaces, request.split);
  std::vector<std::int32_t> labels(request.count);
  for (std::size_t i = 0; i < request.count; ++i) labels[i] = static_cast<std::int32_t>(i % classes);
  Rng order(request.options.seed, "glyph labels", static_cast<std::uint64_t>(request.split));
  order.shuffle(std::span(labels));
  PixelArray pixels;
  pixels.count = request.count;
  pixels.shape = {1, glyph_side, glyph_side};
  std::vector<std::uint8_t> values(request.count * cells);
  WorkerPool pool(request.options.threads);
  const std::size_t blocks = (request.count + block - 1) / block;
  std::mutex one_at_a_time;
  std::size_t done = 0;
  pool.for_each(blocks, [&](std::size_t b) {
    if (stop != nullptr && *stop) return;
    GlyphRaster raster;
    const std::size_t end = std::min(request.count, (b + 1) * block);
    for (std::size_t i = b * block; i < end; ++i) {
      Rng rng(request.options.seed, "glyphs " + name, i);
      const auto& fonts = designs[rng.below(designs.size())];
      const FontFace& font = *fonts[rng.below(fonts.size())];
      render_glyph(font.outlines[static_cast<std::size_t>(labels[i])], cap_height(font), request.options.distortion,
                   rng, raster, std::span(values).subspan(i * cells, cells));
    }
    const std::lock_guard lock(one_at_a_time);
    done += end - b * block;
    if (progress) progress("drawing " + name, done, request.count);
  });
  stop_if(stop);
  pixels.values = std::move(values);
  return {std::move(pixels), std::move(labels)};
}

std::string images_file(const std::string& split) { return split + "-images.idx3-ubyte"; }
std::string labels_file(const std::string& split) { return split + "-labels.idx1-ubyte"; }

FolderWriter::Marker glyphs_marker() {
  FolderWriter::Marker marker{
      "dataset.json", "made by 'ridgeline data make glyphs'", {"dataset.json", "manifest.json", "sheet.png"}};
  for (const std::string& split : glyph_split_names()) {
    marker.files.push_back(images_file(split));
    marker.files.push_back(labels_file(split));
  }
  return marker;
}

void write_split(FolderWriter& folder, const std::string& name, const LabelledImages& images) {
  constexpr auto side = static_cast<std::size_t>(glyph_side);
  folder.write(images_file(name),
               idx_bytes({images.size(), side, side}, std::get<std::vector<std::uint8_t>>(images.pixels().values)));
  const std::vector<std::uint8_t> labels(images.labels().begin(), images.labels().end());
  folder.write(labels_file(name), idx_bytes({images.size()}, labels));
}

Json description_json() {
  Json description{{"ridgeline_dataset", 1},
                   {"name", "glyphs"},
                   {"about",
                    "characters drawn from Debian's fonts; typefaces differ between the splits; "
                    "made by 'ridgeline data make glyphs', see manifest.json"},
                   {"format", "idx"}};
  for (const char c : glyph_characters) description["classes"].push_back(std::string(1, c));
  for (const std::string& split : glyph_split_names()) {
    description[split] = {{"images", split + "-images.idx3-ubyte"}, {"labels", split + "-labels.idx1-ubyte"}};
  }
  return description;
}

void check_counts(const GlyphOptions& options) {
  constexpr std::size_t most = 10'000'000;
  for (const auto& [flag, count] :
       {std::pair{"--train", options.train}, {"--validation", options.validation}, {"--test", options.test}}) {
    if (count >= classes && count <= most) continue;
    throw ConfigError(
        {flag, "", fmt::format("{} (one of each class) to {} images", classes, most), std::to_string(count), ""});
  }
}

}  // namespace

const std::vector<std::string>& glyph_split_names() {
  static const std::vector<std::string> names{"train", "validation", "test"};
  return names;
}

std::vector<GlyphFace> glyph_faces(const GlyphOptions& options) { return prepare(options, {}, nullptr).faces; }

Json manifest_json(const GlyphManifest& manifest) {
  Json json{{"ridgeline_glyphs", 1},         {"seed", manifest.options.seed},
            {"freetype", manifest.freetype}, {"characters", std::string(glyph_characters)},
            {"splits", Json::object()},      {"faces", Json::array()},
            {"left_out", Json::array()}};
  const std::array<std::size_t, 3> counts{manifest.options.train, manifest.options.validation, manifest.options.test};
  for (std::size_t s = 0; s < counts.size(); ++s) {
    std::map<std::string, std::size_t> designs;
    for (const GlyphFace& face : manifest.faces) {
      if (face.left_out.empty() && face.split == static_cast<GlyphSplit>(s)) ++designs[face.design.name];
    }
    std::size_t faces = 0;
    for (const auto& [name, n] : designs) faces += n;
    json["splits"][glyph_split_names()[s]] = {{"images", counts[s]},
                                              {"designs", designs},
                                              {"faces", faces},
                                              {"fingerprint", hex64(manifest.fingerprints[s])}};
  }
  for (const GlyphFace& face : manifest.faces) {
    Json row{{"file", face.file},
             {"package", face.package},
             {"family", face.family},
             {"style", face.style},
             {"revision", fmt::format("{:.3f}", face.revision)},
             {"hash", hex64(face.hash)}};
    if (face.left_out.empty()) {
      row["design"] = face.design.name;
      row["split"] = glyph_split_names()[static_cast<std::size_t>(face.split)];
      json["faces"].push_back(std::move(row));
    } else {
      row["why"] = face.left_out;
      json["left_out"].push_back(std::move(row));
    }
  }
  return json;
}

GlyphManifest make_glyphs(const GlyphOptions& options, const std::string& folder, const DataProgress& progress,
                          const std::atomic<bool>* stop) {
  check_counts(options);
  FolderWriter writer(folder, glyphs_marker());
  Typefaces typefaces = prepare(options, progress, stop);
  GlyphManifest manifest;
  manifest.options = options;
  manifest.freetype = freetype_version();
  const std::array<std::size_t, 3> counts{options.train, options.validation, options.test};
  for (std::size_t s = 0; s < counts.size(); ++s) {
    const LabelledImages images =
        draw_split({options, static_cast<GlyphSplit>(s), counts[s]}, typefaces, progress, stop);
    write_split(writer, glyph_split_names()[s], images);
    if (s == 0) writer.write("sheet.png", contact_sheet(images, classes));
    manifest.fingerprints[s] = images.fingerprint();
  }
  manifest.faces = std::move(typefaces.faces);
  writer.write("dataset.json", description_json().dump(2) + "\n");
  writer.write("manifest.json", manifest_json(manifest).dump(1) + "\n");
  writer.finish();
  return manifest;
}

}  // namespace ridgeline
