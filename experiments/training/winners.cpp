#include "experiments/training/winners.hpp"

#include <algorithm>

#include "experiments/study_config.hpp"
#include "experiments/training/evaluate.hpp"
#include "experiments/training/supernet.hpp"
#include "kernels/pinning.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

Json supernet_source(const StudyConfig& config) {
  for (const ObjectiveConfig& objective : config.objectives) {
    if (objective.from.value("evaluator", "") == "supernet") return objective.from;
  }
  throw ConfigError(Problem{"study '" + config.name + "'", "objectives", "one from the evaluator 'supernet'", "none",
                            "search with {\"evaluator\": \"supernet\", ...}; other winners have no weights"});
}

}  // namespace

Winners test_winners(const Store& store, const std::string& study, const Resources& resources, int threads,
                     const std::function<void(std::size_t, std::size_t)>& progress) {
  Winners result;
  result.report = front_of(store, study, resources);
  const StudyConfig config = parse_study(JsonDocument::parse(result.report.record.config, "stored configuration"));
  const Json source = supernet_source(config);
  result.supernet = source.value("checkpoint", "");
  result.data = source.value("data", "");
  const Supernet supernet = Supernet::load(resources.checkpoint(result.supernet), resources);
  const Dataset data = load_dataset(result.data);
  supernet.check_data(data);
  const LabelledImages test = load_test_split(result.data);
  const Recalibration recalibration(data.train, supernet.normalisation(),
                                    source.value("recalibration_images", Recalibration::usual_images), threads);
  const PinnedThreads pinned(threads);
  for (const FrontMember& member : result.report.front) {
    if (progress) progress(result.winners.size(), result.report.front.size());
    const Genome genome = supernet.space().from_json(member.genome);
    Design design = supernet.candidate(genome, recalibration);
    design.precision = decode_for(config, supernet.space(), genome).precision;  // as the search evaluated it
    const EvaluateOptions options = evaluate_options(design, data.train, supernet.normalisation(), threads);
    const auto accuracy = [&](const LabelledImages& images) {
      return evaluate_classifier(design, images, supernet.normalisation(), options).accuracy;
    };
    result.winners.push_back({member, accuracy(data.validation), accuracy(test), supernet.extracted(genome, design)});
  }
  return result;
}

}  // namespace ridgeline
