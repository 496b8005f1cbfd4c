#include "experiments/data/glyph_render.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace ridgeline {
namespace {

constexpr std::size_t cells = static_cast<std::size_t>(glyph_side) * glyph_side;
using Picture = std::array<double, cells>;

double between(Rng& rng, double least, double most) { return least + (most - least) * rng.uniform(); }

// Font units to pixels about the middle of the outline's box, before the shift; columns of a 2x2 matrix.
GlyphPlacement placement_of(const GlyphOutline& outline, double cap_height, const GlyphDistortion& d, Rng& rng) {
  const double angle = between(rng, -d.rotation_deg, d.rotation_deg) * std::numbers::pi / 180.0;
  const double shear = between(rng, -d.shear, d.shear);
  const double stretch = std::exp(between(rng, -d.stretch, d.stretch));
  double scale = between(rng, d.least_cap_height, d.most_cap_height) / cap_height;
  // rotation x shear x stretch
  const double a = stretch * std::cos(angle), b = shear * std::cos(angle) - std::sin(angle);
  const double c = stretch * std::sin(angle), e = shear * std::sin(angle) + std::cos(angle);
  const double width = outline.box[2] - outline.box[0], height = outline.box[3] - outline.box[1];
  const double reach = std::max(std::abs(a) * width + std::abs(b) * height, std::abs(c) * width + std::abs(e) * height);
  constexpr double room = glyph_side - 3.0;
  scale = std::min(scale, room / reach);
  const double spare = 0.5 * (glyph_side - 1.0 - scale * reach);  // a shift takes nothing off the letter
  const double most = std::min(d.shift, spare);
  const double middle_x = 0.5 * (outline.box[0] + outline.box[2]), middle_y = 0.5 * (outline.box[1] + outline.box[3]);
  GlyphPlacement placement{scale * a, scale * b, scale * c, scale * e, 0, 0};
  placement.dx = 0.5 * glyph_side + between(rng, -most, most) - placement.xx * middle_x - placement.xy * middle_y;
  placement.dy = 0.5 * glyph_side + between(rng, -most, most) - placement.yx * middle_x - placement.yy * middle_y;
  return placement;
}

// A Gaussian of five taps along one axis; outside is paper.
void blur_along(Picture& picture, const std::array<double, 3>& taps, std::size_t step) {
  const Picture before = picture;
  constexpr auto side = static_cast<std::ptrdiff_t>(glyph_side);
  for (std::size_t i = 0; i < cells; ++i) {
    const auto place = static_cast<std::ptrdiff_t>(i / step % glyph_side);
    double sum = 0;
    for (std::ptrdiff_t k = -2; k <= 2; ++k) {
      if (place + k < 0 || place + k >= side) continue;
      const auto at = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(i) + k * static_cast<std::ptrdiff_t>(step));
      sum += taps[static_cast<std::size_t>(std::abs(k))] * before[at];
    }
    picture[i] = sum;
  }
}

void blur(Picture& picture, double sigma) {
  std::array<double, 3> taps{1.0, std::exp(-0.5 / (sigma * sigma)), std::exp(-2.0 / (sigma * sigma))};
  const double sum = taps[0] + 2 * (taps[1] + taps[2]);
  for (double& tap : taps) tap /= sum;
  blur_along(picture, taps, 1);
  blur_along(picture, taps, glyph_side);
}

}  // namespace

void render_glyph(const GlyphOutline& outline, double cap_height, const GlyphDistortion& distortion, Rng& rng,
                  GlyphRaster& raster, std::span<std::uint8_t> out) {
  raster.draw(outline, placement_of(outline, cap_height, distortion, rng), glyph_side, out);
  Picture picture;
  for (std::size_t i = 0; i < cells; ++i) picture[i] = static_cast<double>(out[i]) / 255.0;
  blur(picture, between(rng, distortion.least_blur, distortion.most_blur));
  const double contrast = between(rng, distortion.least_contrast, 1.0);
  const double paper = between(rng, 0.0, 1.0 - contrast);
  const double noise = between(rng, distortion.least_noise, distortion.most_noise);
  for (std::size_t i = 0; i < cells; ++i) {
    const double value = paper + contrast * picture[i] + noise * rng.normal();
    out[i] = static_cast<std::uint8_t>(std::lround(255.0 * std::clamp(value, 0.0, 1.0)));
  }
}

}  // namespace ridgeline
