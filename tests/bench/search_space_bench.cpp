// What a candidate costs before anything is known of it: sampling, decoding and hashing it.
//   cmake --preset release -DRIDGELINE_BENCHMARKS=ON && ninja -C build/release bench_search_space
//   build/release/bin/bench_search_space
#include <benchmark/benchmark.h>

#include <string>

#include "spaces/search_space.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t candidates = 256;

struct Sampled {
  explicit Sampled(const std::string& name)
      : space(SearchSpace::load(RIDGELINE_SOURCE_DIR "/spaces/library/" + name + ".json")) {
    Rng rng(1, "bench");
    for (std::size_t i = 0; i < candidates; ++i) genomes.push_back(space.sample(rng));
  }
  SearchSpace space;
  std::vector<Genome> genomes;
};

void sample(benchmark::State& state, const std::string& name) {
  const Sampled sampled(name);
  Rng rng(2, "bench");
  for (auto step : state) benchmark::DoNotOptimize(sampled.space.sample(rng));
}

void decode(benchmark::State& state, const std::string& name) {
  const Sampled sampled(name);
  std::size_t i = 0;
  std::size_t nodes = 0;
  for (auto step : state) nodes += sampled.space.decode(sampled.genomes[i++ % candidates]).network.size();
  state.counters["nodes"] = benchmark::Counter(static_cast<double>(nodes), benchmark::Counter::kAvgIterations);
}

void hash(benchmark::State& state, const std::string& name) {
  const Sampled sampled(name);
  const Design design = sampled.space.decode(sampled.genomes.front());
  for (auto step : state) benchmark::DoNotOptimize(function_hash(design));
}

const bool registered = [] {
  for (const char* name :
       {"nasbench_macro", "nasbench201", "mobilenet_v2", "mobilenet_v2_mixed", "ofa_mobilenet_v3", "resnet"}) {
    const std::string space = name;
    benchmark::RegisterBenchmark(("sample/" + space).c_str(), sample, space);
    benchmark::RegisterBenchmark(("decode/" + space).c_str(), decode, space);
    benchmark::RegisterBenchmark(("hash/" + space).c_str(), hash, space);
  }
  return true;
}();

}  // namespace
}  // namespace ridgeline
