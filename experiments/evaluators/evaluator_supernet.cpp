// "supernet": what a candidate scores on validation images with the weights that it inherits from a trained supernet.
// Its fidelity is predicted: the candidate has not been trained by itself.

#include <algorithm>

#include "experiments/evaluators.hpp"
#include "experiments/evaluators/rung_images.hpp"
#include "experiments/training/evaluate.hpp"
#include "experiments/training/supernet.hpp"
#include "kernels/executable.hpp"
#include "kernels/pinning.hpp"
#include "spaces/config_error.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

class SupernetEvaluator : public Evaluator {
 public:
  // `images`: of each rung; 0, all.
  SupernetEvaluator(Supernet supernet, const SearchSpace& space, const Dataset& data, std::span<const double> images,
                    std::size_t recalibration_images, bool accuracy)
      : supernet_(std::move(supernet)),
        space_(space),
        validation_(images_of_rungs(data.validation, images)),
        train_(data.train),
        normalisation_(supernet_.normalisation()),
        threads_(allowed_processors()),
        recalibration_(data.train, normalisation_, recalibration_images, threads_),
        accuracy_(accuracy) {
    Hasher hasher;
    hasher.add(supernet_.fingerprint())
        .add(data.fingerprint)
        .add(validation_.front().fingerprint())
        .add(static_cast<std::uint64_t>(recalibration_images));
    for (std::size_t k = 1; k < validation_.size(); ++k) hasher.add(validation_[k].fingerprint());
    fingerprint_ = hasher.value();
    const auto work = [&](const LabelledImages& some) {
      return static_cast<double>(some.size() + recalibration_images);  // passes through the network
    };
    for (const LabelledImages& some : validation_) costs_.push_back(work(some) / work(validation_.front()));
  }

  Fidelity fidelity() const override { return Fidelity::predicted; }
  std::uint64_t fingerprint() const override { return fingerprint_; }
  std::string unit() const override { return accuracy_ ? "%" : "nat"; }
  std::vector<double> rung_costs() const override { return costs_; }

  // One candidate after the other, each on all processors: results do not depend on their number.
  void evaluate(std::span<const Candidate> candidates, std::span<Score> scores) override {
    const PinnedThreads pinned(threads_);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      try {
        scores[i].value = evaluate(candidates[i]);
      } catch (const Unsupported& problem) {
        scores[i].status = Status::unsupported;
        scores[i].reason = problem.what();
      } catch (const ConfigError& problem) {
        scores[i].status = Status::failed;
        scores[i].reason = problem.problems().front().expected;
      }
    }
  }

 private:
  double evaluate(const Candidate& candidate) {
    const Genome genome = supernet_.own_genome(space_, *candidate.genome);
    const Design design = supernet_.quantized(genome, candidate.design->precision, recalibration_, train_, threads_);
    const std::size_t rung = std::min(static_cast<std::size_t>(candidate.rung), validation_.size() - 1);
    const ClassificationScores scored = evaluate_classifier(design, validation_[rung], normalisation_,
                                                            {.threads = threads_, .emulation = Emulation::missing});
    return accuracy_ ? 100.0 * scored.accuracy : scored.nll;
  }

  Supernet supernet_;  // of the whole space, which the study's may narrow
  const SearchSpace& space_;
  std::vector<LabelledImages> validation_;  // by rung
  LabelledImages train_;
  Normalisation normalisation_;
  int threads_;
  Recalibration recalibration_;
  bool accuracy_;
  std::uint64_t fingerprint_ = 0;
  std::vector<double> costs_;  // by rung
};

// Notes the problems of `action` under `key`.
template <typename Action>
void noted(JsonReader& options, const char* key, Action&& action) {
  try {
    action();
  } catch (const ConfigError& error) {
    const Problem& problem = error.problems().front();
    options.note(key, problem.expected, problem.file + ": " + problem.found, problem.remedy);
  }
}

}  // namespace

std::unique_ptr<Evaluator> make_supernet_evaluator(JsonReader options, const EvaluatorSetup& setup) {
  static const std::vector<std::string> quantities = {"accuracy", "nll"};
  const std::string checkpoint = options.string("checkpoint");
  const std::string folder = options.string("data");
  const bool accuracy = options.word("quantity", quantities, "accuracy") == "accuracy";
  const std::vector<double> images = read_images(options);
  const auto recalibration =
      options.integer("recalibration_images", {.fallback = Recalibration::usual_images, .least = 2, .most = 1'000'000});
  options.finish();
  if (checkpoint.empty() || folder.empty() || setup.space == nullptr) return nullptr;
  std::optional<Supernet> supernet;
  std::optional<Dataset> data;
  noted(options, "checkpoint", [&] {
    supernet.emplace(Supernet::load(setup.resources->checkpoint(checkpoint), *setup.resources));
    supernet->check_space(*setup.space);
  });
  noted(options, "data", [&] {
    data.emplace(load_dataset(folder));
    if (supernet) supernet->check_data(*data);
    check_images(options, images, data->validation);
  });
  if (!supernet || !data) return nullptr;
  return std::make_unique<SupernetEvaluator>(std::move(*supernet), *setup.space, *data, images,
                                             static_cast<std::size_t>(recalibration), accuracy);
}

}  // namespace ridgeline
