// What one candidate costs before anything estimates it: building its network, the canonical hash, the counts.
// A search that stores 20,000 trials a second on two threads has 100 microseconds a candidate for everything.
#include <benchmark/benchmark.h>

#include "spaces/counts.hpp"
#include "spaces/format.hpp"
#include "spaces/network.hpp"
#include "spaces/proxies.hpp"

namespace ridgeline {
namespace {

Op conv(std::int64_t channels, int kernel, int groups) {
  Op op;
  op.kind = OpKind::conv2d;
  op.channels = channels;
  op.kernel = {kernel, kernel};
  op.padding = {kernel / 2, kernel / 2, kernel / 2, kernel / 2};
  op.groups = groups;
  return op;
}

// Inverted-bottleneck blocks of nine nodes (three convolutions, three norms, two activations, an addition).
Network blocks(int count) {
  Op norm;
  norm.kind = OpKind::batch_norm;
  Op relu;
  relu.kind = OpKind::relu6;
  Op add;
  add.kind = OpKind::add;
  Network network;
  NodeId x = network.add_input({1, 32, 28, 28});
  for (int block = 0; block < count; ++block) {
    NodeId y = network.add(relu, {network.add(norm, {network.add(conv(192, 1, 1), {x})})});
    y = network.add(relu, {network.add(norm, {network.add(conv(192, 5, 192), {y})})});
    y = network.add(norm, {network.add(conv(32, 1, 1), {y})});
    x = network.add(add, {x, y});
  }
  network.mark_output(x);
  return network;
}

void report(benchmark::State& state, const Network& network) {
  state.counters["nodes"] = static_cast<double>(network.size());
}

void build(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(blocks(static_cast<int>(state.range(0))));
  report(state, blocks(static_cast<int>(state.range(0))));
}

void copy(benchmark::State& state) {
  const Network network = blocks(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(Network(network));
  report(state, network);
}

template <typename Function>
void on_network(benchmark::State& state, Function function) {
  const Network network = blocks(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(function(network));
  report(state, network);
}

void hash(benchmark::State& state) {
  on_network(state, [](const Network& network) { return structural_hash(network); });
}
void count_macs(benchmark::State& state) {
  on_network(state, [](const Network& network) { return macs(network) + parameters(network); });
}
void score_proxies(benchmark::State& state) {
  on_network(state, [](const Network& network) { return score(network); });
}
void plan_formats(benchmark::State& state) {
  on_network(state,
             [](const Network& network) { return weight_bytes(network, PrecisionPlan::uniform(network, int8, int8)); });
}
void peak_memory(benchmark::State& state) {
  on_network(state, [](const Network& network) { return peak_activation_bytes(network, {}); });
}

BENCHMARK(build)->Arg(7)->Arg(22);  // 64 and 199 nodes
BENCHMARK(copy)->Arg(7)->Arg(22);
BENCHMARK(hash)->Arg(7)->Arg(22);
BENCHMARK(count_macs)->Arg(7)->Arg(22);
BENCHMARK(score_proxies)->Arg(7)->Arg(22);
BENCHMARK(plan_formats)->Arg(7)->Arg(22);
BENCHMARK(peak_memory)->Arg(7)->Arg(22);

}  // namespace
}  // namespace ridgeline
