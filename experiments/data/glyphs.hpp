// The built-in data set `glyphs`: characters of 47 classes, 32x32 gray, drawn on this machine from Debian's fonts.
//
// Typeface designs (a family with its relatives) are dealt out to train, validation and test, so that accuracy on test
// is that of reading typefaces never seen. Classes are balanced to one image; a design is drawn as often as any other
// of its split, however many faces it has.
//
// The same seed, options, font files and FreeType give the same bytes, for any number of threads: image i of a split is
// drawn from the stream (seed, split's name, i).
//
// In the folder: train-, validation- and test-images.idx3-ubyte and -labels.idx1-ubyte, dataset.json, manifest.json
// (what was drawn from what) and sheet.png (ten images a class). It is written beside its place and renamed when
// complete.
#pragma once

#include <array>
#include <atomic>
#include <string>
#include <vector>

#include "experiments/data/dataset.hpp"
#include "experiments/data/font_catalogue.hpp"
#include "experiments/data/glyph_render.hpp"

namespace ridgeline {

struct GlyphOptions {
  std::uint64_t seed = 1;
  std::size_t train = 30000, validation = 4000, test = 6000;
  std::string fonts = "/usr/share";  // the folder that holds fonts/ and texmf/
  int threads = 0;                   // 0: one a hardware thread
  GlyphDistortion distortion;
};

enum class GlyphSplit : std::uint8_t { train, validation, test };
const std::vector<std::string>& glyph_split_names();

struct GlyphFace {
  std::string file, package, family, style;
  TypefaceDesign design;
  double revision = 0;     // of the font
  std::uint64_t hash = 0;  // of the file
  std::string left_out;    // why; empty: it was drawn from
  GlyphSplit split = GlyphSplit::train;
};

struct GlyphManifest {
  GlyphOptions options;
  std::string freetype;                         // version
  std::vector<GlyphFace> faces;                 // those left out too
  std::array<std::uint64_t, 3> fingerprints{};  // of the splits' images and labels
};

Json manifest_json(const GlyphManifest& manifest);

// Throws ConfigError: missing font packages, a folder that cannot be written, is in use for something else, or has no
// room; counts of zero. `stop` ends it early, with nothing left behind and StoppedEarly thrown.
struct StoppedEarly {};
GlyphManifest make_glyphs(const GlyphOptions& options, const std::string& folder, const DataProgress& progress = {},
                          const std::atomic<bool>* stop = nullptr);

// The faces with their splits, without drawing anything.
std::vector<GlyphFace> glyph_faces(const GlyphOptions& options);

}  // namespace ridgeline
