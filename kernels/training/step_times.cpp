#include "kernels/training/step_times.hpp"

#include <algorithm>
#include <chrono>

#include "kernels/reference.hpp"
#include "kernels/statistics.hpp"

namespace ridgeline {
namespace {

constexpr int warm_ups = 2, rounds = 7;

double seconds_of_step(TrainingGraph& graph, std::uint64_t step) {
  const auto begin = std::chrono::steady_clock::now();
  graph.forward(step);
  graph.backward();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

StepTimes time_steps(const Network& network, const TrainingOptions& options) {
  const std::vector<float> parameters = flatten(network, untrained_weights(network, 1));
  const Shape& input = network.shape(network.live_nodes().front());
  std::vector<TrainingGraph> graphs;
  for (std::size_t i = 0; i <= rounding_way_names().size(); ++i) {
    TrainingOptions one = options;
    if (i == 0) one.quantization.plan = {};
    if (i > 0) one.quantization.way = static_cast<RoundingWay>(i - 1);
    graphs.emplace_back(network, one);
    std::ranges::copy(parameters, graphs.back().parameters().begin());
    std::ranges::copy(seeded_input(input, 1), graphs.back().input().begin());
    std::ranges::fill(graphs.back().output_gradient(), 1e-3F);
  }
  std::vector<std::vector<double>> samples(graphs.size());
  for (int round = -warm_ups; round < rounds; ++round) {
    for (std::size_t i = 0; i < graphs.size(); ++i) {
      const double seconds = seconds_of_step(graphs[i], static_cast<std::uint64_t>(round + warm_ups));
      if (round >= 0) samples[i].push_back(seconds);
    }
  }
  return {median(samples[0]), {median(samples[1]), median(samples[2])}};
}

}  // namespace ridgeline
