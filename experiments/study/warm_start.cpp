#include "experiments/study/warm_start.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "search/fronts/ranking.hpp"

namespace ridgeline {
namespace {

constexpr int attempts = 16;  // at a valid candidate from what another space's leaves open

std::optional<std::size_t> dimension_named(const SearchSpace& space, const std::string& name) {
  const auto found = std::ranges::find(space.dims(), name, &Dimension::name);
  if (found == space.dims().end()) return std::nullopt;
  return static_cast<std::size_t>(found - space.dims().begin());
}

double agreement(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) {
    const double x = a.get<double>(), y = b.get<double>();
    if (x == y) return 1.0;
    return x * y > 0.0 ? std::min(x / y, y / x) : 0.0;
  }
  return a == b ? 1.0 : 0.0;
}

// Over the numbers in either of two JSON values, by their place.
double number_agreement(const Json& a, const Json& b) {
  std::map<std::string, std::pair<Json, Json>> numbers;
  const Json places_a = a.flatten(), places_b = b.flatten();
  for (const auto& [place, value] : places_a.items()) {
    if (value.is_number()) numbers[place].first = value;
  }
  for (const auto& [place, value] : places_b.items()) {
    if (value.is_number()) numbers[place].second = value;
  }
  double sum = 0;
  for (const auto& [place, pair] : numbers) sum += agreement(pair.first, pair.second);
  return numbers.empty() ? 0.0 : sum / static_cast<double>(numbers.size());
}

double device_agreement(const Json& a, const Json& b, const Resources& resources) {
  if (a == b) return 1.0;
  if (!a.is_string() || !b.is_string()) return 0.0;
  try {
    return number_agreement(JsonDocument::load(resources.device(a.get<std::string>())).value(),
                            JsonDocument::load(resources.device(b.get<std::string>())).value());
  } catch (const ConfigError&) {  // a device that is gone says nothing
    return 0.0;
  }
}

double evaluator_agreement(const Json& a, const Json& b, const Resources& resources) {
  if (a == b) return 1.0;
  if (!a.is_object() || !b.is_object() || a.value("evaluator", "") != b.value("evaluator", "")) return 0.5;
  std::set<std::string> keys;
  for (const auto& [key, value] : a.items()) keys.insert(key);
  for (const auto& [key, value] : b.items()) keys.insert(key);
  keys.erase("evaluator");
  double sum = 0;
  for (const std::string& key : keys) {
    const Json x = a.value(key, Json()), y = b.value(key, Json());
    sum += key == "device" ? device_agreement(x, y, resources) : agreement(x, y);
  }
  return 0.5 + 0.5 * sum / static_cast<double>(std::max<std::size_t>(keys.size(), 1));
}

// Another study that is stored, with what retrieval looks at.
struct Source {
  StudyRecord record;
  StudyConfig config;
  SearchSpace space;
  double similarity = 0;
};

Source read_source(const StudyRecord& record, const StudyConfig& config, const SearchSpace& space,
                   const Resources& resources) {
  StudyConfig other = parse_study(JsonDocument::parse(record.config, "configuration of study '" + record.name + "'"));
  SearchSpace its = resources.load_space(other.space, other.space_options);
  if (its.fingerprint() != record.space_fingerprint) {
    throw ConfigError({config.origin, "warm_start.from", "studies whose space is as it was searched",
                       fmt::format("'{}', whose space '{}' has changed since", record.name, other.space),
                       "restore the space file, or leave the study out"});
  }
  const double alike = similarity(its, space) * similarity(other, config, resources);
  return {record, std::move(other), std::move(its), alike};
}

// The study whose benchmark a run is of, "demo" of "demo/bench/nsga2/1"; empty where it is none.
std::string benchmark_of(const std::string& name) {
  const std::size_t at = name.find("/bench/");
  return at == std::string::npos ? "" : name.substr(0, at);
}

// Those named, or all others that can be read; the most similar first, of equal ones the latest.
std::vector<Source> sources_of(const StudyConfig& config, const SearchSpace& space, const Store& store,
                               const Resources& resources) {
  std::vector<Source> sources;
  std::vector<std::string> names;
  const std::vector<StudyRecord> stored = store.studies();
  for (const StudyRecord& record : stored) names.push_back(record.name);
  const bool all = std::ranges::find(config.warm->from, "*") != config.warm->from.end();
  for (const StudyRecord& record : stored) {
    const std::string own = benchmark_of(config.name);
    const bool same = !own.empty() && (record.name == own || benchmark_of(record.name) == own);
    if (!all || record.name == config.name || same) continue;
    try {
      sources.push_back(read_source(record, config, space, resources));
    } catch (const ConfigError&) {  // one that cannot be read now was not asked for by name
    }
  }
  for (const std::string& name : config.warm->from) {
    if (all) break;
    const auto found = std::ranges::find(stored, name, &StudyRecord::name);
    if (found == stored.end() || name == config.name) {
      throw ConfigError({config.origin, "warm_start.from", fmt::format("another study stored in {}", store.path()),
                         fmt::format("'{}'", name),
                         names.empty() ? "the database has none: search it first" : known_words(name, names)});
    }
    sources.push_back(read_source(*found, config, space, resources));
  }
  std::ranges::stable_sort(sources, [](const Source& a, const Source& b) {
    return a.similarity != b.similarity ? a.similarity > b.similarity : a.record.id > b.record.id;
  });
  return sources;
}

// The same choice, or of numbers the nearest; nullopt where there is none.
std::optional<std::size_t> nearest_choice(const std::vector<Json>& there, const Json& choice) {
  const auto same = std::ranges::find(there, choice);
  if (same != there.end()) return static_cast<std::size_t>(same - there.begin());
  std::optional<std::size_t> best;
  if (!choice.is_number()) return best;
  const auto off = [&](std::size_t gene) { return std::abs(there[gene].get<double>() - choice.get<double>()); };
  for (std::size_t gene = 0; gene < there.size(); ++gene) {
    if (there[gene].is_number() && (!best || off(gene) < off(*best))) best = gene;
  }
  return best;
}

// The candidate in `space` that has the choices of a candidate elsewhere; nullopt where none that was tried is valid.
std::optional<Genome> carried_over(const Json& choices, const SearchSpace& space, Rng& rng) {
  for (int i = 0; i < attempts; ++i) {
    Genome genome = space.sample(rng);
    for (const auto& [name, choice] : choices.items()) {
      const auto at = dimension_named(space, name);
      if (!at) continue;
      const std::optional<std::size_t> best = nearest_choice(space.dims()[*at].choices, choice);
      if (best) genome.genes[*at] = static_cast<std::uint16_t>(*best);
    }
    if (!space.violation(genome)) return space.normalise(std::move(genome));
  }
  return std::nullopt;
}

// The trials of a study by how good they are for another: by constrained non-dominated rank over the objectives that
// both have, under the other's limits, then the loneliest, then the oldest. Of the dearest fidelity there is.
std::vector<Trial> best_first(const Source& source, const StudyConfig& config, const Store& store) {
  SearcherSetup setup;
  setup.objectives = source.record.objectives;
  std::vector<std::optional<Objective>> wanted;
  for (Objective& objective : setup.objectives) {
    wanted.emplace_back();
    for (const ObjectiveConfig& one : config.objectives) {
      if (one.objective.name == objective.name && one.objective.direction == objective.direction)
        wanted.back() = one.objective;
    }
    objective.constraint_only = !wanted.back() || wanted.back()->constraint_only;
  }
  std::vector<Trial> trials = store.load(source.record.id);
  Fidelity dearest = Fidelity::analytic;
  for (const Trial& trial : trials) {
    if (trial.has_values()) dearest = std::max(dearest, trial.fidelity);
  }
  std::erase_if(trials, [&](const Trial& trial) { return !trial.has_values() || trial.fidelity != dearest; });
  Population members(source.space, setup);
  for (Trial& trial : trials) {
    Trial judged = trial;
    judged.violation = 0;
    for (std::size_t k = 0; k < wanted.size(); ++k) {
      if (wanted[k]) judged.violation += limit_excess(*wanted[k], natural(trial.values[k], wanted[k]->direction));
    }
    judged.status = judged.violation > 0 ? Status::infeasible : Status::ok;
    members.add(judged);
  }
  Ranking ranking;
  ranking.update(members, members.size());
  std::vector<std::size_t> order(trials.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return ranking.before(a, b); });
  std::vector<Trial> sorted;
  for (const std::size_t i : order) sorted.push_back(std::move(trials[i]));
  return sorted;
}

