// "predictor": what a score learnt from another study's trials says, experiments/report/learned_score.hpp.

#include <cmath>

#include "experiments/evaluators.hpp"
#include "experiments/report/learned_score.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

class PredictorEvaluator : public Evaluator {
 public:
  explicit PredictorEvaluator(LearnedScore score) : score_(std::move(score)) {
    Hasher hash;
    hash.add(std::string_view(score_.save().dump()));
    fingerprint_ = hash.value();
  }

  Fidelity fidelity() const override { return Fidelity::predicted; }
  std::uint64_t fingerprint() const override { return fingerprint_; }
  std::string unit() const override { return score_.unit; }

  void evaluate(std::span<const Candidate> candidates, std::span<Score> scores) override {
    for (std::size_t i = 0; i < scores.size(); ++i) {
      // One at a time, so that the last bits of a value do not depend on what it is asked with.
      scores[i].value = score_.predict({candidates[i].genome, 1})[0];
      if (std::isfinite(scores[i].value)) continue;
      scores[i] = {};
      scores[i].status = Status::unsupported;
      scores[i].reason = "nothing is known of it that '" + score_.form.text() + "' looks at";
    }
  }

 private:
  LearnedScore score_;
  std::uint64_t fingerprint_ = 0;
};

}  // namespace

std::unique_ptr<Evaluator> make_predictor_evaluator(JsonReader options, const EvaluatorSetup& setup) {
  const std::string file = options.string("file");
  options.finish();
  if (file.empty() || setup.space == nullptr) return nullptr;
  const std::shared_ptr<const SearchSpace> space(std::shared_ptr<const SearchSpace>(), setup.space);  // the study's
  return std::make_unique<PredictorEvaluator>(LearnedScore::load(file, space, *setup.resources));
}

}  // namespace ridgeline
