// How far the sum of layers is from whole networks: costs of the published models measured, then thirty random plans
// predicted and timed as wholes. Needs RIDGELINE_DATA.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "experiments/calibration/calibrate.hpp"
#include "experiments/quantization/plan_allocation.hpp"
#include "experiments/training/trained_model.hpp"
#include "kernels/quantization/folded_norms.hpp"
#include "kernels/reference.hpp"
#include "kernels/statistics.hpp"
#include "predictors/metrics.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

using Genes = std::vector<std::uint16_t>;

PlanSpace plans_of(const std::string& file) {
  const TrainedModel model = load_trained_model(file, Resources{RIDGELINE_SOURCE_DIR, ""});
  PlanSpace space;
  space.design = with_folded_norms(model.design);
  space.design.network = with_batch(space.design.network, 1);
  const Network& network = space.design.network;
  for (const NodeId node : network.live_nodes()) {
    const OpKind kind = network.op(node).kind;
    if (kind == OpKind::input) {
      const std::vector<float> input = seeded_input(network.shape(node), 1);
      space.design.quantization =
          std::make_shared<const Quantization>(Quantization{activation_ranges(space.design, input)});
    }
    if (kind != OpKind::conv2d && kind != OpKind::linear && kind != OpKind::matmul) continue;
    space.names.push_back(std::to_string(node) + "_" + network.name(node));
    space.members.push_back({node});
  }
  space.words = {"f32", "bf16", "int8"};
  for (const std::string& word : space.words) {
    space.formats.push_back(PrecisionPlan::uniform(network, word).operators[space.members[0][0]]);
  }
  return space;
}

// Thirty plans of choices drawn at random; medians of wholes at the machine's median speed.
void time_plans(const PlanLatency& latency, std::vector<double>& predicted, std::vector<double>& measured) {
  Rng rng(11, "bench-plans");
  std::vector<Design> designs;
  for (int plan = 0; plan < 30; ++plan) {
    Genes genes;
    for (std::size_t d = 0; d < latency.space().names.size(); ++d) {
      genes.push_back(latency.choices(d)[rng.below(latency.choices(d).size())]);
    }
    predicted.push_back(latency.predict(genes));
    designs.push_back(latency.space().decode(genes));
  }
  MeasureOptions options;
  options.min_samples = options.max_samples = 100;
  options.max_relative_mad = 1e9;
  const Design reference = reference_network(f32);
  InterleaveOptions interleave;
  interleave.reference = &reference;
  std::vector<double> speeds;
  std::vector<Measurement> all = measure_interleaved(designs, options, interleave);
  for (const Measurement& one : all) speeds.insert(speeds.end(), one.reference_s.begin(), one.reference_s.end());
  for (Measurement& one : all) {
    for (std::size_t i = 0; i < one.samples_s.size(); ++i) one.samples_s[i] *= median(speeds) / one.reference_s[i];
    measured.push_back(median(one.samples_s));
  }
}

void sum_of_layers(benchmark::State& state, const std::string& model) {
  const char* data = std::getenv("RIDGELINE_DATA");
  const std::string file = std::string(data != nullptr ? data : "") + "/models/" + model + ".onnx";
  if (!std::filesystem::exists(file)) return state.SkipWithError("no such model in RIDGELINE_DATA");
  const PlanSpace space = plans_of(file);
  std::vector<double> predicted, measured;
  for (auto _ : state) {
    const PlanLatency latency(space, measure_layer_costs(space, {}));
    state.PauseTiming();
    time_plans(latency, predicted, measured);
    std::int64_t plans = 0;
    for (const PartCost& cost : latency.costs().parts) {
      if (cost.part.node == 0) plans += cost.plans;  // every plan has the input's parts
    }
    state.counters["timed_plans"] = static_cast<double>(plans);
    state.counters["factor"] = latency.costs().factor;
    for (const UniformTiming& one : latency.costs().uniform) {
      const Genes genes(space.names.size(), static_cast<std::uint16_t>(one.choice));
      state.counters[space.words[one.choice] + "_us"] = 1e6 * one.whole_s;
      state.counters[space.words[one.choice] + "_predicted"] = 1e6 * latency.predict(genes);
    }
    state.ResumeTiming();
  }
  std::vector<double> errors, signed_errors;
  for (std::size_t i = 0; i < predicted.size(); ++i) {
    signed_errors.push_back(100.0 * (predicted[i] / measured[i] - 1.0));
    errors.push_back(std::abs(signed_errors.back()));
  }
  double sum = 0.0;
  for (const double error : errors) sum += error;
  state.counters["mape"] = sum / static_cast<double>(errors.size());
  state.counters["bias"] = median(signed_errors);
  state.counters["worst"] = *std::max_element(errors.begin(), errors.end());
  state.counters["spearman"] = spearman(predicted, measured);
}

