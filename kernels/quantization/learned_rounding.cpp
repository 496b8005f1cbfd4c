#include "kernels/quantization/learned_rounding.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/quantization/gptq.hpp"
#include "kernels/quantization/instruction_set.hpp"
#include "kernels/quantization/matrix_product.hpp"

namespace ridgeline {
namespace {

constexpr int steps = 60;
constexpr float trust = 0.9F;  // how near to the start's choice each weight begins, from its own place between the two
constexpr float learning_rate = 0.1F;
constexpr float regularization = 0.1F;              // lambda
constexpr double warm_up = 0.2;                     // share of the steps without regularization
constexpr double first_power = 20, last_power = 2;  // beta
constexpr float least_gain = 1e-5F;  // of turning a weight, over the mean of a row's step^2 G_ii: over what is rounded
constexpr std::size_t rows_at_once = 64;

// h(V) of the paper's equation 23: a sigmoid stretched by a tenth at both ends and cut to [0, 1].
constexpr float stretch = 1.2F, offset = -0.1F;

[[gnu::always_inline]] inline float sigmoid(float x) {
  const float limited = x < -30.0F ? -30.0F : x > 30.0F ? 30.0F : x;
  const float power = limited * -1.44269504F;
  const float whole = (power + 0x1.8p23F) - 0x1.8p23F;
  const float part = (power - whole) * 0.693147181F;  // within +-0.35: six terms of the exponential leave 1e-6
  const float series = 1 + part * (1 + part * (0.5F + part * (1 / 6.0F + part * (1 / 24.0F + part * (1 / 120.0F)))));
  return 1 / (1 + series * std::bit_cast<float>((static_cast<std::int32_t>(whole) + 127) << 23));
}

// The derivative of 1 - |2h - 1|^beta, by |2h - 1|.
class Regularizer {
 public:
  void anneal(double beta) {
    for (std::size_t i = 0; i < slopes_.size(); ++i) {
      const double distance = static_cast<double>(i) / static_cast<double>(slopes_.size() - 1);
      slopes_[i] = static_cast<float>(2 * beta * std::pow(distance, beta - 1));
    }
  }
  void clear() { slopes_.fill(0); }
  [[gnu::always_inline]] float slope(float h) const {  // towards the nearer end
    const float side = 2 * h - 1;
    const float distance = side < 0 ? -side : side;
    const float slope = slopes_[static_cast<std::size_t>(static_cast<std::int32_t>(distance * 255.0F))];
    return side < 0 ? slope : -slope;
  }

 private:
  std::array<float, 256> slopes_{};
};

// Rows of one group of channels, whose objectives are independent: d G d^T over the mean of G's diagonal in units of
// each weight's step, so that one learning rate fits all layers.
class Rows {
 public:
  Rows(const RoundingProblem& problem, std::size_t first_channel, std::size_t count)
      : taps_(problem.taps()),
        rows_(count),
        gram_(problem.gram(first_channel / problem.rows())),
        kernel_(problem.kernel.data() + first_channel * taps_),
        below_(count * taps_),
        step_(count * taps_),
        share_(count * taps_),
        change_(count * taps_),
        seen_(count * taps_),
        unit_(count),
        moves_(taps_),
        gains_(taps_),
        totals_(taps_) {
    for (std::size_t i = 0; i < step_.size(); ++i) {
      const ElementScale& scale = problem.scales.at(first_channel + i / taps_, i % taps_);
      const Neighbours near = problem.grid(first_channel + i / taps_, i % taps_).around(kernel_[i], scale);
      below_[i] = near.below;
      step_[i] = near.above - near.below;
      share_[i] = step_[i] > 0 ? std::clamp((kernel_[i] - near.below) / step_[i], 0.01F, 0.99F) : 0.0F;
      unit_[i / taps_] += step_[i] * step_[i] * gram_[i % taps_ * (taps_ + 1)] / static_cast<float>(taps_);
    }
  }

  void learn(const float* start) {
    const std::size_t size = share_.size();
    std::vector<float> v(size), momentum(size), power(size);
    for (std::size_t i = 0; i < size; ++i) {
      const float side = start[i] > below_[i] ? 0.99F : 0.01F;
      share_[i] = step_[i] > 0 ? share_[i] + trust * (side - share_[i]) : 0;
      const float inner = (share_[i] - offset) / stretch;
      v[i] = std::log(inner / (1 - inner));
    }
    Regularizer regularizer;
    float momentum_bias = 1, power_bias = 1;
    for (int step = 0; step < steps; ++step) {
      const double done = static_cast<double>(step) / steps;
      if (done >= warm_up) {
        const double left = 1 - (done - warm_up) / (1 - warm_up);
        regularizer.anneal(last_power + (first_power - last_power) * left);
      }
      set_change();
      see();
      momentum_bias *= 0.9F;
      power_bias *= 0.999F;
      const float rate = learning_rate * std::sqrt(1 - power_bias) / (1 - momentum_bias);
      run_widest([&]() __attribute__((always_inline)) {
        for (std::size_t row = 0; row < rows_; ++row) {
          const float unit = unit_[row] >= std::numeric_limits<float>::min() ? 2 / unit_[row] : 0;
#pragma omp simd
          for (std::size_t i = row * taps_; i < (row + 1) * taps_; ++i) {
            const float inner = sigmoid(v[i]);
            const float slope = stretch * inner * (1 - inner);
            const float gradient = slope * (unit * step_[i] * seen_[i] + regularization * regularizer.slope(share_[i]));
            momentum[i] = 0.9F * momentum[i] + 0.1F * gradient;
            power[i] = 0.999F * power[i] + 0.001F * gradient * gradient;
            v[i] -= rate * momentum[i] / (std::sqrt(power[i]) + 1e-8F);
            const float wide = stretch * sigmoid(v[i]) + offset;
            share_[i] = wide < 0 ? 0 : wide > 1 ? 1 : wide;
          }
        }
      });
    }
    for (float& share : share_) share = share >= 0.5F ? 1.0F : 0.0F;
  }

