// "quantized": what a plan's network scores on validation images, run in the plan's formats; what this machine does not
// execute is emulated. The network is trained and not changed by the plan, so the score is the network's own.

#include <fmt/format.h>

#include "experiments/evaluators.hpp"
#include "experiments/training/evaluate.hpp"
#include "experiments/training/trained_model.hpp"
#include "kernels/pinning.hpp"
#include "spaces/config_error.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

struct QuantizedOptions {
  std::size_t images = 0, calibration_images = 256;  // 0: all
  bool accuracy = true;
};

class QuantizedEvaluator : public Evaluator {
 public:
  QuantizedEvaluator(const TrainedModel& model, const Dataset& data, const QuantizedOptions& options)
      : validation_(options.images > 0 ? calibration_images(data.validation, options.images) : data.validation),
        normalisation_(model.normalisation),
        threads_(allowed_processors()),
        accuracy_(options.accuracy) {
    const LabelledImages images = calibration_images(data.train, options.calibration_images);
    quantization_ = std::make_shared<const Quantization>(
        Quantization{image_ranges(model.design, images, normalisation_, images.size(), threads_)});
    Hasher hasher;
    for (const Range& range : quantization_->tensors) {
      hasher.add(static_cast<double>(range.low)).add(static_cast<double>(range.high));
    }
    fingerprint_ = hasher.add(validation_.fingerprint()).value();
  }

  Fidelity fidelity() const override { return Fidelity::measured; }
  std::uint64_t fingerprint() const override { return fingerprint_; }
  std::string unit() const override { return accuracy_ ? "%" : "nat"; }

  // One candidate after the other, each on all processors: results do not depend on their number.
  void evaluate(std::span<const Candidate> candidates, std::span<Score> scores) override {
    const PinnedThreads pinned(threads_);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      Design design = *candidates[i].design;
      design.quantization = quantization_;
      try {
        const ClassificationScores scored = evaluate_classifier(design, validation_, normalisation_,
                                                                {.threads = threads_, .emulation = Emulation::missing});
        scores[i].value = accuracy_ ? 100.0 * scored.accuracy : scored.nll;
      } catch (const Unsupported& problem) {
        scores[i].status = Status::unsupported;
        scores[i].reason = problem.what();
      }
    }
  }

 private:
  LabelledImages validation_;
  Normalisation normalisation_;
  int threads_;
  bool accuracy_;
  std::shared_ptr<const Quantization> quantization_;
  std::uint64_t fingerprint_ = 0;
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
  static const std::vector<std::string> quantities = {"accuracy", "nll"};
  QuantizedOptions chosen;
  const std::string file = options.string("model"), folder = options.string("data");
  chosen.accuracy = options.word("quantity", quantities, "accuracy") == "accuracy";
  chosen.images =
      static_cast<std::size_t>(options.integer("images", {.fallback = 0, .least = 1, .most = 1'000'000'000}));
  chosen.calibration_images =
      static_cast<std::size_t>(options.integer("calibration_images", {.fallback = 256, .least = 1, .most = 1'000'000}));
  options.finish();
  if (file.empty() || folder.empty() || setup.space == nullptr) return nullptr;
  const char* key = "model";
  try {
    TrainedModel model = load_trained_model(file, *setup.resources);
    check_same(model, *setup.space);
    key = "data";
    const Dataset data = load_dataset(folder);
    adapt(model, data);
    if (chosen.images > data.validation.size()) {
      options.note("images", fmt::format("at most {}, the validation images there are", data.validation.size()),
                   std::to_string(chosen.images), "leave it out to take all");
      return nullptr;
    }
    return std::make_unique<QuantizedEvaluator>(model, data, chosen);
  } catch (const ConfigError& error) {
    note_error(options, key, error);
    return nullptr;
  }
}

}  // namespace ridgeline
