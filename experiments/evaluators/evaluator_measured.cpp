// "measured": the median of whole inferences timed here, by the protocol of kernels/measure.hpp.
//
// A small reference network is timed before and after every candidate. Where it takes longer than "busy_limit" times
// its best so far, somebody else is using the machine: the candidate is timed again, and after three tries it is
// unstable.

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "experiments/calibration/calibrate.hpp"
#include "experiments/evaluators.hpp"

namespace ridgeline {
namespace {

const std::vector<std::string>& cache_words() {  // in the order of CacheState
  static const std::vector<std::string> words = {"hot", "cold"};
  return words;
}

class MeasuredEvaluator : public Evaluator {
 public:
  // `targets_s`: MeasureOptions::target_s of each rung.
  MeasuredEvaluator(const MeasureOptions& options, std::vector<double> targets_s, double busy_limit, bool reuse,
                    MeasureFunction timer)
      : options_(options),
        targets_s_(std::move(targets_s)),
        busy_limit_(busy_limit),
        reuse_(reuse),
        timer_(std::move(timer)) {
    options_.target_s = targets_s_.front();
  }

  Fidelity fidelity() const override { return Fidelity::measured; }
  bool exclusive() const override { return true; }
  std::string unit() const override { return "s"; }
  bool may_reuse() const override { return reuse_; }

  std::vector<double> rung_costs() const override {
    std::vector<double> costs = {1.0};
    for (std::size_t k = 1; k < targets_s_.size(); ++k) {
      costs.push_back((options_.warmup_s + targets_s_[k]) / (options_.warmup_s + targets_s_[0]));
    }
    return costs;
  }

  std::string protocol(int rung) const override {
    return Json{{"threads", options_.threads},
                {"cache", cache_words()[static_cast<std::size_t>(options_.cache)]},
                {"warmup_s", options_.warmup_s},
                {"target_s", options_of(rung).target_s},
                {"min_samples", options_.min_samples},
                {"max_samples", options_.max_samples},
                {"max_relative_mad", options_.max_relative_mad},
                {"per_operator", options_.per_operator},
                {"pin_threads", options_.pin_threads},
                {"busy_limit", busy_limit_},
                {"weights_seed", options_.seed}}
        .dump();
  }

  void evaluate(std::span<const Candidate> candidates, std::span<Score> scores) override {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const MeasureOptions options = options_of(candidates[i].rung);
      Measurement measurement =
          timer_ ? timer_(*candidates[i].design, options) : measure_undisturbed(*candidates[i].design, options);
      scores[i].value = measurement.median_s;
      if (measurement.outcome == Measurement::Outcome::unstable) scores[i].status = Status::unstable;
      if (measurement.outcome == Measurement::Outcome::unsupported) scores[i].status = Status::unsupported;
      scores[i].reason = measurement.reason;
      scores[i].measurement = std::move(measurement);
    }
  }

  std::vector<Measurement> time_again(std::span<const Candidate> candidates,
                                      const std::function<void()>& progress) override {
    if (timer_) {
      std::vector<Measurement> again;
      for (const Candidate& candidate : candidates) {
        again.push_back(timer_(*candidate.design, options_));
        progress();
      }
      return again;
    }
    std::vector<Design> designs;
    for (const Candidate& candidate : candidates) designs.push_back(*candidate.design);
    const Design reference = reference_network(f32);
    InterleaveOptions interleave;
    interleave.progress = [&](std::size_t, std::size_t) { progress(); };
    interleave.reference = &reference;
    std::vector<Measurement> again = measure_interleaved(designs, options_, interleave);
    keep_undisturbed(again);
    return again;
  }

 private:
  MeasureOptions options_of(int rung) const {
    MeasureOptions options = options_;
    options.target_s = targets_s_[std::min(static_cast<std::size_t>(rung), targets_s_.size() - 1)];
    return options;
  }

  // How many times slower than at its best the reference network is now.
  double slowdown() {
    if (!reference_) {
      reference_.emplace(reference_network(f32), options_);
      for (int i = 0; i < 5; ++i) best_reference_s_ = std::min(best_reference_s_, reference_->time_s());
    }
    const double now_s = reference_->time_s();
    best_reference_s_ = std::min(best_reference_s_, now_s);
    return now_s / best_reference_s_;
  }

