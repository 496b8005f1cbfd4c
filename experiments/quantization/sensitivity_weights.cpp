// norm, taylor and taylor2: numbers rounded to the format, and the gradient of the loss by the weights.
#include <algorithm>
#include <cmath>

#include "experiments/quantization/sensitivity_impl.hpp"
#include "kernels/lower.hpp"
#include "kernels/quantization/activation_quantizer.hpp"
#include "kernels/training/loss.hpp"
#include "kernels/training/training_graph.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline::sensitivity {
namespace {

constexpr std::size_t activation_batch = 32;

struct Power {
  double noise = 0, signal = 0;
};

void add_power(Power& power, std::span<const float> numbers, std::span<const float> rounded) {
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto number = static_cast<double>(numbers[i]);
    power.noise += std::pow(static_cast<double>(rounded[i]) - number, 2);
    power.signal += number * number;
  }
}

double ratio(const Power& power) { return power.signal > 0 ? power.noise / power.signal : 0.0; }

// One operand of one case, as it is rounded.
struct Reading {
  std::size_t at;  // case and operand
  Format format;
  Quantizer quantizer;
};

// The network with 1x1 depthwise convolutions in place of batch norms, node for node: training would normalise by the
// batch.
Design with_frozen_norms(const Design& design) {
  const Network& network = design.network;
  Network made;
  Weights weights = *design.weights;
  for (NodeId node = 0; node < network.size(); ++node) {
    Op op = network.op(node);
    if (op.kind == OpKind::input) {
      made.add_input(network.shape(node), network.name(node));
      continue;
    }
    if (op.kind == OpKind::batch_norm) {
      const Shape& shape = network.shape(node);
      if (shape.size() != 4) {
        throw ConfigError({"--method", "", "batch norms of images, for taylor and taylor2",
                           "'" + network.name(node) + "' of " + shape_text(shape), "take another measure"});
      }
      const NodeWeights norm = weights[node];
      weights[node] = {};
      for (std::size_t c = 0; c < norm.scale.size(); ++c) {
        const double factor =
            static_cast<double>(norm.scale[c]) / std::sqrt(static_cast<double>(norm.variance[c]) + op.epsilon);
        weights[node].kernel.push_back(static_cast<float>(factor));
        weights[node].bias.push_back(
            static_cast<float>(static_cast<double>(norm.shift[c]) - static_cast<double>(norm.mean[c]) * factor));
      }
      op = Op{.kind = OpKind::conv2d, .channels = shape[1], .groups = static_cast<int>(shape[1]), .bias = true};
    }
    made.add(op, network.inputs(node), network.name(node));
  }
  for (const NodeId output : network.outputs()) made.mark_output(output);
  return {std::move(made), {}, std::make_shared<const Weights>(std::move(weights))};
}

}  // namespace

std::vector<float> rounded_kernel(const Design& made, NodeId node) {
  const std::vector<float>& kernel = (*made.weights)[node].kernel;
  Quantizer quantizer{.format = made.precision.at(node).weights};
  if (made.quantization && node < made.quantization->weights.size() && !scales_by_numbers(quantizer.format)) {
    quantizer.ranges = made.quantization->weights[node];
  }
  std::vector<float> rounded(kernel.size());
  const auto channels = static_cast<std::size_t>(made.network.op(node).channels);
  fake_quantize(kernel, rounded, kernel.size() / channels, quantizer);
  return rounded;
}

double relative_noise(std::span<const float> numbers, std::span<const float> rounded) {
  Power power;
  add_power(power, numbers, rounded);
  return ratio(power);
}

std::vector<double> activation_noise(const SensitivityJob& job,
                                     const std::vector<std::shared_ptr<const Quantization>>& made) {
  const Network& network = job.network.network;
  const std::vector<NodeId> stands_for = lower(job.network).stands_for;
  std::vector<std::vector<Reading>> readings(network.size());  // by the tensor that is read
  std::size_t operands = 0;
  std::vector<std::size_t> first_operand;
  for (std::size_t c = 0; c < job.cases.size(); ++c) {
    first_operand.push_back(operands);
    const FormatCase& one = job.cases[c];
    const Format format = one.plan.at(one.node).activations;
    if (format == f32) continue;
    std::vector<TensorScale> scales;
    if (made[c]) scales = tensor_scales(network, made[c]->tensors, stands_for);
    for (const NodeId input : network.inputs(one.node)) {
      Quantizer quantizer{.format = format};
      if (made[c]) quantizer = activation_quantizer(format, scales[input], made[c]->tensors[input]);
      readings[input].push_back({operands++, format, std::move(quantizer)});
    }
  }
  first_operand.push_back(operands);
  const std::size_t batches = (job.images.size() + activation_batch - 1) / activation_batch;
  std::vector<std::vector<Power>> found(batches, std::vector<Power>(operands));
  if (operands > 0) {
    visit_batches(network, job.images, job.normalisation, activation_batch, job.options.threads,
                  [&](const ImageBatchView& batch) {
                    const Network wide = with_batch(network, static_cast<std::int64_t>(batch.count));
                    std::vector<float> rounded;
                    visit_activations({wide, {}, job.network.weights}, batch.values, 1, [&](const Activation& made_of) {
                      rounded.resize(made_of.values.size());
                      const QuantizedAxis axis = channel_axis(wide.shape(made_of.node), made_of.channels_last);
                      for (const Reading& reading : readings[made_of.node]) {
                        fake_quantize_along(made_of.values, rounded, axis, reading.quantizer);
                        add_power(found[batch.first / activation_batch][reading.at], made_of.values, rounded);
                      }
                    });
                  });
  }
  std::vector<double> noise(job.cases.size(), 0.0);
  for (std::size_t c = 0; c < noise.size(); ++c) {
    for (std::size_t operand = first_operand[c]; operand < first_operand[c + 1]; ++operand) {
      Power sum;
      for (const std::vector<Power>& batch : found) {
        sum.noise += batch[operand].noise;
        sum.signal += batch[operand].signal;
      }
      noise[c] += ratio(sum);
    }
  }
  return noise;
}

