#include "kernels/quantization/gptq.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/quantization/matrix_product.hpp"

namespace ridgeline {
namespace {

constexpr double damping = 0.01;  // of the mean diagonal
constexpr std::size_t leaf = 32;  // rows of a factor computed without a library
constexpr std::size_t columns_at_once = 64;

// The lower triangle of a [size, size] becomes its Cholesky factor; false where it has none.
bool factor_leaf(float* a, std::size_t size, std::size_t stride) {
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = static_cast<double>(a[i * stride + j]);
      for (std::size_t k = 0; k < j; ++k) {
        sum -= static_cast<double>(a[i * stride + k]) * static_cast<double>(a[j * stride + k]);
      }
      if (i == j && !(sum > 0)) return false;
      a[i * stride + j] = static_cast<float>(i == j ? std::sqrt(sum) : sum / static_cast<double>(a[j * stride + j]));
    }
  }
  return true;
}

// x becomes x l^-T: x [rows, size], l lower triangular.
void solve(const float* l, std::size_t size, float* x, std::size_t rows, std::size_t stride) {
  if (size > leaf) {
    const std::size_t half = size / 2;
    solve(l, half, x, rows, stride);
    multiply({x, stride}, {l + half * stride, stride, true}, half, {x + half, stride, rows, size - half, -1, 1});
    return solve(l + half * stride + half, size - half, x + half, rows, stride);
  }
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t j = 0; j < size; ++j) {
      float sum = x[row * stride + j];
      for (std::size_t k = 0; k < j; ++k) sum -= x[row * stride + k] * l[j * stride + k];
      x[row * stride + j] = sum / l[j * stride + j];
    }
  }
}

bool factor(float* a, std::size_t size, std::size_t stride) {
  if (size <= leaf) return factor_leaf(a, size, stride);
  const std::size_t half = size / 2, rest = size - half;
  float* const below = a + half * stride;
  if (!factor(a, half, stride)) return false;
  solve(a, half, below, rest, stride);
  multiply({below, stride}, {below, stride, true}, half, {below + half, stride, rest, rest, -1, 1});
  return factor(below + half, rest, stride);
}

// Entry (j, k), j < k: what an error at input j asks input k to take over, as a share of it. H = U D U^T with U unit
// upper triangular is the same as the Cholesky factor of H^-1 that the paper divides by its diagonal, without the
// inverse (Chee et al., QuIP, 2023, section 4.1).
std::vector<float> feedback(const float* gram, std::size_t taps) {
  double mean = 0;
  for (std::size_t i = 0; i < taps; ++i) mean += static_cast<double>(gram[i * taps + i]) / static_cast<double>(taps);
  std::vector<float> made(taps * taps), factors(taps * taps);
  if (!(mean > 0)) return made;
  for (double damped = damping * mean;; damped *= 10) {  // ends: a dominant diagonal has a factor
    for (std::size_t i = 0; i < factors.size(); ++i) factors[i] = gram[factors.size() - 1 - i];  // both axes reversed
    for (std::size_t i = 0; i < taps; ++i) factors[i * taps + i] += static_cast<float>(damped);
    if (factor(factors.data(), taps, taps)) break;
  }
  for (std::size_t j = 0; j < taps; ++j) {
    for (std::size_t k = j + 1; k < taps; ++k) {
      const std::size_t column = taps - 1 - k;
      made[j * taps + k] = factors[(taps - 1 - j) * taps + column] / factors[column * taps + column];
    }
  }
  return made;
}

// The place of the largest number of every block, for each row [rows, taps].
std::vector<bool> largest_of_blocks(const float* kernel, std::size_t rows, std::size_t taps, std::size_t block) {
  std::vector<bool> found(rows * taps, false);
  if (block == 0) return found;
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t first = 0; first < taps; first += block) {
      const float* const begin = kernel + row * taps + first;
      const auto smaller = [](float a, float b) { return std::abs(a) < std::abs(b); };
      found[static_cast<std::size_t>(std::max_element(begin, begin + std::min(block, taps - first), smaller) -
                                     kernel)] = true;
    }
  }
  return found;
}

struct Wanted {
  float weight, value;  // what it was, and what it should be after the errors before it
  bool is_largest;      // of its block
};

float value_for(const ValueGrid& grid, const ElementScale& scale, const Wanted& wanted, bool neighbours_only) {
  float value = wanted.value;
  if (neighbours_only) {
    const Neighbours near = grid.around(wanted.weight, scale);
    value = std::clamp(value, near.below, near.above);
  }
  value = grid.nearest(value, scale);
  const float least = grid.top_binade(scale);
  if (!wanted.is_largest || std::abs(wanted.weight) < least) return value;
  return wanted.weight > 0 ? std::max(value, least) : std::min(value, -least);
}

// `to` [rows, taps] of one group of channels.
void round_group(const RoundingProblem& problem, std::size_t group, const GptqOptions& options, float* to) {
  const std::size_t rows = problem.rows(), taps = problem.taps(), first = group * rows * taps;
  const float* const kernel = problem.kernel.data() + first;
  const std::vector<float> shares = feedback(problem.gram(group), taps);
  const std::vector<bool> largest = largest_of_blocks(kernel, rows, taps, options.block);
  std::vector<float> wanted(taps * rows), errors(taps * rows);  // transposed: the rows are independent
  for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i % taps * rows + i / taps] = kernel[i];
  for (std::size_t begin = 0; begin < taps; begin += columns_at_once) {
    const std::size_t end = std::min(taps, begin + columns_at_once);
    for (std::size_t k = begin; k < end; ++k) {
      float* const column = wanted.data() + k * rows;
      for (std::size_t j = begin; j < k; ++j) {
        const float share = shares[j * taps + k];
        for (std::size_t row = 0; row < rows; ++row) column[row] -= share * errors[j * rows + row];
      }
      for (std::size_t row = 0; row < rows; ++row) {
        const std::size_t channel = group * rows + row;
        const float weight = kernel[row * taps + k];
        const float value = value_for(problem.grid(channel, k), problem.scales.at(channel, k),
                                      {weight, column[row], largest[row * taps + k]}, options.neighbours_only);
        to[row * taps + k] = value;
        errors[k * rows + row] = value - weight;
      }
    }
    multiply({shares.data() + begin * taps + end, taps, true}, {errors.data() + begin * rows, rows}, end - begin,
             {wanted.data() + end * rows, rows, taps - end, rows, -1, 1});
  }
}

}  // namespace

std::vector<float> gptq_kernel(const RoundingProblem& problem, const GptqOptions& options) {
  std::vector<float> made(problem.kernel.size());
  const std::size_t size = problem.rows() * problem.taps();
#pragma omp parallel for schedule(dynamic) if (made.size() * problem.taps() > 1'000'000)
  for (std::size_t group = 0; group < problem.moments.groups; ++group) {
    round_group(problem, group, options, made.data() + group * size);
  }
  return made;
}

std::vector<float> fed_back_kernel(const RoundingProblem& problem, std::span<const float> nearest, std::size_t block) {
  std::vector<float> made = gptq_kernel(problem, {.block = block});
  keep_better(problem, nearest, made);
  return made;
}

}  // namespace ridgeline
