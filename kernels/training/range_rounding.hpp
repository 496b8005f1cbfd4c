// Rounding to a number format over learned ranges while a network is trained, and its gradient.
//
// With a range r, Q steps of the format's largest binade in it (of integers: the largest code), s the step there:
//   fake    y = what fake_quantize makes of x over r, bit for bit
//   noise   y = x + u * step(x) where |x| <= r and x is not 0, u uniform in [-1/2, 1/2), step(x) the format's step at
//           x (as QuantNAS for Super Resolution, Shvetsov et al., trains against quantization noise); y as fake beyond
//           r
// Gradients are those of learned step sizes (LSQ: Esser et al., 2020, arXiv:1902.08153, equations 2 to 4), straight
// through rounding:
//   dL/dx = dL/dy where |x| <= r (0 <= x <= r without sign), else 0
//   dL/dr = sum dL/dy * e, e = (y - x) / r where |x| <= r (of noise, whose mean is 0: 0), else y / r
// What is handed out for r is dL/dr * sqrt(Q^3 / N), N the numbers of one sample that share r: a step of gradient
// descent on r then changes r / Q as LSQ's step on s with its gradient scale 1 / sqrt(N Q) does.
// A range of 0 is none yet: min(max|x|, 2 mean|x| sqrt(Q)) of the first numbers that are rounded over it, which is
// LSQ's first step size, but never beyond the largest magnitude. The sign of a range means nothing.
//
// The same bits for any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/training/training_graph.hpp"
#include "spaces/format.hpp"

namespace ridgeline {

// Numbers in memory, f32 or bf16.
struct NumberMemory {
  std::byte* data = nullptr;
  bool is_bf16 = false;
};

struct RangeRounding {
  Format format;             // intN or eXmY, with a scale a tensor or a row (@channel)
  bool activations = true;   // rounded as activation_quantizer() has it; else as the kernel of Quantization::weights
  bool is_unsigned = false;  // integers have no sign: 2^N - 1 codes above 0
  std::size_t rows = 1, row_length = 0;
  std::size_t samples = 1;  // that the numbers are of
  RoundingWay way = RoundingWay::fake;
  std::uint64_t seed = 0;  // of the noise: the numbers of a step follow from it, the step and the index alone
  int threads = 1;

  std::size_t ranges() const { return format.granularity == Format::Granularity::channel ? rows : 1; }
  double steps() const;  // Q
};

// Sets the ranges that are 0, and rounds. `out` may be `in`.
void round_over(const RangeRounding& rounding, NumberMemory in, NumberMemory out, std::span<float> ranges,
                std::uint64_t step);

// `gradient` by what came out, to `passed` by what went in (may be the same memory); the gradient by the ranges is
// written, or added to what is there.
void pull_back(const RangeRounding& rounding, NumberMemory in, NumberMemory out, std::span<const float> ranges,
               NumberMemory gradient, NumberMemory passed, std::span<float> range_gradient, bool add);

}  // namespace ridgeline
