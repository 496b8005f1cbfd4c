// Images brought to another size, as a network with another resolution wants them.
//
// Bilinear with antialiasing, separable, pixel centres aligned: with s = from / to and r = max(s, 1), output pixel i is
// the mean of the source pixels j weighted by max(0, 1 - |j + 0.5 - (i + 0.5) s| / r). Where the image grows this is
// plain bilinear interpolation with the border repeated; where it shrinks, every source pixel counts. Pillow's BILINEAR
// and antialiased interpolation in PyTorch are the same filter. Weights are positive: nothing overshoots.
//
// Pure functions; the same bits for any number of images in a call. Throw std::logic_error for sizes that do not fit.
#pragma once

#include <span>
#include <vector>

#include "experiments/data/dataset.hpp"

namespace ridgeline {

// Any number of images, one after the other, each [C, H, W]; as many channels on both sides.
void resize_images(std::span<const float> from, const ImageShape& from_shape, std::span<float> to,
                   const ImageShape& to_shape);
// The same images where both shapes are equal.
std::vector<float> resized(std::vector<float> images, const ImageShape& from, const ImageShape& to);

}  // namespace ridgeline