LossGradients loss_gradients(const SensitivityJob& job) {
  const Design frozen = with_frozen_norms(job.network);
  const Network& network = frozen.network;
  const std::vector<ParameterBlock> blocks = parameter_blocks(network);
  const std::vector<float> parameters = flatten(network, *frozen.weights);
  const bool softmax = network.op(network.outputs().front()).kind == OpKind::softmax;
  const auto classes = static_cast<std::size_t>(network.shape(network.outputs().front()).back());
  // Sums of a fixed number of images each, so that they do not depend on the threads.
  constexpr std::size_t share = 16;
  const std::size_t shares = (job.images.size() + share - 1) / share;
  LossGradients gradients{std::vector<double>(parameters.size(), 0.0), std::vector<double>(parameters.size(), 0.0), {}};
  std::vector<std::vector<float>> means(shares), squares(shares);
  visit_batches(network, job.images, job.normalisation, share, job.options.threads, [&](const ImageBatchView& batch) {
    TrainingGraph graph(network, {.threads = 1});
    std::ranges::copy(parameters, graph.parameters().begin());
    std::vector<float>& mean = means[batch.first / share];
    std::vector<float>& square = squares[batch.first / share];
    mean.resize(parameters.size());
    square.resize(parameters.size());
    const std::size_t size = batch.values.size() / batch.count;
    for (std::size_t i = 0; i < batch.count; ++i) {
      std::ranges::copy(batch.values.subspan(i * size, size), graph.input().begin());
      graph.forward();
      const std::int32_t label = job.images.label(batch.first + i);
      if (softmax) {  // the loss is -ln of an answer
        std::ranges::fill(graph.output_gradient(), 0.0F);
        const float answer = std::max(graph.output()[static_cast<std::size_t>(label)], 1e-12F);
        graph.output_gradient()[static_cast<std::size_t>(label)] = -1.0F / answer;
      } else {
        const std::vector<float> targets = smoothed_targets(std::span(&label, 1), classes);
        const LossTerm term{.targets = targets};
        cross_entropy(graph.output(), classes, std::span(&term, 1), graph.output_gradient());
      }
      graph.backward();
      const std::span<const float> gradient = graph.gradient();
      for (std::size_t p = 0; p < gradient.size(); ++p) {
        mean[p] += gradient[p];
        square[p] += gradient[p] * gradient[p];
      }
    }
  });
  const auto images = static_cast<double>(job.images.size());
  for (std::size_t s = 0; s < shares; ++s) {
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      gradients.mean[p] += static_cast<double>(means[s][p]) / images;
      gradients.square[p] += static_cast<double>(squares[s][p]) / images;
    }
  }
  for (const ParameterBlock& block : blocks) {
    if (block.kind == ParameterBlock::Kind::kernel) gradients.kernels[block.node] = block.offset;
  }
  return gradients;
}

TaylorSums taylor_sums(const LossGradients& gradients, NodeId node, std::span<const float> kernel,
                       std::span<const float> rounded) {
  const std::size_t offset = gradients.kernels.at(node);
  TaylorSums sums;
  for (std::size_t i = 0; i < kernel.size(); ++i) {
    const auto weight = static_cast<double>(kernel[i]), change = static_cast<double>(rounded[i]) - weight;
    const double slope = gradients.mean[offset + i], curvature = gradients.square[offset + i];
    sums.change += std::abs(slope * change);
    sums.signed_change += slope * change;
    sums.weight += std::abs(slope * weight);
    sums.squared_change += 0.5 * curvature * change * change;
    sums.squared_weight += 0.5 * curvature * weight * weight;
  }
  return sums;
}

double TaylorSums::first_order(double r) const { return change + std::sqrt(r) * weight; }
double TaylorSums::second_order(double r) const {
  return std::abs(signed_change) + squared_change + r * squared_weight;
}

}  // namespace ridgeline::sensitivity
