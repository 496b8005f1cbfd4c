#include "experiments/training/winners.hpp"

#include <fmt/format.h>

#include "experiments/evaluator.hpp"
#include "experiments/study_config.hpp"
#include "experiments/training/evaluate.hpp"
#include "experiments/training/supernet.hpp"
#include "kernels/pinning.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

std::size_t supernet_objective(const StudyConfig& config) {
  for (std::size_t i = 0; i < config.objectives.size(); ++i) {
    if (config.objectives[i].from.value("evaluator", "") == "supernet") return i;
  }
  throw ConfigError(Problem{"study '" + config.name + "'", "objectives", "one from the evaluator 'supernet'", "none",
                            "search with {\"evaluator\": \"supernet\", ...}; other winners have no weights"});
}

// Searched values are the same bits whenever they are evaluated, unless what they came from is another one now.
void check_unchanged(const StudyConfig& config, std::size_t objective, const SearchSpace& space,
                     const Resources& resources, std::span<const FrontMember> front) {
  JsonDocument options = JsonDocument::from_value(config.objectives[objective].from, "stored configuration");
  const auto evaluator = make_evaluator(options.root(), {.space = &space, .resources = &resources});
  options.raise();
  for (const FrontMember& member : front) {
    const Genome genome = space.from_json(member.genome);
    const Design design = decode_for(config, space, genome);
    const Candidate candidate{member.trial, &genome, &design};
    Score score;
    evaluator->evaluate({&candidate, 1}, {&score, 1});
    if (score.status == Status::ok && score.value == member.values[objective]) continue;
    throw ConfigError(Problem{
        "study '" + config.name + "'", config.objectives[objective].objective.name,
        fmt::format("{} for trial {}, as in the search", member.values[objective], member.trial),
        score.status == Status::ok ? fmt::format("{}", score.value) : score.reason,
        "the supernet or the data set is another one now: put the old one back, or search again in a new study"});
  }
}

}  // namespace

Winners test_winners(const Store& store, const std::string& study, const Resources& resources, int threads,
                     const std::function<void(std::size_t, std::size_t)>& progress) {
  Winners result;
  result.report = front_of(store, study, resources);
  const StudyConfig config = parse_study(JsonDocument::parse(result.report.record.config, "stored configuration"));
  const std::size_t objective = supernet_objective(config);
  const Json& source = config.objectives[objective].from;
  result.supernet = source.value("checkpoint", "");
  result.data = source.value("data", "");
  const Supernet supernet = Supernet::load(resources.checkpoint(result.supernet), resources);
  const Dataset data = load_dataset(result.data);
  supernet.check_data(data);
  check_unchanged(config, objective, supernet.space(), resources, result.report.front);
  const LabelledImages test = load_test_split(result.data);
  const Recalibration recalibration(data.train, supernet.normalisation(),
                                    source.value("recalibration_images", Recalibration::usual_images), threads);
  const PinnedThreads pinned(threads);
  for (const FrontMember& member : result.report.front) {
    if (progress) progress(result.winners.size(), result.report.front.size());
    const Genome genome = supernet.space().from_json(member.genome);
    const PrecisionPlan precision = decode_for(config, supernet.space(), genome).precision;  // as the search had it
    const Design design = supernet.quantized(genome, precision, recalibration, data.train, threads);
    const EvaluateOptions options{.threads = threads, .emulation = Emulation::missing};
    const auto accuracy = [&](const LabelledImages& images) {
      return evaluate_classifier(design, images, supernet.normalisation(), options).accuracy;
    };
    result.winners.push_back({member, accuracy(data.validation), accuracy(test),
                              supernet.extracted(genome, supernet.candidate(genome, recalibration))});
  }
  return result;
}

}  // namespace ridgeline
