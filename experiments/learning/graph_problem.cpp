#include "experiments/learning/graph_problem.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "experiments/bench/problem.hpp"
#include "experiments/evaluators/table.hpp"
#include "experiments/free_statistics.hpp"
#include "search/predicted/genome_features.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t least_misses = 1000;  // in a row, before a space is taken to have no more networks

std::size_t objective_of(const StudyConfig& config, const std::string& name) {
  if (name.empty()) return 0;
  std::vector<std::string> known;
  for (const ObjectiveConfig& one : config.objectives) known.push_back(one.objective.name);
  const auto found = std::ranges::find(known, name);
  if (found != known.end()) return static_cast<std::size_t>(found - known.begin());
  throw ConfigError({"--objective", "", "an objective of the study", "'" + name + "'", known_words(name, known)});
}

std::vector<Genome> drawn(const SearchSpace& space, std::size_t count, std::uint64_t seed, std::string_view purpose) {
  Rng rng(seed, purpose);
  std::set<Genome> known;
  std::vector<Genome> genomes;
  for (std::size_t misses = 0; genomes.size() < count && misses < least_misses + genomes.size(); ++misses) {
    Genome genome = space.sample(rng);
    if (!known.insert(genome).second) continue;
    genomes.push_back(std::move(genome));
    misses = 0;
  }
  return genomes;
}

struct Values {
  std::vector<Genome> genomes;
  std::vector<double> natural;
};

Values table_rows(const Json& from, const SearchSpace& space, const Resources& resources,
                  const GraphProblemOptions& options) {
  const Table table = Table::load(resources.table(from.at("table").get<std::string>()), resources, space);
  const std::size_t column = table.column(from.at("column").get<std::string>());
  Values values{table.genomes(), {}};
  Rng rng(options.seed, "labelled networks");
  rng.shuffle(std::span(values.genomes));
  if (values.genomes.size() > options.labelled) values.genomes.resize(options.labelled);
  for (const Genome& genome : values.genomes) values.natural.push_back(table.value(genome, column).value());
  return values;
}

Values evaluated(const StudyConfig& config, std::size_t objective, const SearchSpace& space, const Resources& resources,
                 const GraphProblemOptions& options, WorkerPool& pool) {
  const BenchProblem problem(config, resources, StudyCache::genome);
  const std::vector<Genome> genomes = drawn(space, options.labelled, options.seed, "labelled networks");
  std::vector<Trial> trials(genomes.size());
  pool.for_each(genomes.size(), [&](std::size_t i) { trials[i] = problem.evaluate(genomes[i]); });
  Values values;
  for (std::size_t i = 0; i < genomes.size(); ++i) {
    if (!trials[i].has_values()) continue;
    values.genomes.push_back(genomes[i]);
    values.natural.push_back(natural(trials[i].values[objective], config.objectives[objective].objective.direction));
  }
  return values;
}

}  // namespace

std::vector<const NetworkGraph*> StatedNetworks::pointers() const {
  std::vector<const NetworkGraph*> result;
  for (const NetworkGraph& graph : graphs) result.push_back(&graph);
  return result;
}

GraphProblem graph_problem(const StudyConfig& config, const Resources& resources, const GraphProblemOptions& options,
                           WorkerPool& pool) {
  const std::size_t objective = objective_of(config, options.objective);
  const SearchSpace space = resources.load_space(config.space, config.space_options);
  const std::unique_ptr<HardwareModel> device = load_device(resources.device(options.device));
  const ObjectiveConfig& wanted = config.objectives[objective];
  const std::string evaluator = wanted.from.value("evaluator", "");
  const bool rows = (evaluator == "table" || evaluator == "surrogate") && &space.whole() == &space;
  Values values = rows ? table_rows(wanted.from, space, resources, options)
                       : evaluated(config, objective, space, resources, options, pool);
  GraphProblem problem;
  problem.study = config.name;
  problem.space = space.name();
  problem.objective = wanted.objective.name;
  problem.unit = wanted.objective.unit;
  problem.unlabelled.genomes = drawn(space, options.unlabelled, options.seed, "unlabelled networks");
  problem.labelled.genomes = std::move(values.genomes);
  if (problem.labelled.genomes.size() < 2 || problem.unlabelled.genomes.size() < 2) {
    throw ConfigError({config.origin, "space", "a space with 2 networks or more that have values",
                       std::to_string(problem.labelled.genomes.size()), "use another study"});
  }
  problem.values =
      Eigen::Map<const Eigen::VectorXd>(values.natural.data(), static_cast<Eigen::Index>(values.natural.size()));
  problem.choices = GenomeFeatures(space).rows(problem.labelled.genomes);
  constexpr std::size_t chunk = 100;  // between two reports of progress
  const std::size_t total = problem.unlabelled.genomes.size() + problem.labelled.genomes.size();
  std::size_t done = 0;
  for (StatedNetworks* networks : {&problem.unlabelled, &problem.labelled}) {
    const std::size_t count = networks->genomes.size();
    networks->graphs.resize(count);
    networks->statistics.resize(static_cast<Eigen::Index>(count),
                                static_cast<Eigen::Index>(free_statistic_names().size()));
    for (std::size_t begin = 0; begin < count; begin += chunk) {
      const std::size_t size = std::min(chunk, count - begin);
      pool.for_each(size, [&](std::size_t i) {
        const Design design = decode_for(config, space, networks->genomes[begin + i]);
        networks->graphs[begin + i] = network_graph(design.network, design.precision);
        networks->statistics.row(static_cast<Eigen::Index>(begin + i)) = free_statistics(design, *device);
      });
      done += size;
      if (options.progress) options.progress(done, total);
    }
  }
  return problem;
}

}  // namespace ridgeline
