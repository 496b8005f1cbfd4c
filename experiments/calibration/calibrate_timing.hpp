// Timing many networks side by side for calibration: wholes and layers, in turns, beside the reference. Internal.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "experiments/calibration/calibrate.hpp"
#include "hwmodels/layers.hpp"
#include "kernels/measure.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {

// Samples a turn, after the warm-up. A check takes as many: the more there are, the warmer their median.
inline constexpr int calibration_turn_samples = 4;

// The time of each executed layer from the times of an executable's steps: reorders count to the layer they feed.
std::vector<double> layer_times(std::span<const ExecutedLayer> layers, std::span<const StepInfo> steps,
                                std::span<const double> step_times_s);

class CalibrationTiming {
 public:
  CalibrationTiming(const MeasureOptions& options, const Format& format);  // throws Unsupported

  // Compiles the design, and once more by step while it has layers that were seldom looked at. False when this machine
  // does not run it.
  bool add(const Design& design);
  std::size_t size() const { return timed_.size(); }
  // No further network should be added: a round takes too long for `seconds`, or too much memory is used.
  bool full(double seconds) const;
  // Rounds until `seconds` have passed, at least three.
  void run(double seconds, const std::function<void(double elapsed_s)>& progress);

  // What was measured, in seconds at the machine's median speed during the rounds; the networks compiled are given
  // back.
  std::vector<TimedNetwork> take();
  const std::vector<double>& reference_samples_s() const { return reference_samples_s_; }

 private:
  struct Timed {
    std::unique_ptr<Executable> whole, by_step;
    std::vector<ExecutedLayer> layers;
    std::vector<double> whole_ratios;               // samples over the reference's time
    std::vector<std::vector<double>> layer_ratios;  // the same, by layer
    TimedNetwork result;
  };
  bool seldom_seen(std::span<const ExecutedLayer> layers) const;
  double turn(Timed& timed, bool by_step, double before_s);  // both are times of the reference
  double reference_now();

  MeasureOptions options_;
  SpeedReference reference_;
  std::vector<double> reference_samples_s_;
  std::vector<Timed> timed_;
  std::unordered_map<std::uint64_t, int> looks_;  // LayerKey::hash -> networks timed by step that have the layer
  double round_s_ = 0;                            // of one turn of every network, estimated
  std::int64_t bytes_ = 0;                        // of the compiled networks
  Rng rng_;
};

}  // namespace ridgeline
