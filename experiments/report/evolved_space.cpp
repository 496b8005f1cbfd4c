#include "experiments/report/evolved_space.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "experiments/report/comparison.hpp"
#include "experiments/report/narrowed_space.hpp"
#include "experiments/report/report_explain.hpp"
#include "experiments/report/stored_study.hpp"
#include "search/predicted/cross_validation.hpp"
#include "search/predicted/predicted_evolution.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t folds = 10;

}  // namespace

KeptCount read_kept_count(const std::string& text) {
  const std::size_t equals = text.rfind('=');
  std::size_t count = 0;
  const char* end = text.data() + text.size();
  const bool split = equals != std::string::npos && equals > 0 && equals + 1 < text.size();
  const auto read = split ? std::from_chars(text.data() + equals + 1, end, count) : std::from_chars_result{};
  if (!split || read.ec != std::errc() || read.ptr != end) {
    throw ConfigError({"--evolve", "", "NAME=COUNT, a dimension and how many of its choices are kept",
                       fmt::format("'{}'", text), "for example width=1"});
  }
  return {text.substr(0, equals), count};
}

EvolvedSpace evolve_study_space(const Store& store, const Resources& resources, const EvolvedSpaceOptions& options) {
  const StudyRecord record = find_study(store, options.study);
  const std::pair<std::size_t, std::size_t> both = quality_and_cost_of(store, record);
  const std::size_t quality = both.first, cost = both.second;
  const StudyConfig config = parse_study(JsonDocument::parse(record.config, "stored configuration"));
  SearchSpace start = stored_space(record, config, resources);
  const SubSpaces sub_spaces(start, options.kept, "--evolve");
  const std::vector<Trial> trials = store.load(record.id);
  const FittedRows fitted = fitted_rows(store, record, trials);
  const std::vector<std::size_t>& rows = fitted.rows;

  const SearcherSetup setup{options.search.seed, record.objectives, Json::object(), "space evolution"};
  const PredictionOptions prediction{options.predictor};
  const std::vector<std::size_t> modelled = modelled_objectives(record.objectives);
  const PredictedObjectives models(start, setup, modelled, prediction, trials, rows);
  const auto errors = cross_validated(start, setup, modelled, prediction, trials, rows, folds);
  const auto error_of = [&](std::size_t objective) {
    return errors[static_cast<std::size_t>(std::ranges::find(modelled, objective) - modelled.begin())].summary();
  };
  const PredictedTrials predicted = [&](std::span<const Genome> genomes) {
    std::vector<Trial> made = models.trials(genomes);
    for (Trial& trial : made) {
      if (trial.has_values()) trial.values = {trial.values[quality], trial.values[cost]};
    }
    return made;
  };
  SpaceEvolutionSetup search = options.search;
  search.worst_quality = natural(trials[rows.front()].values[quality], Direction::maximise);
  for (const std::size_t row : rows) {
    search.worst_quality = std::min(search.worst_quality, natural(trials[row].values[quality], Direction::maximise));
  }
  for (const Trial& member : store.front(record.id, fitted.fidelity)) search.known.push_back(member.genome);
  SpaceEvolution evolution = evolve_space(sub_spaces, predicted, search);
  Json file = narrowing_file(config, start, evolution.scored.front().kept, options.out,
                             fmt::format("evolved on the trials of study '{}'", options.study), resources);
  return {record.name,
          record.objectives[quality],
          record.objectives[cost],
          rows.size(),
          fitted.fidelity,
          error_of(quality),
          error_of(cost),
          std::move(start),
          std::move(evolution),
          std::move(file)};
}

}  // namespace ridgeline