void retrieve(StudyConfig& config, const SearchSpace& space, const Store& store, const Resources& resources) {
  WarmStartConfig& warm = *config.warm;
  warm.genomes.clear();
  warm.similarity = 0;
  warm.of.clear();
  const std::vector<Source> sources = sources_of(config, space, store, resources);
  if (sources.empty() || sources.front().similarity == 0.0) return;
  const Source& nearest = sources.front();
  warm.of = nearest.record.name;
  warm.similarity = nearest.similarity;
  const auto most = static_cast<std::size_t>(std::ceil(static_cast<double>(warm.trials) * nearest.similarity));
  std::set<Genome> taken;
  for (const Trial& trial : best_first(nearest, config, store)) {
    if (taken.size() == most) break;
    Rng rng(config.seed, "warm start", static_cast<std::uint64_t>(trial.id));
    const auto genome = carried_over(nearest.space.describe(trial.genome), space, rng);
    if (genome && taken.insert(*genome).second) warm.genomes.emplace_back(genome->genes);
  }
}

}  // namespace

double similarity(const SearchSpace& a, const SearchSpace& b) {
  double sum = 0;
  std::size_t dimensions = b.dims().size();
  for (const Dimension& dimension : a.dims()) {
    const auto other = dimension_named(b, dimension.name);
    if (!other) {
      ++dimensions;
      continue;
    }
    const std::vector<Json>& there = b.dims()[*other].choices;
    const auto both = static_cast<double>(std::ranges::count_if(
        dimension.choices, [&](const Json& choice) { return std::ranges::find(there, choice) != there.end(); }));
    sum += both / (static_cast<double>(dimension.choices.size() + there.size()) - both);
  }
  return dimensions == 0 ? 0.0 : sum / static_cast<double>(dimensions);
}

