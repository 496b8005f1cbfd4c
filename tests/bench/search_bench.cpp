// How fast the searchers are by themselves: candidates asked, given made-up values and told; and the cost of the state
// written with every batch, of fronts and of hypervolume. items_per_second is evaluations (or points) a second. The
// made-up objectives are additive tables, a few nanoseconds a candidate.
//   cmake --preset release -DRIDGELINE_BENCHMARKS=ON && ninja -C build/release bench_search
//   build/release/bin/bench_search --benchmark_filter=evaluations --benchmark_repetitions=5
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <vector>

#include "search/blocks.hpp"
#include "search/fronts/pareto.hpp"
#include "search/searcher.hpp"
#include "tests/search/problems.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t dims = 60;
constexpr std::size_t choices = 4;

SearcherSetup setup(Json options, std::size_t objectives = 2, int threads = 1) {
  SearcherSetup made;
  made.seed = 1;
  made.objectives = minimised_objectives(objectives);
  made.options = std::move(options);
  made.threads = threads;
  return made;
}

class Loop {
 public:
  explicit Loop(std::size_t objectives = 2, std::size_t threads = 1)
      : tables_(objectives, std::vector<double>(dims * choices)), threads_(threads) {
    Rng rng(7);
    for (auto& table : tables_) {
      for (double& value : table) value = rng.uniform();
    }
  }

  std::size_t step(Searcher& searcher, std::size_t n) {
    std::vector<Genome> asked = searcher.ask(n);
    trials_.resize(asked.size());
    over_blocks(asked.size(), threads_, [&](std::size_t begin, std::size_t end, std::size_t) {
      for (std::size_t i = begin; i < end; ++i) {
        trials_[i].genome = std::move(asked[i]);
        evaluate(trials_[i]);
      }
    });
    searcher.tell(trials_);
    return asked.size();
  }

 private:
  void evaluate(Trial& trial) const {
    trial.values.resize(tables_.size());
    for (std::size_t k = 0; k < tables_.size(); ++k) {
      double sum = 0.0;
      for (std::size_t d = 0; d < dims; ++d) sum += tables_[k][d * choices + trial.genome.genes[d]];
      trial.values[k] = sum;
    }
  }

  std::vector<std::vector<double>> tables_;
  std::size_t threads_;
  std::vector<Trial> trials_;
};

void run(benchmark::State& state, const std::string& name, const Json& options, std::size_t n) {
  const SearchSpace space = uniform_space(static_cast<int>(dims), static_cast<int>(choices));
  const auto searcher = make_searcher(name, space, setup(options));
  Loop loop;
  for (int i = 0; i < 50; ++i) loop.step(*searcher, n);
  std::size_t evaluations = 0;
  for (auto unused : state) evaluations += loop.step(*searcher, n);
  state.SetItemsProcessed(static_cast<std::int64_t>(evaluations));
}

const Json population_100 = {{"population", 100}, {"offspring", 100}};

BENCHMARK_CAPTURE(run, random, "random", Json::object(), 100);
BENCHMARK_CAPTURE(run, nsga2_default, "nsga2", Json::object(), 10);
BENCHMARK_CAPTURE(run, regularized_evolution, "regularized-evolution", Json::object(), 1);
BENCHMARK_CAPTURE(run, local_search, "local-search", Json::object(), 1);

