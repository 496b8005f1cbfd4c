#include "experiments/quantization/post_training.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "experiments/training/evaluate.hpp"
#include "kernels/quantization/equalization.hpp"
#include "kernels/quantization/layer_moments.hpp"
#include "kernels/quantization/rounded_kernel.hpp"
#include "kernels/quantization/smoothing.hpp"

namespace ridgeline {
namespace {

using Pass = QuantizationPass;

// Products of two inputs that are kept of a layer: 256 MiB in all lanes of f64. Kernels of larger ones are rounded to
// nearest, and their biases are corrected by nothing.
constexpr std::size_t most_products = std::size_t{1} << 23;

bool has_kernel(OpKind kind) { return kind == OpKind::conv2d || kind == OpKind::linear; }

std::size_t products_of(const Network& network, NodeId node) {
  const Op& op = network.op(node);
  const Shape& input = network.shape(network.inputs(node)[0]);
  if (op.kind == OpKind::linear) return static_cast<std::size_t>(input.back() * input.back());
  const std::int64_t taps = input[1] / op.groups * op.kernel[0] * op.kernel[1];
  return static_cast<std::size_t>(op.groups * taps * taps);
}

// The same design with a bias at every kernel, so that there is something to correct.
Design with_biases(const Design& design) {
  const Network& network = design.network;
  Network made;
  Weights weights = *design.weights;
  for (NodeId node = 0; node < network.size(); ++node) {
    Op op = network.op(node);
    if (has_kernel(op.kind) && !op.bias) {
      op.bias = true;
      weights[node].bias.assign(static_cast<std::size_t>(op.channels), 0.0F);
    }
    made.add(op, network.inputs(node), network.name(node));
  }
  for (const NodeId output : network.outputs()) made.mark_output(output);
  return {std::move(made), {}, std::make_shared<const Weights>(std::move(weights))};
}

// The range of each channel over the images.
ChannelRanges channel_ranges(const Design& design, const LabelledImages& images, const Normalisation& normalisation,
                             int threads) {
  const std::size_t nodes = design.network.size();
  std::vector<ChannelRanges> found(visit_lanes, ChannelRanges(nodes));
  visit_images(design, images, normalisation, threads, [&](std::size_t lane, const Activation& made, const Shape&) {
    widen(found[lane], design.network, made);
  });
  ChannelRanges all = std::move(found.front());
  for (std::size_t lane = 1; lane < found.size(); ++lane) {
    for (std::size_t node = 0; node < nodes; ++node) {
      if (all[node].empty()) all[node] = found[lane][node];
      for (std::size_t c = 0; c < found[lane][node].size(); ++c) all[node][c] = all[node][c].with(found[lane][node][c]);
    }
  }
  return all;
}

// What a tensor is quantized to: as it is stored, or else as the reader of fewest bits wants it; nothing where all read
// it in full precision.
std::vector<std::optional<Format>> quantized_formats(const Network& network, const PrecisionPlan& plan) {
  const std::vector<Format> stored = stored_formats(network, plan);
  const std::vector<bool> positive = never_negative(network);
  std::vector<std::optional<Format>> formats(network.size());
  for (const NodeId node : network.live_nodes()) {
    const OpKind kind = network.op(node).kind;
    const Format& read = plan.at(node).activations;
    if (stored[node].is_quantized()) formats[node] = stored[node];
    if ((!has_kernel(kind) && kind != OpKind::matmul) || !read.is_quantized()) continue;
    for (const NodeId input : network.inputs(node)) {
      std::optional<Format>& format = formats[input];
      if (stored[input].is_quantized()) continue;
      if (!format || read.width_bits < format->width_bits) format = read;
    }
  }
  for (NodeId node = 0; node < network.size(); ++node) {  // as tensor_scales() has it
    std::optional<Format>& format = formats[node];
    if (format && positive[node] && format->kind == Format::Kind::integer)
      format->kind = Format::Kind::unsigned_integer;
  }
  return formats;
}

}  // namespace

struct PostTraining::Calibration {
  struct Kernel {
    RoundedKernel rounded;
    std::vector<float> bias;
  };

