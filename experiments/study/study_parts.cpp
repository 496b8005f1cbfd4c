#include "experiments/study/study_parts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/device_costs.hpp"
#include "experiments/genome_evaluator.hpp"
#include "experiments/study/device_limits.hpp"
#include "experiments/study/early_exit.hpp"
#include "experiments/study/warm_start.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

// Runs `make`, noting what it throws. Problems that came from inside the study keep their own file and place.
template <typename Make>
void noting(JsonDocument& document, const std::string& path, const Make& make) {
  try {
    make();
  } catch (const ConfigError& error) {
    for (Problem problem : error.problems()) {
      if (problem.file.empty()) {
        problem.file = document.origin();
        problem.path = path;
      } else if (problem.file == "choices") {  // the study's own, which only the space can judge
        problem.file = document.origin();
        problem.path = "choices." + problem.path;
      }
      document.note(std::move(problem));
    }
  }
}

void make_space(const StudyConfig& config, const Resources& resources, JsonDocument& document, StudyParts& parts) {
  if (config.space.empty()) return;  // noted where it was read
  noting(document, "space", [&] {
    parts.space = std::make_unique<SearchSpace>(resources.load_space(config.space, config.space_options));
    const auto dims = parts.space->dims();
    const bool mixed =
        std::ranges::any_of(dims, [](const Dimension& dim) { return dim.group == GeneGroup::precision; });
    if (mixed && config.precision) {
      document.note({document.origin(), "precision", "nothing, as the space has precision genes of its own",
                     fmt::format("'{}'", *config.precision), "leave it out"});
    }
    // One candidate shows a space whose constraints admit nothing, or whose templates do not fit, before anything runs.
    Rng rng(config.seed, "space check");
    decode_for(config, *parts.space, parts.space->sample(rng));
  });
}

// Where an objective stands in the study.
std::string path_of(const StudyConfig& config, std::size_t i) {
  const auto objectives = static_cast<std::size_t>(std::ranges::count_if(
      config.objectives, [](const ObjectiveConfig& one) { return !one.objective.constraint_only; }));
  return config.objectives[i].objective.constraint_only ? fmt::format("constraints[{}]", i - objectives)
                                                        : fmt::format("objectives[{}]", i);
}

// The early exits' own evaluators, without the study's pool, from within which they are asked.
std::vector<EarlyExit::Rule> early_exits(const StudyConfig& config, const Resources& resources, JsonDocument& document,
                                         const StudyParts& parts) {
  std::vector<EarlyExit::Rule> rules;
  std::vector<Problem> problems;
  for (std::size_t i = 0; i < config.objectives.size(); ++i) {
    const ObjectiveConfig& one = config.objectives[i];
    const Evaluator* const evaluator = parts.from[i].get();
    if (!one.early_exit || evaluator == nullptr) continue;
    const std::string path = path_of(config, i);
    if (evaluator->fidelity() != Fidelity::analytic) {
      document.note({document.origin(), path + ".early_exit", "an objective that is computed, not predicted or timed",
                     fmt::format("'{}'", one.from.value("evaluator", "")),
                     "put the early exit on a constraint by \"count\" or \"cost\""});
      continue;
    }
    EvaluatorSetup setup{parts.space.get(), &resources, one.objective.name, config.seed};
    setup.limited_costs = limited_costs(config);
    rules.push_back(
        {one.objective, make_evaluator(JsonReader(one.from, path + ".from", document.origin(), problems), setup)});
    rules.back().objective.limit = one.early_exit;
  }
  return rules;
}

// The space refuses what the early exits reject. Evaluators keep the space they were made for: the object stays, and
// what is behind it lives on in the early exit.
void refuse_early(const StudyConfig& config, const Resources& resources, JsonDocument& document, StudyParts& parts) {
  std::vector<EarlyExit::Rule> rules = early_exits(config, resources, document, parts);
  if (rules.empty()) return;
  SearchSpace all = std::move(*parts.space);
  SearchSpace same = all.refusing({});
  parts.early_exit = std::make_shared<EarlyExit>(config, std::move(all), std::move(rules));
  *parts.space = same.refusing([exit = parts.early_exit](const Genome& genome) { return (*exit)(genome); });
}

// What the objectives' rungs cost together; notes where they do not go together.
std::vector<double> shared_rung_costs(const StudyConfig& config, const StudyParts& parts,
                                      std::vector<Problem>& problems, const std::string& origin) {
  std::vector<double> costs = {1.0};
  std::string first;
  for (std::size_t i = 0; i < parts.from.size(); ++i) {
    if (parts.screen[i] && parts.screen[i]->rung_costs().size() > 1) {
      problems.push_back({origin, path_of(config, i) + ".screen", "one amount of work", "rungs, which a screen has not",
                          "give them to \"from\""});
    }
    if (!parts.from[i] || parts.from[i]->rung_costs().size() == 1) continue;
    const std::vector<double> own = parts.from[i]->rung_costs();
    if (costs.size() == 1) {
      costs = own;
      first = config.objectives[i].objective.name;
    } else if (own.size() != costs.size()) {
      problems.push_back({origin, path_of(config, i) + ".from",
                          fmt::format("{} rungs, as many as '{}' has", costs.size(), first), std::to_string(own.size()),
                          "or one amount of work, for every rung"});
      continue;
    }
    for (std::size_t k = 0; k < costs.size(); ++k) costs[k] = std::max(costs[k], own[k]);
  }
  return costs;
}

}  // namespace