  // The other neighbour for one weight after the other, and for two at once, as long as that makes the error less.
  void descend() {
    set_change();
    see();
    for (std::size_t row = 0; row < rows_; ++row) {
      for (bool changed = true; changed;) {
        changed = turn_single(row);
        if (!changed) changed = turn_pairs(row);
      }
    }
  }

  void write(const RoundingProblem& problem, std::size_t first_channel, float* to) const {
    for (std::size_t i = 0; i < share_.size(); ++i) {
      const ElementScale& scale = problem.scales.at(first_channel + i / taps_, i % taps_);
      to[i] = share_[i] > 0 ? problem.grid(first_channel + i / taps_, i % taps_).around(kernel_[i], scale).above
                            : below_[i];
    }
  }

 private:
  float move_of(std::size_t i) const { return share_[i] > 0 ? -step_[i] : step_[i]; }
  // What the error grows by.
  float gain_of(std::size_t row, std::size_t tap) const {
    const float move = move_of(row * taps_ + tap);
    return move * (2 * seen_[row * taps_ + tap] + move * gram_[tap * (taps_ + 1)]);
  }
  void turn(std::size_t row, std::size_t tap) {
    const float move = move_of(row * taps_ + tap);
    float* const seen = seen_.data() + row * taps_;
    for (std::size_t j = 0; j < taps_; ++j) seen[j] += move * gram_[tap * taps_ + j];
    share_[row * taps_ + tap] = 1 - share_[row * taps_ + tap];
  }

  bool turn_single(std::size_t row) {
    bool changed = false;
    for (std::size_t tap = 0; tap < taps_; ++tap) {
      if (!(gain_of(row, tap) < -least_gain * unit_[row])) continue;
      turn(row, tap);
      changed = true;
    }
    return changed;
  }

  bool turn_pairs(std::size_t row) {
    bool changed = false, known = false;
    for (std::size_t tap = 1; tap < taps_; ++tap) {
      for (std::size_t j = 0; j < taps_ && !known; ++j) {
        moves_[j] = move_of(row * taps_ + j);
        gains_[j] = gain_of(row, j);
      }
      known = true;
      const std::size_t other = best_partner(tap);
      if (!(totals_[other] < -least_gain * unit_[row])) continue;
      turn(row, tap);
      turn(row, other);
      changed = true;
      known = false;
    }
    return changed;
  }

  // Which of the weights before `tap` it is best turned with; totals_ has what the error grows by.
  std::size_t best_partner(std::size_t tap) {
    float least = std::numeric_limits<float>::infinity();
    run_widest([&]() __attribute__((always_inline)) {
      const float* const gram = gram_ + tap * taps_;
      const float twice = 2 * moves_[tap], own = gains_[tap];
      const float *const moves = moves_.data(), *const gains = gains_.data();
      float* const totals = totals_.data();
#pragma omp simd reduction(min : least)
      for (std::size_t j = 0; j < tap; ++j) {
        const float total = own + gains[j] + twice * moves[j] * gram[j];
        totals[j] = total;
        least = total < least ? total : least;
      }
    });
    return static_cast<std::size_t>(
        std::find(totals_.begin(), totals_.begin() + static_cast<std::ptrdiff_t>(tap - 1), least) - totals_.begin());
  }

  void set_change() {
    for (std::size_t i = 0; i < change_.size(); ++i) change_[i] = below_[i] + share_[i] * step_[i] - kernel_[i];
  }
  void see() { multiply({change_.data(), taps_}, {gram_, taps_}, taps_, {seen_.data(), taps_, rows_, taps_}); }

  std::size_t taps_, rows_;
  const float* gram_;
  const float* kernel_;
  std::vector<float> below_, step_;   // the value below each weight, and how far above it the next is
  std::vector<float> share_;          // of the step that is taken: h
  std::vector<float> change_, seen_;  // d, and d G
  // One a row; where it is subnormal, as of a row of 1 and zeros in e6m1, there is nothing that rounding could change.
  std::vector<float> unit_;
  std::vector<float> moves_, gains_, totals_;  // of the row that is looked at
};

}  // namespace

std::vector<float> learned_kernel(const RoundingProblem& problem, std::span<const float> nearest) {
  const std::vector<float> start = gptq_kernel(problem, {.neighbours_only = true});
  std::vector<float> made(nearest.size());
  const std::size_t rows = problem.rows(), taps = problem.taps();
  const std::size_t parts = (rows + rows_at_once - 1) / rows_at_once;
#pragma omp parallel for schedule(dynamic) if (made.size() * taps > 10'000)
  for (std::size_t task = 0; task < problem.moments.groups * parts; ++task) {
    const std::size_t first = task / parts * rows + task % parts * rows_at_once;
    Rows part(problem, first, std::min(rows_at_once, rows - task % parts * rows_at_once));
    part.learn(start.data() + first * taps);
    part.descend();
    part.write(problem, first, made.data() + first * taps);
  }
  keep_better(problem, nearest, made);
  return made;
}

}  // namespace ridgeline
