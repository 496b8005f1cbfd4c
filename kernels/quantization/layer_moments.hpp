// What a conv2d or linear layer reads, as moments of its patches over calibration images: all that is needed to know,
// for any change D of its kernel, the change E[D x] of its mean output and the mean squared error E[|D x|^2] =
// tr(D G D^T) (GPTQ, Frantar et al., 2023, calls G its Hessian, up to a factor).
//
// A patch is what one output number of one group of channels is computed from, zero padding included: `taps` numbers in
// the order of a row of the kernel, [in/groups, kh, kw], or [in] of a linear.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/executable.hpp"
#include "spaces/network.hpp"

namespace ridgeline {

struct LayerMoments {
  std::size_t groups = 1, taps = 0;
  std::int64_t patches = 0;  // counted, in each group
  std::vector<double> mean;  // [groups, taps], E[x]; all 0 without patches
  std::vector<float> gram;   // [groups, taps, taps], E[x x^T], symmetric; all 0 without patches
};

// Adds up patches of one layer. At most `patches_per_image` positions of an image are looked at, spread evenly and the
// same in every image. Not thread-safe; works on OpenMP's threads. The same activations in the same order give the same
// moments, for any number of threads.
class MomentCounter {
 public:
  static constexpr std::size_t usual_patches = 64;
  // `node` is a conv2d or linear of `network`, whose batch does not matter. Throws std::invalid_argument on another
  // operator, and without patches.
  MomentCounter(const Network& network, NodeId node, std::size_t patches_per_image = usual_patches);

  // What the node reads; `shape` with its batch. Throws std::invalid_argument where it is no input of the layer, or not
  // finite.
  void add(const Activation& input, const Shape& shape);
  void add(const MomentCounter& other);  // of the same layer
  LayerMoments moments() const;

 private:
  void gather(const Activation& input, const Shape& shape, std::size_t first_row, std::size_t rows);
  void add_rows(std::size_t rows);

  Op op_;
  std::size_t groups_, taps_, patches_per_image_;
  std::int64_t patches_ = 0;
  std::vector<double> sums_;      // [groups, taps]
  std::vector<double> products_;  // [groups, taps, taps], on and below the diagonal
  std::vector<float> rows_;       // [groups, rows, taps], patches not yet added
};

// Mean squared change of the layer's output (a mean over output numbers) when `change` is added to its kernel, and of
// the output itself when `change` is the kernel. `change` is [channels, taps].
// Throws std::invalid_argument where sizes do not fit, as do the next two.
double output_power(const LayerMoments& moments, std::span<const float> change, std::size_t channels);
// E[D x], one an output channel.
std::vector<float> mean_output(const LayerMoments& moments, std::span<const float> change, std::size_t channels);
// What to add to the layer's bias so that its mean output over the calibration images is the same with the kernel
// `after` as it was with `before`: -E[(after - before) x] (Nagel et al., Data-Free Quantization through Weight
// Equalization and Bias Correction, 2019, section 4.2). One an output channel.
std::vector<float> bias_correction(const LayerMoments& moments, std::span<const float> before,
                                   std::span<const float> after, std::size_t channels);

}  // namespace ridgeline
