#include "experiments/calibration/calibrate_timing.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <numeric>

#include "experiments/calibration/calibrate_networks.hpp"
#include "kernels/statistics.hpp"

namespace ridgeline {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

constexpr int looks_a_layer = 4;
constexpr double rounds_wanted = 20;

}  // namespace

std::vector<double> layer_times(std::span<const ExecutedLayer> layers, std::span<const StepInfo> steps,
                                std::span<const double> step_times_s) {
  std::vector<double> times(layers.size(), 0.0);
  double waiting = 0.0;
  std::size_t last = 0;
  for (std::size_t s = 0; s < steps.size(); ++s) {
    waiting += step_times_s[s];
    if (steps[s].kind == "reorder") continue;
    const auto at = std::find_if(layers.begin(), layers.end(), [&](const ExecutedLayer& layer) {
      return layer.node == steps[s].node || layer.anchor == steps[s].node;
    });
    if (at == layers.end()) continue;  // grouped in another way: counts to the next layer
    last = static_cast<std::size_t>(at - layers.begin());
    times[last] += waiting;
    waiting = 0.0;
  }
  if (!times.empty()) times[last] += waiting;
  return times;
}

CalibrationTiming::CalibrationTiming(const MeasureOptions& options, const Format& format)
    : options_(options), reference_(reference_network(format), options), rng_(options.seed, "calibrate-turns") {}

bool CalibrationTiming::seldom_seen(std::span<const ExecutedLayer> layers) const {
  return std::any_of(layers.begin(), layers.end(), [&](const ExecutedLayer& layer) {
    const auto looks = looks_.find(layer.key.hash());
    return looks == looks_.end() || looks->second < looks_a_layer;
  });
}

bool CalibrationTiming::add(const Design& design) {
  Timed timed;
  ExecutableOptions compile;
  compile.threads = options_.threads;
  compile.seed = options_.seed;
  timed.layers = layers_of(design);
  const bool inside = seldom_seen(timed.layers);
  try {
    timed.whole = std::make_unique<Executable>(design, compile);
    compile.keep_op_times = true;
    if (inside) timed.by_step = std::make_unique<Executable>(design, compile);
  } catch (const Unsupported&) {
    return false;
  }
  Rng input(options_.seed, "calibrate-input");
  for (float& value : timed.whole->input()) value = static_cast<float>(input.normal());
  if (inside) std::copy(timed.whole->input().begin(), timed.whole->input().end(), timed.by_step->input().begin());
  for (const ExecutedLayer& layer : timed.layers) {
    timed.result.layers.push_back(layer.key);
    if (inside) ++looks_[layer.key.hash()];
  }
  timed.result.footprint_bytes = footprint_bytes(timed.layers);
  if (inside) timed.layer_ratios.resize(timed.layers.size());
  timed.result.function_hash = function_hash(design);
  timed.whole->run();
  const Clock::time_point start = Clock::now();
  timed.whole->run();
  round_s_ += (warm_up_runs + calibration_turn_samples) * seconds_since(start) + reference_now();
  bytes_ += (inside ? 2 : 1) * (timed.whole->arena_bytes() + timed.whole->weight_bytes());
  timed_.push_back(std::move(timed));
  return true;
}

bool CalibrationTiming::full(double seconds) const {
  const std::int64_t memory = std::int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  return rounds_wanted * round_s_ > seconds || bytes_ > memory / 4;
}

double CalibrationTiming::reference_now() {
  reference_samples_s_.push_back(reference_.time_s());
  return reference_samples_s_.back();
}

double CalibrationTiming::turn(Timed& timed, bool by_step, double before_s) {
  std::vector<double> wholes;
  std::vector<std::vector<double>> layers;
  if (by_step) {
    for (int run = 0; run < warm_up_runs; ++run) timed.by_step->run();
    for (int run = 0; run < calibration_turn_samples; ++run) {
      timed.by_step->run();
      layers.push_back(layer_times(timed.layers, timed.by_step->steps(), timed.by_step->step_times_s()));
    }
  } else {
    for (int run = 0; run < warm_up_runs; ++run) timed.whole->run();
    for (int run = 0; run < calibration_turn_samples; ++run) {
      const Clock::time_point start = Clock::now();
      timed.whole->run();
      wholes.push_back(seconds_since(start));
    }
  }
  const double after_s = reference_now();
  const double reference_s = 0.5 * (before_s + after_s);
  for (const double whole : wholes) timed.whole_ratios.push_back(whole / reference_s);
  for (const std::vector<double>& times : layers) {
    for (std::size_t i = 0; i < times.size(); ++i) timed.layer_ratios[i].push_back(times[i] / reference_s);
  }
  return after_s;
}

void CalibrationTiming::run(double seconds, const std::function<void(double)>& progress) {
  std::vector<std::size_t> order(timed_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const Clock::time_point start = Clock::now();
  double speed_s = reference_now();
  for (int round = 0; round < 3 || seconds_since(start) < seconds; ++round) {
    rng_.shuffle(std::span<std::size_t>(order));
    for (const std::size_t i : order) {
      const bool inside = round % 3 == 1;  // one round in three looks inside
      if (inside && timed_[i].by_step == nullptr) continue;
      speed_s = turn(timed_[i], inside, speed_s);
      if (progress) progress(seconds_since(start));
      if (round >= 3 && seconds_since(start) >= seconds) return;
    }
  }
}

std::vector<TimedNetwork> CalibrationTiming::take() {
  const double reference_s = reference_samples_s_.empty() ? 0.0 : median(reference_samples_s_);
  std::vector<TimedNetwork> networks;
  for (Timed& timed : timed_) {
    for (const double ratio : timed.whole_ratios) timed.result.whole_s.push_back(ratio * reference_s);
    for (const std::vector<double>& ratios : timed.layer_ratios) {
      const double middle = median(ratios);
      timed.result.layer_s.push_back(middle * reference_s);
      timed.result.layer_mad_s.push_back(median_absolute_deviation(ratios, middle) * reference_s);
    }
    timed.result.reference_s = reference_s;
    networks.push_back(std::move(timed.result));
  }
  timed_.clear();
  return networks;
}

}  // namespace ridgeline
