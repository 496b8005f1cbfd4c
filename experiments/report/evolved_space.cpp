#include "experiments/report/evolved_space.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>

#include "experiments/report/comparison.hpp"
#include "experiments/report/report_explain.hpp"
#include "experiments/report/report_text.hpp"
#include "experiments/report/stored_study.hpp"
#include "search/predicted/cross_validation.hpp"
#include "search/predicted/predicted_evolution.hpp"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t least_trials = 30;
constexpr std::size_t folds = 10;

// The rows to fit on: with values, of the highest fidelity that an ok trial has.
std::vector<std::size_t> fitted_rows(const Store& store, const StudyRecord& record, std::span<const Trial> trials,
                                     Fidelity& fidelity) {
  fidelity = Fidelity::analytic;
  for (const Trial& trial : trials) {
    if (trial.status == Status::ok) fidelity = std::max(fidelity, trial.fidelity);
  }
  std::vector<std::size_t> rows;
  std::size_t ok = 0;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    if (!trials[i].has_values() || trials[i].fidelity != fidelity) continue;
    rows.push_back(i);
    ok += trials[i].status == Status::ok ? 1 : 0;
  }
  if (ok >= least_trials) return rows;
  throw ConfigError(
      {store.path(), record.name,
       fmt::format("at least {} ok trials of the highest fidelity to fit predictors on", least_trials),
       std::to_string(ok),
       fmt::format("search on: ridgeline resume {} --trials {} --db {}", shell_quoted(record.name),
                   record.trials + static_cast<std::int64_t>(least_trials - ok), shell_quoted(store.path()))});
}

// The study's space as a file in the folder of `out` names it.
std::string name_from(const std::string& space, const std::string& out, const Resources& resources) {
  const std::string path = resources.space(space);
  if (path != space) return space;  // shipped
  const fs::path folder = fs::absolute(out).parent_path();
  std::string relative = fs::relative(fs::absolute(path), folder).string();
  if (relative.empty()) return fs::absolute(path).string();
  const bool looks_like_path = relative.find('/') != std::string::npos || relative.ends_with(".json");
  return looks_like_path ? relative : "./" + relative;
}

Json file_of(const StudyConfig& config, const SearchSpace& start, const KeptGenes& kept,
             const EvolvedSpaceOptions& options, const Resources& resources) {
  SpaceOptions whole = config.space_options;
  whole.choices.clear();
  Json file{{"ridgeline_space", 1},
            {"name", fs::path(options.out).stem().string()},
            {"about", fmt::format("{}, evolved on the trials of study '{}'", start.name(), options.study)},
            {"narrows", name_from(config.space, options.out, resources)},
            {"choices", choices_left(resources.load_space(config.space, whole), start, kept)}};
  if (!whole.parameters.empty()) file["parameters"] = whole.parameters;
  return file;
}

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

Json choices_left(const SearchSpace& file, const SearchSpace& start, const KeptGenes& kept) {
  struct Declared {
    std::vector<std::pair<std::string, Json>> elements;  // full name, list
    bool narrower = false, same = true;
  };
  std::map<std::string, Declared> all;
  for (std::size_t dim = 0; dim < start.dims().size(); ++dim) {
    const Dimension& dimension = start.dims()[dim];
    Json list = Json::array();
    for (const std::uint16_t gene : kept[dim]) list.push_back(dimension.choices[gene]);
    Declared& declared = all[dimension.name.substr(0, dimension.name.find('['))];
    declared.narrower = declared.narrower || list.size() < file.dims()[dim].choices.size();
    declared.same = declared.same && (declared.elements.empty() || declared.elements.front().second == list);
    declared.elements.emplace_back(dimension.name, std::move(list));
  }
  Json choices = Json::object();
  for (const auto& [name, declared] : all) {
    if (!declared.narrower) continue;
    if (declared.same) {
      choices[name] = declared.elements.front().second;
    } else {
      for (const auto& [full, list] : declared.elements) choices[full] = list;
    }
  }
  return choices;
}

EvolvedSpace evolve_study_space(const Store& store, const Resources& resources, const EvolvedSpaceOptions& options) {
  const StudyRecord record = find_study(store, options.study);
  const std::pair<std::size_t, std::size_t> both = quality_and_cost_of(store, record);
  const std::size_t quality = both.first, cost = both.second;
  const StudyConfig config = parse_study(JsonDocument::parse(record.config, "stored configuration"));
  SearchSpace start = stored_space(record, config, resources);
  const SubSpaces sub_spaces(start, options.kept, "--evolve");
  const std::vector<Trial> trials = store.load(record.id);
  Fidelity fidelity{};
  const std::vector<std::size_t> rows = fitted_rows(store, record, trials, fidelity);

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
  for (const Trial& member : store.front(record.id, fidelity)) search.known.push_back(member.genome);
  SpaceEvolution evolution = evolve_space(sub_spaces, predicted, search);
  Json file = file_of(config, start, evolution.scored.front().kept, options, resources);
  return {
      record.name,    record.objectives[quality], record.objectives[cost], rows.size(),    fidelity, error_of(quality),
      error_of(cost), std::move(start),           std::move(evolution),    std::move(file)};
}

}  // namespace ridgeline
