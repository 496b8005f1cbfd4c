// What it takes to cost ResNet-50 at 224 x 224 on a described device: once the network is there, one thread.
#include <benchmark/benchmark.h>

#include "hwmodels/hardware_model.hpp"
#include "tests/spaces/published_networks.hpp"

namespace ridgeline {
namespace {

Design resnet50(const Format& format) {
  Design design;
  design.network = test::resnet({3, 4, 6, 3}, true);
  design.precision = PrecisionPlan::uniform(design.network, format, format);
  return design;
}

void cost_resnet50(benchmark::State& state, const std::string& device, const char* format) {
  const auto model = load_device(RIDGELINE_SOURCE_DIR "/hwmodels/devices/" + device + ".json");
  const Design design = resnet50(Format::parse(format));
  for (auto _ : state) {
    const Cost cost = model->estimate(design);
    if (!cost.unsupported.empty()) state.SkipWithError(cost.unsupported.c_str());
    benchmark::DoNotOptimize(cost.latency_s);
  }
}
BENCHMARK_CAPTURE(cost_resnet50, systolic_array, "tpu_v1", "int8")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(cost_resnet50, mapped_layers_known, "eyeriss", "int16")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(cost_resnet50, roofline, "raspberry_pi_4", "int8")->Unit(benchmark::kMicrosecond);

// The first time: every layer's mapping searched.
void map_resnet50(benchmark::State& state) {
  const Design design = resnet50(Format::parse("int16"));
  for (auto _ : state) {
    const auto model = load_device(RIDGELINE_SOURCE_DIR "/hwmodels/devices/eyeriss.json");
    benchmark::DoNotOptimize(model->estimate(design).latency_s);
  }
}
BENCHMARK(map_resnet50)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ridgeline
