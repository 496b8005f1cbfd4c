// "quantized": what a plan's network scores on validation images, run in the plan's formats; what this machine does not
// execute is emulated. The network is trained and not changed by the plan, so the score is the network's own.

#include <fmt/format.h>

#include <algorithm>

#include "experiments/evaluators.hpp"
#include "experiments/evaluators/rung_images.hpp"
#include "experiments/quantization/plan_quality.hpp"
#include "experiments/training/evaluate.hpp"
#include "experiments/training/trained_model.hpp"
#include "kernels/pinning.hpp"
#include "spaces/config_error.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

class QuantizedEvaluator : public Evaluator {
 public:
  QuantizedEvaluator(PlanQuality quality, QualityMetric metric) : quality_(std::move(quality)), metric_(metric) {}

  Fidelity fidelity() const override { return Fidelity::measured; }
  std::string unit() const override { return unit_of(metric_); }
  // Of the calibration images by what they show.
  std::uint64_t fingerprint() const override {
    Hasher hasher;
    for (const Range& range : quality_.post_training().ranges()) {
      hasher.add(static_cast<double>(range.low)).add(static_cast<double>(range.high));
    }
    for (std::size_t k = 0; k < quality_.rungs(); ++k) hasher.add(quality_.images(k).fingerprint());
    return hasher.value();
  }
  std::vector<double> rung_costs() const override {
    std::vector<double> costs;
    const auto whole = static_cast<double>(quality_.images().size());
    for (std::size_t k = 0; k < quality_.rungs(); ++k) {
      costs.push_back(static_cast<double>(quality_.images(k).size()) / whole);
    }
    return costs;
  }

  // One candidate after the other, each on all processors: results do not depend on their number.
  void evaluate(std::span<const Candidate> candidates, std::span<Score> scores) override {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      try {
        const std::size_t rung = std::min(static_cast<std::size_t>(candidates[i].rung), quality_.rungs() - 1);
        scores[i].value = quality_.of(candidates[i].design->precision, rung);
      } catch (const Unsupported& problem) {
        scores[i].status = Status::unsupported;
        scores[i].reason = problem.what();
      }
    }
  }

 private:
  PlanQuality quality_;
  QualityMetric metric_;
};

void note_error(JsonReader& options, const char* key, const ConfigError& error) {
  const Problem& problem = error.problems().front();
  const std::string place = problem.path.empty() ? problem.file : problem.file + ": " + problem.path;
  options.note(key, problem.expected, place + ": " + problem.found, problem.remedy);
}

void check_same(const TrainedModel& model, const SearchSpace& space) {
  Genome first;
  first.genes.resize(space.dims().size(), 0);
  const Design design = space.decode(space.normalise(first));
  const Network &found = design.network, &expected = model.design.network;
  bool same = design.weights && found.size() == expected.size();
  for (NodeId node = 0; same && node < found.size(); ++node) {
    same = found.op(node).kind == OpKind::input || found.op(node) == expected.op(node);
  }
  if (same && structural_hash(with_batch(found, 1)) == structural_hash(expected)) return;
  throw ConfigError(Problem{"space '" + space.name() + "'", "model", "the network of the objective's \"model\"",
                            design.weights ? "another one" : "networks without weights", "name the same file in both"});
}

}  // namespace

std::unique_ptr<Evaluator> make_quantized_evaluator(JsonReader options, const EvaluatorSetup& setup) {
  const std::string file = options.string("model"), folder = options.string("data");
  const std::span<const std::string> metrics = quality_metric_names();
  const std::string quantity = options.word("quantity", metrics, metrics.front());
  const auto metric = static_cast<QualityMetric>(std::ranges::find(metrics, quantity) - metrics.begin());
  const std::vector<double> counts = read_images(options);
  const PostTrainingOptions post_training = read_post_training(options);
  options.finish();
  if (file.empty() || folder.empty() || setup.space == nullptr) return nullptr;
  const char* key = "model";
  try {
    TrainedModel model = load_trained_model(file, *setup.resources);
    check_same(model, *setup.space);
    key = "data";
    const Dataset data = load_dataset(folder);
    adapt(model, data);
    if (!check_images(options, counts, data.validation)) return nullptr;
    const int threads = allowed_processors();
    PlanQuality quality(PostTraining(model, data.train, post_training, threads),
                        images_of_rungs(data.validation, counts), model.normalisation, metric, threads);
    return std::make_unique<QuantizedEvaluator>(std::move(quality), metric);
  } catch (const ConfigError& error) {
    note_error(options, key, error);
    return nullptr;
  }
}

}  // namespace ridgeline
