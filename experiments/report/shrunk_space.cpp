#include "experiments/report/shrunk_space.hpp"

#include <fmt/format.h>

#include "experiments/report/narrowed_space.hpp"
#include "experiments/report/report_explain.hpp"
#include "experiments/report/stored_study.hpp"
#include "search/predicted/cross_validation.hpp"
#include "search/predicted/predicted_evolution.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t folds = 10;

}  // namespace

ShrunkSpace shrink_study_space(const Store& store, const Resources& resources, const ShrunkSpaceOptions& options) {
  const StudyRecord record = find_study(store, options.study);
  const StudyConfig config = parse_study(JsonDocument::parse(record.config, "stored configuration"));
  SearchSpace start = stored_space(record, config, resources);
  const std::vector<Trial> trials = store.load(record.id);
  const FittedRows fitted = fitted_rows(store, record, trials);

  SpaceShrinkingSetup shrinking = options.shrinking;
  shrinking.objectives = record.objectives;
  for (const Trial& member : store.front(record.id, fitted.fidelity)) shrinking.known.push_back(member.genome);
  const SearcherSetup setup{shrinking.seed, record.objectives, Json::object(), "space shrinking"};
  JsonDocument document = JsonDocument::from_value({{"predictor", options.predictor}}, "--predictor");
  JsonReader reader = document.root();
  const PredictionOptions prediction = read_prediction_options(reader, {});
  document.raise();
  const std::vector<std::size_t> modelled = modelled_objectives(record.objectives);
  const PredictedObjectives models(start, setup, modelled, prediction, trials, fitted.rows);
  const PredictedTrials predicted = [&](std::span<const Genome> genomes) { return models.trials(genomes); };
  SpaceShrinking result = shrink_space(start, predicted, shrinking);

  std::vector<Objective> objectives;
  std::vector<Json> errors;
  for (const OutOfSampleErrors& one : cross_validated(start, setup, modelled, prediction, trials, fitted.rows, folds)) {
    objectives.push_back(record.objectives[modelled[errors.size()]]);
    errors.push_back(one.summary());
  }
  Json file = narrowing_file(config, start, result.kept, options.out,
                             fmt::format("shrunk by the trials of study '{}'", options.study), resources);
  return {record.name,     std::move(objectives), std::move(errors), fitted.rows.size(),
          fitted.fidelity, std::move(start),      std::move(result), std::move(file)};
}

}  // namespace ridgeline