double similarity(const StudyConfig& a, const StudyConfig& b, const Resources& resources) {
  std::vector<const ObjectiveConfig*> left;
  std::size_t objectives = 0;
  for (const ObjectiveConfig& one : a.objectives) {
    if (!one.objective.constraint_only) left.push_back(&one);
  }
  objectives = left.size();
  double sum = 0;
  for (const ObjectiveConfig& one : b.objectives) {
    if (one.objective.constraint_only) continue;
    const auto same = std::ranges::find_if(left, [&](const ObjectiveConfig* other) {
      return other->objective.name == one.objective.name && other->objective.direction == one.objective.direction;
    });
    if (same == left.end()) {
      ++objectives;
    } else {
      sum += evaluator_agreement((*same)->from, one.from, resources);
    }
  }
  return objectives == 0 ? 0.0 : sum / static_cast<double>(objectives);
}

StudyConfig with_warm_start(StudyConfig config, const Store& store, const Resources& resources) {
  if (!config.warm || config.warm->from.empty()) return config;
  const std::optional<StudyRecord> stored = store.find(config.name);
  if (stored) {
    const StudyConfig before = parse_study(JsonDocument::parse(stored->config, "configuration in " + store.path()));
    // One that was asked for something else is refused by its hash.
    if (!before.warm || before.warm->from != config.warm->from || before.warm->trials != config.warm->trials) {
      return config;
    }
    config.warm = before.warm;
  } else {
    const SearchSpace space = resources.load_space(config.space, config.space_options);
    retrieve(config, space, store, resources);
  }
  const WarmStartConfig retrieved = *config.warm;
  return with_warm_start(std::move(config), retrieved);
}

StudyConfig with_warm_start(StudyConfig config, const WarmStartConfig& retrieved) {
  config.warm = retrieved;
  Json& recorded = config.canonical["warm_start"];
  recorded["genomes"] = retrieved.genomes;
  recorded["similarity"] = retrieved.similarity;
  recorded["of"] = retrieved.of;
  return config;
}

WarmStart warm_start_of(const StudyConfig& config, const SearchSpace& space, JsonDocument& document) {
  WarmStart warm;
  if (!config.warm) return warm;
  warm.similarity = config.warm->similarity;
  for (std::size_t i = 0; i < config.warm->genomes.size(); ++i) {
    const std::string path = fmt::format("warm_start.genomes[{}]", i);
    try {
      Genome genome = space.from_json(config.warm->genomes[i]);
      if (const auto broken = space.violation(genome)) {
        if (!config.warm->from.empty()) continue;  // retrieved, but refused by this study
        document.note({document.origin(), path, "a valid candidate", *broken, ""});
      } else if (std::ranges::find(warm.genomes, genome) == warm.genomes.end()) {
        warm.genomes.push_back(std::move(genome));
      }
    } catch (const ConfigError& error) {
      for (const Problem& problem : error.problems()) {
        document.note({document.origin(), path + (problem.path.empty() ? "" : "." + problem.path), problem.expected,
                       problem.found, problem.remedy});
      }
    }
  }
  return warm;
}

std::string begun_with(const StudyConfig& config) {
  if (!config.warm) return "";
  const std::size_t count = config.warm->genomes.size();
  if (config.warm->from.empty()) return fmt::format("began with {} given candidates", count);
  if (count == 0) return "began with nothing: no stored study is like it";
  return fmt::format("began with {} candidates of '{}' (similarity {:.2f})", count, config.warm->of,
                     config.warm->similarity);
}

}  // namespace ridgeline
