// Timing many networks side by side for calibration: wholes and layers, in turns, beside the reference. Internal.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "experiments/calibrate.hpp"
#include "hwmodels/layers.hpp"
#include "kernels/measure.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {

// The time of each executed layer from the times of an executable's steps: reorders count to the layer they feed.
std::vector<double> layer_times(std::span<const ExecutedLayer> layers, std::span<const StepInfo> steps,
                                std::span<const double> step_times_s);

class CalibrationTiming {
 public:
  CalibrationTiming(const MeasureOptions& options, const Format& format);  // throws Unsupported

  // Compiles the design twice, whole and by step. False when this machine does not run it.
  bool add(const Design& design);
  std::size_t size() const { return timed_.size(); }
  // Rounds until `seconds` have passed, at least two.
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
  void turn(Timed& timed, bool by_step);
  double reference_now();

  MeasureOptions options_;
  SpeedReference reference_;
  std::vector<double> reference_samples_s_;
  std::vector<Timed> timed_;
  Rng rng_;
};

}  // namespace ridgeline
