// Changes of a training image that do not change its class. Values of pixels are those that a network sees, so that
// what is outside the image or cut out is 0: the mean, after normalisation.
//
// crop: the image moves by -padding..padding in both directions. flip: left becomes right with probability 1/2. cutout:
// a square of `cutout` pixels anywhere, cut at the border, is 0 (DeVries and Taylor, 2017). mixup: see batches.hpp.
#pragma once

#include <span>

#include "experiments/data/pixels.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {

struct AugmentOptions {
  int crop_padding = 0;    // pixels; 0: none
  bool flip = false;       // off for characters: a mirrored one is another
  int cutout = 0;          // pixels; 0: none
  double mixup_alpha = 0;  // of Beta(alpha, alpha); 0: none
};

// Throws ConfigError where the options do not fit the images, naming `origin`.
void check_augmentation(const AugmentOptions& options, const ImageShape& shape, const std::string& origin);

// In place, in the order crop, flip, cutout. The generator is drawn from equally often whatever the options are.
void augment(std::span<float> image, const ImageShape& shape, const AugmentOptions& options, Rng& rng);

// The single steps. `dx`, `dy`: how far the content moves to the right and down.
void shift_image(std::span<float> image, const ImageShape& shape, int dx, int dy);
void flip_image(std::span<float> image, const ImageShape& shape);
void cut_out(std::span<float> image, const ImageShape& shape, std::span<const int, 3> square);  // middle x, y, side

// Beta(alpha, alpha) by two gamma variates (Marsaglia and Tsang, 2000).
double symmetric_beta(double alpha, Rng& rng);

}  // namespace ridgeline