BENCHMARK_CAPTURE(sum_of_layers, resnet20, "resnet20_cifar10")->Iterations(1)->Unit(benchmark::kSecond);
BENCHMARK_CAPTURE(sum_of_layers, ic_resnet8, "mlperftiny_ic_resnet8")->Iterations(1)->Unit(benchmark::kSecond);
BENCHMARK_CAPTURE(sum_of_layers, kws_dscnn, "mlperftiny_kws_dscnn")->Iterations(1)->Unit(benchmark::kSecond);

// The integer programs, with penalties drawn at random: eight limits and the greedy descent.
void allocation(benchmark::State& state) {
  const char* data = std::getenv("RIDGELINE_DATA");
  const std::string file = std::string(data != nullptr ? data : "") + "/models/resnet20_cifar10.onnx";
  if (!std::filesystem::exists(file)) return state.SkipWithError("no such model in RIDGELINE_DATA");
  const PlanSpace space = plans_of(file);
  LayerCostOptions options;
  options.seconds = 1.0;
  const PlanLatency latency(space, measure_layer_costs(space, options));
  Rng rng(5, "bench-penalties");
  std::vector<std::vector<double>> penalties;
  for (std::size_t d = 0; d < space.names.size(); ++d) {
    const double scale = rng.uniform();
    penalties.push_back({0.0, 0.1 * scale * rng.uniform(), scale});
  }
  std::size_t plans = 0;
  std::vector<double> gaps;
  for (auto _ : state) plans = allocated_plans(latency, penalties).size();
  const AllocationProblem problem = allocation_problem(latency, penalties);
  std::vector<std::size_t> choices(problem.layers.size(), 0);
  for (int plan = 0; plan < 1000; ++plan) {
    Genes genes;
    for (std::size_t d = 0; d < space.names.size(); ++d) {
      choices[d] = rng.below(latency.choices(d).size());
      genes.push_back(latency.choices(d)[choices[d]]);
    }
    gaps.push_back(100.0 * std::abs(allocation_plan(problem, choices).costs[0] / latency.predict(genes) - 1.0));
  }
  state.counters["plans"] = static_cast<double>(plans);
  state.counters["boundaries"] = static_cast<double>(problem.boundaries.size());
  state.counters["projection_median_%"] = median(gaps);
  state.counters["projection_worst_%"] = *std::max_element(gaps.begin(), gaps.end());
}
BENCHMARK(allocation)->Unit(benchmark::kMillisecond);

void prediction(benchmark::State& state) {
  const char* data = std::getenv("RIDGELINE_DATA");
  const std::string file = std::string(data != nullptr ? data : "") + "/models/resnet20_cifar10.onnx";
  if (!std::filesystem::exists(file)) return state.SkipWithError("no such model in RIDGELINE_DATA");
  const PlanSpace space = plans_of(file);
  LayerCostOptions options;
  options.seconds = 1.0;
  const PlanLatency latency(space, measure_layer_costs(space, options));
  Genes genes(space.names.size(), 0);
  for (auto _ : state) {
    genes[3] = static_cast<std::uint16_t>(1 - genes[3]);
    benchmark::DoNotOptimize(latency.predict(genes));
  }
}
BENCHMARK(prediction)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace ridgeline
