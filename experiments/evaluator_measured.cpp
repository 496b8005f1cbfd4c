// "measured": the median of whole inferences timed here, by the protocol of kernels/measure.hpp.

#include <algorithm>
#include <utility>

#include "experiments/evaluators.hpp"

namespace ridgeline {
namespace {

const std::vector<std::string>& cache_words() {  // in the order of CacheState
  static const std::vector<std::string> words = {"hot", "cold"};
  return words;
}

class MeasuredEvaluator : public Evaluator {
 public:
  MeasuredEvaluator(const MeasureOptions& options, bool reuse, MeasureFunction timer)
      : options_(options), reuse_(reuse), timer_(std::move(timer)) {}

  Fidelity fidelity() const override { return Fidelity::measured; }
  bool exclusive() const override { return true; }
  bool may_reuse() const override { return reuse_; }

  std::string protocol() const override {
    return Json{{"threads", options_.threads},
                {"cache", cache_words()[static_cast<std::size_t>(options_.cache)]},
                {"warmup_s", options_.warmup_s},
                {"target_s", options_.target_s},
                {"min_samples", options_.min_samples},
                {"max_samples", options_.max_samples},
                {"max_relative_mad", options_.max_relative_mad},
                {"per_operator", options_.per_operator},
                {"pin_threads", options_.pin_threads},
                {"weights_seed", options_.seed}}
        .dump();
  }

  void evaluate(std::span<const Candidate> candidates, std::span<Score> scores) override {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      Measurement measurement =
          timer_ ? timer_(*candidates[i].design, options_) : measure(*candidates[i].design, options_);
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
    InterleaveOptions interleave;
    interleave.progress = [&](std::size_t, std::size_t) { progress(); };
    return measure_interleaved(designs, options_, interleave);
  }

 private:
  MeasureOptions options_;
  bool reuse_;
  MeasureFunction timer_;
};

}  // namespace

std::unique_ptr<Evaluator> make_measured_evaluator(JsonReader options, const EvaluatorSetup& setup) {
  MeasureOptions measure;
  measure.threads =
      static_cast<int>(options.integer("threads", {.fallback = measure.threads, .least = 1, .most = 1024}));
  measure.cache = options.word("cache", cache_words(), "hot") == "cold" ? CacheState::cold : CacheState::hot;
  measure.warmup_s = options.number("warmup_s", {.fallback = measure.warmup_s, .least = 0.0, .most = 60.0});
  measure.target_s = options.number("target_s", {.fallback = measure.target_s, .least = 0.0, .most = 600.0});
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
  const bool reuse = options.boolean("reuse", false);
  options.finish();
  return std::make_unique<MeasuredEvaluator>(measure, reuse, setup.measure);
}

}  // namespace ridgeline