StudyParts make_parts(const StudyConfig& config, const Resources& resources, JsonDocument& document,
                      const PartOptions& options) {
  StudyParts parts;
  make_space(config, resources, document, parts);
  SearcherSetup search{config.seed, {}, config.searcher_options, document.origin() + ": searcher"};
  if (search.options.is_null()) search.options = Json::object();
  search.threads = config.threads;
  const auto costs = std::make_shared<DeviceCosts>();
  const auto limited = limited_costs(config);
  std::vector<Problem> problems;
  for (std::size_t i = 0; i < config.objectives.size(); ++i) {
    const ObjectiveConfig& one = config.objectives[i];
    const std::string path = path_of(config, i);
    search.objectives.push_back(one.objective);
    const EvaluatorSetup setup{
        parts.space.get(), &resources, one.objective.name, config.seed, options.pool, options.measure, costs, limited};
    const auto make = [&](const Json* from, const std::string& key) -> std::unique_ptr<Evaluator> {
      std::unique_ptr<Evaluator> evaluator;
      if (from == nullptr || from->is_null()) return evaluator;
      noting(document, path + "." + key, [&] {
        evaluator = make_evaluator(JsonReader(*from, path + "." + key, document.origin(), problems), setup);
      });
      return evaluator;
    };
    parts.from.push_back(make(&one.from, "from"));
    const Evaluator* const evaluator = parts.from.back().get();
    const std::string& unit = one.objective.unit;
    if (evaluator != nullptr && !unit.empty() && !evaluator->unit().empty() && unit != evaluator->unit()) {
      problems.push_back(
          {document.origin(), path + ".unit", fmt::format("'{}', as its evaluator gives it", evaluator->unit()),
           fmt::format("'{}'", unit),
           fmt::format("--set {}.unit={}, or in the study; a limit is in it too, reports choose readable prefixes",
                       path, evaluator->unit())});
    }
    parts.screen.push_back(make(one.screen ? &*one.screen : nullptr, "screen"));
    if (parts.screen.back() && parts.screen.back()->exclusive()) {
      problems.push_back({document.origin(), path + ".screen.evaluator", "a cheap evaluator", "'measured'",
                          "a screen is given whole batches: use \"cost\" or \"count\""});
    }
  }
  parts.rung_costs = search.rung_costs = shared_rung_costs(config, parts, problems, document.origin());
  for (Problem& problem : problems) document.note(std::move(problem));
  if (parts.space) refuse_early(config, resources, document, parts);
  if (parts.space) search.warm = warm_start_of(config, *parts.space, document);
  const auto known = searchers();
  const bool named = std::ranges::find(known, config.searcher, &SearcherEntry::name) != known.end();
  const bool counted =
      std::ranges::any_of(config.objectives, [](const ObjectiveConfig& one) { return !one.objective.constraint_only; });
  // Without one of its evaluators nobody can tell which rungs a study has.
  const bool whole = std::ranges::all_of(parts.from, [](const auto& from) { return from != nullptr; });
  if (parts.space && named && counted && (whole || !find_searcher(config.searcher).rungs)) {
    noting(document, "searcher", [&] { parts.searcher = make_searcher(config.searcher, *parts.space, search); });
  }
  return parts;
}

StudyCache cache_of(const StudyConfig& config, const StudyParts& parts) {
  if (config.cache != StudyCache::functional) return config.cache;
  const bool apart = std::ranges::any_of(parts.from, [](const std::unique_ptr<Evaluator>& from) {
    const auto* const of_genomes = dynamic_cast<const GenomeEvaluator*>(from.get());
    return of_genomes != nullptr && of_genomes->tells_genomes_apart();
  });
  return apart ? StudyCache::genome : StudyCache::functional;
}

std::uint64_t study_identity(const StudyConfig& config, const StudyParts& parts) {
  Hasher identity;
  identity.add(config.hash());
  for (std::size_t i = 0; i < parts.from.size(); ++i) {
    identity.add(parts.from[i]->fingerprint()).add(parts.screen[i] ? parts.screen[i]->fingerprint() : 0);
  }
  return identity.value();
}

std::vector<double> cost_through(std::span<const Trial> trials, std::span<const double> rung_costs) {
  std::vector<double> through;
  double sum = 0;
  for (const Trial& trial : trials) {
    sum += rung_costs[std::min(static_cast<std::size_t>(trial.rung), rung_costs.size() - 1)];
    through.push_back(sum);
  }
  return through;
}

std::vector<Objective> objectives_of(const StudyConfig& config) {
  std::vector<Objective> objectives;
  for (const ObjectiveConfig& one : config.objectives) objectives.push_back(one.objective);
  return objectives;
}

}  // namespace ridgeline