  // Samples taken while somebody else used the machine say nothing about the design.
  void keep_undisturbed(std::vector<Measurement>& again) const {
    double best_s = std::numeric_limits<double>::infinity();
    for (const Measurement& one : again) {
      for (const double reference_s : one.reference_s) best_s = std::min(best_s, reference_s);
    }
    for (Measurement& one : again) {
      std::vector<double> kept;
      for (std::size_t i = 0; i < one.reference_s.size(); ++i) {
        if (one.reference_s[i] <= busy_limit_ * best_s) kept.push_back(one.samples_s[i]);
      }
      if (one.outcome == Measurement::Outcome::unsupported || kept.size() == one.samples_s.size()) continue;
      if (2 * kept.size() >= one.samples_s.size()) {
        one.samples_s = std::move(kept);
        one.outcome = Measurement::Outcome::ok;
        summarise(one, options_.max_relative_mad);
      } else {
        one.outcome = Measurement::Outcome::unstable;
        one.reason = "the machine was busy while the front was timed again";
      }
    }
  }

  Measurement measure_undisturbed(const Design& design, const MeasureOptions& options) {
    constexpr int tries = 3;
    for (int attempt = 1;; ++attempt) {
      const double before = slowdown();
      Measurement measurement = measure(design, options);
      const double disturbed = std::max(before, slowdown());
      const bool timed = measurement.outcome == Measurement::Outcome::ok;
      if (measurement.outcome == Measurement::Outcome::unsupported || (timed && disturbed <= busy_limit_)) {
        return measurement;
      }
      if (attempt < tries) continue;
      if (!timed) return measurement;  // its own spread says why
      measurement.outcome = Measurement::Outcome::unstable;
      measurement.reason = fmt::format(
          "the machine is busy: a reference network took {:.2f} times its best time (limit {:.2f}) in {} tries; stop "
          "what else is running, or raise \"busy_limit\"",
          disturbed, busy_limit_, tries);
      return measurement;
    }
  }

  MeasureOptions options_;  // of rung 0
  std::vector<double> targets_s_;
  double busy_limit_;
  bool reuse_;
  MeasureFunction timer_;
  std::optional<SpeedReference> reference_;
  double best_reference_s_ = std::numeric_limits<double>::infinity();
};

}  // namespace

std::unique_ptr<Evaluator> make_measured_evaluator(JsonReader options, const EvaluatorSetup& setup) {
  MeasureOptions measure;
  measure.threads =
      static_cast<int>(options.integer("threads", {.fallback = measure.threads, .least = 1, .most = 1024}));
  measure.cache = options.word("cache", cache_words(), "hot") == "cold" ? CacheState::cold : CacheState::hot;
  measure.warmup_s = options.number("warmup_s", {.fallback = measure.warmup_s, .least = 0.0, .most = 60.0});
  std::vector<double> targets_s =
      read_work(options, "target_s", {.fallback = measure.target_s, .least = 0.0, .most = 600.0});
  measure.min_samples =
      static_cast<int>(options.integer("min_samples", {.fallback = measure.min_samples, .least = 1, .most = 100'000}));
  measure.max_samples = static_cast<int>(options.integer(
      "max_samples", {.fallback = std::max(measure.max_samples, measure.min_samples), .least = 1, .most = 1'000'000}));
  if (measure.max_samples < measure.min_samples) {
    options.note("max_samples", "at least \"min_samples\"", std::to_string(measure.max_samples));
  }
  measure.max_relative_mad =
      options.number("max_relative_mad", {.fallback = measure.max_relative_mad, .least = 0.0, .most = 10.0});
  measure.per_operator = options.boolean("per_operator", measure.per_operator);
  measure.pin_threads = options.boolean("pin_threads", measure.pin_threads);
  const double busy_limit = options.number("busy_limit", {.fallback = 1.25, .least = 1.0, .most = 100.0});
  const bool reuse = options.boolean("reuse", false);
  options.finish();
  return std::make_unique<MeasuredEvaluator>(measure, std::move(targets_s), busy_limit, reuse, setup.measure);
}

}  // namespace ridgeline