// Whole generations: population, threads.
void evaluations(benchmark::State& state, const std::string& name, std::size_t objectives) {
  const auto population = static_cast<std::size_t>(state.range(0));
  const auto threads = static_cast<int>(state.range(1));
  const SearchSpace space = uniform_space(static_cast<int>(dims), static_cast<int>(choices));
  Json options = {{"population", population}};
  if (name != "moead") options["offspring"] = population;
  const auto searcher = make_searcher(name, space, setup(options, objectives, threads));
  Loop loop(objectives, static_cast<std::size_t>(threads));
  for (std::size_t told = 0; told < std::max<std::size_t>(2 * population, 20'000);) {
    told += loop.step(*searcher, population);
  }
  std::size_t count = 0;
  for (auto unused : state) count += loop.step(*searcher, population);
  state.SetItemsProcessed(static_cast<std::int64_t>(count));
}
BENCHMARK_CAPTURE(evaluations, nsga2, "nsga2", 2)
    ->ArgsProduct({{100, 1'000, 10'000, 100'000}, {1, 2}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(evaluations, nsga2_three, "nsga2", 3)
    ->ArgsProduct({{100'000}, {1, 2}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(evaluations, nsga3, "nsga3", 3)
    ->ArgsProduct({{1'000, 100'000}, {1, 2}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(evaluations, moead, "moead", 3)
    ->ArgsProduct({{1'000, 100'000}, {1, 2}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(evaluations, hype, "hype", 3)
    ->ArgsProduct({{1'000, 100'000}, {1, 2}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(evaluations, sms_emoa, "sms-emoa", 3)
    ->ArgsProduct({{1'000, 100'000}, {1, 2}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(evaluations, sms_emoa_two, "sms-emoa", 2)
    ->ArgsProduct({{1'000, 100'000}, {1, 2}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

// One candidate asked for, when so many are known.
void ask(benchmark::State& state, const std::string& name, const Json& options, std::size_t objectives) {
  const SearchSpace space = uniform_space(static_cast<int>(dims), static_cast<int>(choices));
  const auto known = static_cast<std::size_t>(state.range(0));
  Json begun = options;
  begun["initial"] = known;
  begun["memory"] = known;
  const auto searcher = make_searcher(name, space, setup(begun, objectives));
  Loop loop(objectives);
  for (std::size_t told = 0; told < known;) told += loop.step(*searcher, known - told);
  for (auto unused : state) loop.step(*searcher, 1);
}
const Json on_genes = {{"features", "genes"}};  // of 60 variables pairs are too many
BENCHMARK_CAPTURE(ask, tpe, "tpe", Json::object(), 2)->Arg(1'000)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(ask, bayesian, "bayesian", on_genes, 1)->Arg(500)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(ask, bayesian_two, "bayesian", on_genes, 2)->Arg(500)->Unit(benchmark::kMillisecond);

// The state as it is written with every batch: saved and turned into text.
void save_nsga2_population_100(benchmark::State& state) {
  const SearchSpace space = uniform_space(static_cast<int>(dims), static_cast<int>(choices));
  const auto searcher = make_searcher("nsga2", space, setup(population_100));
  Loop loop;
  for (int i = 0; i < 50; ++i) loop.step(*searcher, 50);
  std::size_t bytes = 0;
  for (auto unused : state) bytes = searcher->save().data.dump().size();
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(save_nsga2_population_100)->Unit(benchmark::kMicrosecond);

std::vector<Point> cloud(std::size_t n, std::size_t m) {
  Rng rng(3);
  std::vector<Point> points(n, Point(m));
  for (Point& point : points) {
    for (double& value : point) value = rng.uniform();
  }
  return points;
}

// None of the points dominates another: the worst case.
std::vector<Point> sphere(std::size_t n, std::size_t m) {
  Rng rng(3);
  std::vector<Point> points(n, Point(m));
  for (Point& point : points) {
    double norm = 0.0;
    for (double& value : point) {
      value = rng.normal();
      norm += value * value;
    }
    for (double& value : point) value = 1.0 - std::abs(value) / std::sqrt(norm);
  }
  return points;
}

void front_of_cloud(benchmark::State& state) {
  const auto points = cloud(static_cast<std::size_t>(state.range(1)), static_cast<std::size_t>(state.range(0)));
  for (auto unused : state) benchmark::DoNotOptimize(non_dominated(points));
  state.SetItemsProcessed(state.iterations() * state.range(1));
}
BENCHMARK(front_of_cloud)->ArgsProduct({{2, 3, 5}, {1'000'000}})->Unit(benchmark::kMillisecond);

void front_of_sphere(benchmark::State& state) {
  const auto points = sphere(static_cast<std::size_t>(state.range(1)), static_cast<std::size_t>(state.range(0)));
  for (auto unused : state) benchmark::DoNotOptimize(non_dominated(points));
  state.SetItemsProcessed(state.iterations() * state.range(1));
}
BENCHMARK(front_of_sphere)
    ->Args({2, 1'000'000})
    ->Args({3, 1'000'000})
    ->Args({4, 100'000})
    ->Args({5, 20'000})
    ->Unit(benchmark::kMillisecond);

void hypervolume_of_sphere(benchmark::State& state) {
  const auto m = static_cast<std::size_t>(state.range(0));
  const auto points = sphere(static_cast<std::size_t>(state.range(1)), m);
  for (auto unused : state) benchmark::DoNotOptimize(hypervolume(points, Point(m, 1.1)));
}
BENCHMARK(hypervolume_of_sphere)
    ->Args({2, 10'000})
    ->Args({3, 10'000})
    ->Args({4, 500})
    ->Args({5, 200})
    ->Args({6, 100})
    ->Unit(benchmark::kMillisecond);

void archive_of_cloud(benchmark::State& state) {
  const auto points = cloud(100'000, static_cast<std::size_t>(state.range(0)));
  std::vector<Trial> trials;
  for (const Point& point : points) {
    trials.push_back(ok_trial(static_cast<std::int64_t>(trials.size()), Genome{}, point));
  }
  for (auto unused : state) {
    ParetoArchive archive(minimised_objectives(points[0].size()), Fidelity::analytic);
    for (const Trial& trial : trials) archive.add(trial);
    benchmark::DoNotOptimize(archive.front().data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(points.size()));
}
BENCHMARK(archive_of_cloud)->Arg(2)->Arg(3)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ridgeline
