// One image of the glyphs data set: an outline rotated, sheared, stretched, shifted, drawn as light ink on darker
// paper, softened and covered with noise. Everything drawn at random comes from the generator that is handed in.
#pragma once

#include <span>

#include "experiments/data/font_face.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {

inline constexpr int glyph_side = 32;  // pixels

// Ranges are uniform; lengths in pixels, gray values as shares of white.
struct GlyphDistortion {
  double least_cap_height = 14, most_cap_height = 23;
  double rotation_deg = 14;                      // to either side
  double shear = 0.25;                           // to either side: pixels aside for a pixel of height
  double stretch = 0.18;                         // natural logarithm of the widest; the narrowest is its inverse
  double shift = 2.5;                            // of the middle, in both directions
  double least_contrast = 0.27;                  // between ink and paper
  double least_blur = 0.3, most_blur = 1.2;      // standard deviation
  double least_noise = 0.03, most_noise = 0.19;  // standard deviation
};

// `cap_height` in font units. Throws nothing; the glyph is made smaller where it would not fit.
void render_glyph(const GlyphOutline& outline, double cap_height, const GlyphDistortion& distortion, Rng& rng,
                  GlyphRaster& raster, std::span<std::uint8_t> out);  // [32, 32]

}  // namespace ridgeline
