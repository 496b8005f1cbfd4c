// Images a second in training, two threads, batch 64 of 32x32 gray images: forward, loss, backward, SGD step. And
// evaluation: probabilities of 4,000 such images on one and two threads, compiling included.
//   cmake --preset release -DRIDGELINE_BENCHMARKS=ON && ninja -C build/release bench_training &&
//   build/release/bin/bench_training
// experiments/peers/training_speed.py times PyTorch beside it.
#include <benchmark/benchmark.h>

#include "experiments/training/evaluate.hpp"
#include "kernels/pinning.hpp"
#include "kernels/training/sandwich.hpp"
#include "kernels/training/supernet_trainer.hpp"
#include "kernels/training/trainer.hpp"
#include "spaces/counts.hpp"
#include "spaces/search_space.hpp"

namespace ridgeline {
namespace {

constexpr std::int64_t batch = 64;

std::string library(const std::string& name) { return RIDGELINE_SOURCE_DIR "/spaces/library/" + name + ".json"; }

// Depthwise-separable blocks as MobileNetV2's, for small images: stem 32, then (out, stride) with expansion 4.
Network small_mobilenet() {
  Network net;
  NodeId last = net.add_input({batch, 1, 32, 32});
  std::int64_t channels = 1;
  const auto conv = [&](std::int64_t out, int kernel, int stride, bool depthwise, bool act) {
    Op op;
    op.kind = OpKind::conv2d;
    op.channels = out;
    op.kernel = {kernel, kernel};
    op.stride = {stride, stride};
    const int pad = kernel / 2;
    op.padding = {pad, pad, pad, pad};
    op.groups = depthwise ? static_cast<int>(out) : 1;
    last = net.add(op, {last});
    Op norm;
    norm.kind = OpKind::batch_norm;
    last = net.add(norm, {last});
    Op relu;
    relu.kind = OpKind::relu6;
    if (act) last = net.add(relu, {last});
    channels = out;
  };
  conv(32, 3, 1, false, true);
  const std::vector<std::pair<std::int64_t, int>> blocks{{24, 1}, {24, 1}, {40, 2}, {40, 1}, {64, 2}, {64, 1}};
  for (const auto& [out, stride] : blocks) {
    const NodeId before = last;
    const bool residual = stride == 1 && channels == out;
    conv(4 * channels, 1, 1, false, true);
    conv(channels, 3, stride, true, true);
    conv(out, 1, 1, false, false);
    Op add;
    add.kind = OpKind::add;
    if (residual) last = net.add(add, {last, before});
  }
  Op pool, flatten, linear;
  pool.kind = OpKind::global_avg_pool;
  flatten.kind = OpKind::flatten;
  linear.kind = OpKind::linear;
  linear.channels = 47;
  linear.bias = true;
  last = net.add(pool, {last});
  last = net.add(flatten, {last});
  net.mark_output(net.add(linear, {last}));
  return net;
}

Network named(const std::string& name) {
  if (name == "mobilenet") return small_mobilenet();
  const SearchSpace space = SearchSpace::load(library(name.substr(0, 9)), {.batch = batch, .parameters = {}});
  Genome genome;
  if (name == "plain_cnn_least") genome.genes = std::vector<std::uint16_t>(15, 0);
  // plain_cnn: 32, 64, 96 channels, two 3x3 each. vit_small: embedding 96, 4 blocks of 3 heads, MLP ratio 2.
  if (name == "plain_cnn") genome.genes = {2, 3, 3, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  if (name == "vit_small") genome.genes = {1, 2, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0};
  return space.decode(genome).network;
}

// `formats`: trained through them; empty: not.
void train(benchmark::State& state, const std::string& name, const Format& format, const std::string& formats = {},
           RoundingWay way = RoundingWay::fake) {
  const Network network = named(name);
  const PinnedThreads pinned(2);
  TrainerOptions options;
  options.training = {2, format};
  if (!formats.empty()) options.training.quantization = {PrecisionPlan::uniform(network, formats), way};
  options.descent.learning_rate = 0.01;
  options.descent.total_steps = 1000000;
  Trainer trainer(network, initial_weights(network, 1), options);
  std::vector<float> images(static_cast<std::size_t>(batch * 32 * 32));
  Rng rng(1, "bench");
  for (float& value : images) value = static_cast<float>(rng.normal());
  std::vector<std::int32_t> labels;
  for (int i = 0; i < batch; ++i) labels.push_back(i % 47);
  const std::vector<float> targets = smoothed_targets(labels, 47);
  const LossTerm term{targets};
  for (auto _ : state) trainer.step(images, {&term, 1});
  state.counters["images_a_second"] =
      benchmark::Counter(static_cast<double>(batch), benchmark::Counter::kIsIterationInvariantRate);
  state.counters["parameters"] = static_cast<double>(parameter_count(parameter_blocks(network)));
}

// Four sub-networks an iteration: in one step, or in a step each.
void supernet(benchmark::State& state, const std::string& name, bool together) {
  const SearchSpace space = SearchSpace::load(library(name), {.batch = batch, .parameters = {}});
  const PinnedThreads pinned(2);
  SupernetOptions options;
  options.training = {2, f32};
  options.descent.learning_rate = 0.01;
  options.descent.total_steps = 1000000;
  SupernetTrainer trainer(space, 1, options);
  std::vector<float> images(static_cast<std::size_t>(batch * 32 * 32), 0.5F);
  std::vector<std::int32_t> labels;
  for (int i = 0; i < batch; ++i) labels.push_back(i % 47);
  const std::vector<float> targets = smoothed_targets(labels, 47);
  const LossTerm term{targets};
  const auto fill = [&](const Shape&, std::span<float> out) { std::copy_n(images.begin(), out.size(), out.begin()); };
  std::uint64_t number = 0;
  for (auto _ : state) {
    const std::vector<Genome> candidates = sandwich(space, {.candidates = 4}, 1, number++);
    if (together) {
      trainer.step(candidates, fill, {&term, 1});
      continue;
    }
    for (const Genome& one : candidates) trainer.step({&one, 1}, fill, {&term, 1});
  }
  state.counters["images_a_second"] =
      benchmark::Counter(static_cast<double>(batch), benchmark::Counter::kIsIterationInvariantRate);
}

LabelledImages gray_images(std::size_t count) {
  std::vector<std::uint8_t> pixels(count * 32 * 32);
  Rng rng(2, "bench");
  for (std::uint8_t& value : pixels) value = static_cast<std::uint8_t>(rng.below(256));
  return {{count, {1, 32, 32}, std::move(pixels)}, std::vector<std::int32_t>(count)};
}

void evaluate(benchmark::State& state, const std::string& name, const Format& format) {
  const LabelledImages images = gray_images(4000);
  const Network network = with_batch(named(name), 1);
  Design design{network, PrecisionPlan::uniform(network, format, format),
                std::make_shared<Weights>(initial_weights(network, 1))};
  EvaluateOptions options{.threads = static_cast<int>(state.range(0))};
  if (const char* size = std::getenv("BENCH_BATCH")) options.batch = std::atoi(size);
  const Normalisation normalisation{{0.5F}, {0.3F}};
  calibrate(design, images, normalisation, options.threads);
  const PinnedThreads pinned(options.threads);
  for (auto _ : state) benchmark::DoNotOptimize(classify(design, images, normalisation, options));
  state.counters["images_a_second"] =
      benchmark::Counter(static_cast<double>(images.size()), benchmark::Counter::kIsIterationInvariantRate);
  state.counters["macs"] = static_cast<double>(macs(network));
}

const bool registered = [] {
  for (const std::string name : {"plain_cnn", "plain_cnn_least", "mobilenet", "vit_small"}) {
    for (const Format& format : {f32, bf16, int8}) {
      benchmark::RegisterBenchmark(("evaluate/" + name + "/" + format.text()).c_str(),
                                   [=](benchmark::State& state) { evaluate(state, name, format); })
          ->Arg(1)
          ->Arg(2)
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
      if (format == int8) continue;
      benchmark::RegisterBenchmark((name + "/" + format.text()).c_str(),
                                   [=](benchmark::State& state) { train(state, name, format); })
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
  for (const std::string name : {"plain_cnn", "mobilenet", "vit_small"}) {
    for (const RoundingWay way : {RoundingWay::fake, RoundingWay::noise}) {
      const std::string label = rounding_way_names()[static_cast<std::size_t>(way)];
      for (const Format& format : {f32, bf16}) {
        benchmark::RegisterBenchmark(
            (name + "/" + format.text() + "/int4_" + label).c_str(),
            [=](benchmark::State& state) { train(state, name, format, "int4@channel/int4", way); })
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
      }
    }
  }
  for (const std::string name : {"mobilenet_small", "vit_small"}) {
    for (const bool together : {true, false}) {
      benchmark::RegisterBenchmark(("supernet/" + name + (together ? "/one_step" : "/four_steps")).c_str(),
                                   [=](benchmark::State& state) { supernet(state, name, together); })
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
  return true;
}();

}  // namespace
}  // namespace ridgeline