  std::vector<std::optional<Histogram>> histograms;  // one a node
  std::map<NodeId, LayerMoments> moments;
  std::mutex mutex;                                          // of what follows
  std::map<std::pair<NodeId, std::string>, Range> ranges;    // of a tensor in a format
  std::map<std::pair<NodeId, std::string>, Kernel> kernels;  // of a layer in a format

  Range range(NodeId node, const Format& format, CalibrationMethod method);
  const Kernel& kernel(const Design& design, NodeId node, const PostTrainingOptions& options);
};

Range PostTraining::Calibration::range(NodeId node, const Format& format, CalibrationMethod method) {
  const auto [place, fresh] = ranges.try_emplace({node, format.text()});
  if (fresh) place->second = calibrated_range(*histograms[node], format, method);
  return place->second;
}

const PostTraining::Calibration::Kernel& PostTraining::Calibration::kernel(const Design& design, NodeId node,
                                                                           const PostTrainingOptions& options) {
  const Format& format = design.precision.at(node).weights;
  const auto [place, fresh] = kernels.try_emplace({node, format.text()});
  if (!fresh) return place->second;
  const NodeWeights& weights = (*design.weights)[node];
  const auto channels = static_cast<std::size_t>(design.network.op(node).channels);
  const auto known = moments.find(node);
  RoundingOptions rounding{.rounding = WeightRounding::nearest, .clip = options.has(Pass::clip)};
  if (known != moments.end() && options.has(Pass::adaround)) rounding.rounding = WeightRounding::learned;
  if (known != moments.end() && options.has(Pass::gptq)) rounding.rounding = WeightRounding::gptq;
  static const LayerMoments none;
  const LayerMoments& seen = known != moments.end() ? known->second : none;
  Kernel made{round_kernel(weights.kernel, channels, format, seen, rounding), weights.bias};
  if (options.has(Pass::correct_bias) && known != moments.end()) {
    const std::vector<float> correction = bias_correction(seen, weights.kernel, made.rounded.kernel, channels);
    for (std::size_t c = 0; c < channels; ++c) made.bias[c] += correction[c];
  }
  return place->second = std::move(made);
}

PostTraining::PostTraining(const TrainedModel& model, const LabelledImages& train, const PostTrainingOptions& options,
                           int threads, const Progress& progress)
    : options_(options), calibration_(std::make_unique<Calibration>()) {
  const LabelledImages images = calibration_images(train, options.images);
  const bool histograms = options.calibration != CalibrationMethod::minmax;
  const bool moments = options.has(Pass::adaround) || options.has(Pass::gptq) || options.has(Pass::correct_bias);
  const std::size_t looks = 1 + (options.has(Pass::smooth) ? 1U : 0U) + (histograms || moments ? 1U : 0U);
  std::size_t done = 0;
  const auto looked = [&] {
    if (progress) progress(++done, looks);
  };
  design_ = Design{model.design.network, {}, model.design.weights};
  if (options.has(Pass::fold)) {
    folded_ = fold_norms(design_);
    design_ = folded_.design;
  }
  transform(images, model.normalisation, threads, looked);
  ranges_ = image_ranges(design_, images, model.normalisation, images.size(), threads);
  looked();
  if (histograms || moments) gather(images, model.normalisation, threads, looked);
}

PostTraining::PostTraining(PostTraining&&) noexcept = default;
PostTraining& PostTraining::operator=(PostTraining&&) noexcept = default;
PostTraining::~PostTraining() = default;

void PostTraining::transform(const LabelledImages& images, const Normalisation& normalisation, int threads,
                             const std::function<void()>& looked) {
  if (options_.has(Pass::equalize)) design_ = with_equalized_layers(design_);
  if (options_.has(Pass::smooth)) {
    const ChannelRanges channels = channel_ranges(design_, images, normalisation, threads);
    design_ = with_smoothed_activations(design_, channels,
                                        {.migration = options_.migration, .shift = options_.has(Pass::shift)});
    looked();
  }
  if (options_.has(Pass::correct_bias)) design_ = with_biases(design_);
}

void PostTraining::gather(const LabelledImages& images, const Normalisation& normalisation, int threads,
                          const std::function<void()>& looked) {
  const Network& network = design_.network;
  const bool moments = options_.has(Pass::adaround) || options_.has(Pass::gptq) || options_.has(Pass::correct_bias);
  struct Lane {
    std::map<NodeId, Histogram> histograms;
    std::map<NodeId, MomentCounter> moments;
  };
  std::vector<std::vector<NodeId>> readers(network.size());  // layers whose moments are counted
  for (const NodeId node : network.live_nodes()) {
    if (!moments || !has_kernel(network.op(node).kind) || products_of(network, node) > most_products) continue;
    readers[network.inputs(node)[0]].push_back(node);
  }
  std::vector<Lane> lanes(visit_lanes);
  visit_images(design_, images, normalisation, threads,
               [&](std::size_t lane, const Activation& made, const Shape& shape) {
                 Lane& own = lanes[lane];
                 const Range& range = ranges_[made.node];
                 const bool finite = std::isfinite(range.low) && std::isfinite(range.high);
                 if (options_.calibration != CalibrationMethod::minmax && finite) {
                   own.histograms.try_emplace(made.node, range).first->second.add(made.values);
                 }
                 for (const NodeId reader : readers[made.node]) {
                   own.moments.try_emplace(reader, network, reader).first->second.add(made, shape);
                 }
               });
  calibration_->histograms.resize(network.size());
  for (Lane& lane : lanes) {
    for (const auto& [node, histogram] : lane.histograms) {
      std::optional<Histogram>& all = calibration_->histograms[node];
      if (!all) all.emplace(ranges_[node]);
      all->add(histogram);
    }
  }
  for (auto& [node, counter] : lanes.front().moments) {
    for (std::size_t lane = 1; lane < lanes.size(); ++lane) {
      const auto other = lanes[lane].moments.find(node);
      if (other != lanes[lane].moments.end()) counter.add(other->second);
    }
    calibration_->moments.emplace(node, counter.moments());
  }
  looked();
}

Design PostTraining::quantized(const PrecisionPlan& plan) const {
  const bool renamed = !folded_.node_of.empty();
  Design made{design_.network, renamed ? folded_plan(folded_, plan) : plan, design_.weights};
  const std::vector<std::optional<Format>> formats = quantized_formats(made.network, made.precision);
  Quantization quantization{ranges_};
  const std::scoped_lock lock(calibration_->mutex);
  for (NodeId node = 0; node < formats.size(); ++node) {
    if (!formats[node] || node >= calibration_->histograms.size() || !calibration_->histograms[node]) continue;
    quantization.tensors[node] = calibration_->range(node, *formats[node], options_.calibration);
  }
  const bool kernels = options_.has(Pass::clip) || options_.has(Pass::adaround) || options_.has(Pass::gptq) ||
                       options_.has(Pass::correct_bias);
  std::shared_ptr<Weights> weights;
  for (const NodeId node : made.network.live_nodes()) {
    if (!kernels || !has_kernel(made.network.op(node).kind)) continue;
    if (!made.precision.at(node).weights.is_quantized()) continue;
    if (!weights) {
      weights = std::make_shared<Weights>(*design_.weights);
      quantization.weights.resize(made.network.size());
    }
    const Calibration::Kernel& own = calibration_->kernel(made, node, options_);
    (*weights)[node].kernel = own.rounded.kernel;
    (*weights)[node].bias = own.bias;
    quantization.weights[node] = own.rounded.ranges;
  }
  if (weights) made.weights = std::move(weights);
  made.quantization = std::make_shared<const Quantization>(std::move(quantization));
  return made;
}

}  // namespace ridgeline
