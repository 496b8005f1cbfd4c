#include "kernels/reference.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <stdexcept>

#include "spaces/rng.hpp"

namespace ridgeline {

namespace {

using Index = std::int64_t;
using Inputs = std::span<const Tensor* const>;

std::size_t at(Index index) { return static_cast<std::size_t>(index); }

std::vector<Shape> shapes_of(Inputs inputs) {
  std::vector<Shape> shapes;
  for (const Tensor* input : inputs) shapes.push_back(input->shape);
  return shapes;
}

Index normalised_axis(int axis, const Shape& shape) {
  return axis < 0 ? axis + static_cast<Index>(shape.size()) : axis;
}

Index product(const Shape& shape, Index from, Index to) {
  Index result = 1;
  for (Index i = from; i < to; ++i) result *= shape[at(i)];
  return result;
}

void conv2d(const Op& op, const Tensor& x, const NodeWeights& weights, Tensor& y) {
  const Index in_channels = x.shape[1], height = x.shape[2], width = x.shape[3];
  const Index out_channels = y.shape[1], out_height = y.shape[2], out_width = y.shape[3];
  const Index group_in = in_channels / op.groups, group_out = out_channels / op.groups;
  for (Index n = 0; n < y.shape[0]; ++n)
    for (Index oc = 0; oc < out_channels; ++oc)
      for (Index oh = 0; oh < out_height; ++oh)
        for (Index ow = 0; ow < out_width; ++ow) {
          double sum = weights.bias.empty() ? 0.0 : static_cast<double>(weights.bias[at(oc)]);
          for (Index ic = 0; ic < group_in; ++ic)
            for (Index kh = 0; kh < op.kernel[0]; ++kh)
              for (Index kw = 0; kw < op.kernel[1]; ++kw) {
                const Index h = oh * op.stride[0] - op.padding[0] + kh * op.dilation[0];
                const Index w = ow * op.stride[1] - op.padding[1] + kw * op.dilation[1];
                if (h < 0 || h >= height || w < 0 || w >= width) continue;
                const Index c = (oc / group_out) * group_in + ic;
                const Index from = ((n * in_channels + c) * height + h) * width + w;
                const Index tap = ((oc * group_in + ic) * op.kernel[0] + kh) * op.kernel[1] + kw;
                sum += static_cast<double>(x.values[at(from)]) * static_cast<double>(weights.kernel[at(tap)]);
              }
          const Index to = ((n * out_channels + oc) * out_height + oh) * out_width + ow;
          y.values[at(to)] = static_cast<float>(sum);
        }
}

void linear(const Tensor& x, const NodeWeights& weights, Tensor& y) {
  const Index in = x.shape.back(), out = y.shape.back(), rows = elements(x.shape) / in;
  for (Index r = 0; r < rows; ++r)
    for (Index o = 0; o < out; ++o) {
      double sum = weights.bias.empty() ? 0.0 : static_cast<double>(weights.bias[at(o)]);
      for (Index i = 0; i < in; ++i)
        sum += static_cast<double>(x.values[at(r * in + i)]) * static_cast<double>(weights.kernel[at(o * in + i)]);
      y.values[at(r * out + o)] = static_cast<float>(sum);
    }
}

void matmul(const Op& op, const Tensor& a, const Tensor& b, Tensor& y) {
  const Index rows = y.shape[y.shape.size() - 2], columns = y.shape.back(), inner = a.shape.back();
  const Index batches = elements(y.shape) / (rows * columns);
  for (Index s = 0; s < batches; ++s)
    for (Index i = 0; i < rows; ++i)
      for (Index j = 0; j < columns; ++j) {
        double sum = 0.0;
        for (Index k = 0; k < inner; ++k) {
          const Index left = (s * rows + i) * inner + k;
          const Index right = op.transpose_b ? (s * columns + j) * inner + k : (s * inner + k) * columns + j;
          sum += static_cast<double>(a.values[at(left)]) * static_cast<double>(b.values[at(right)]);
        }
        y.values[at((s * rows + i) * columns + j)] = static_cast<float>(sum);
      }
}

void batch_norm(const Op& op, const Tensor& x, const NodeWeights& weights, Tensor& y) {
  const Index channels = x.shape[1], inner = product(x.shape, 2, static_cast<Index>(x.shape.size()));
  for (Index i = 0; i < elements(x.shape); ++i) {
    const std::size_t c = at(i / inner % channels);
    const double spread = std::sqrt(static_cast<double>(weights.variance[c]) + op.epsilon);
    const double centred = static_cast<double>(x.values[at(i)]) - static_cast<double>(weights.mean[c]);
    y.values[at(i)] = static_cast<float>(centred / spread * static_cast<double>(weights.scale[c]) +
                                         static_cast<double>(weights.shift[c]));
  }
}

void layer_norm(const Op& op, const Tensor& x, const NodeWeights& weights, Tensor& y) {
  const Index width = x.shape.back(), rows = elements(x.shape) / width;
  for (Index r = 0; r < rows; ++r) {
    double mean = 0.0, variance = 0.0;
    for (Index i = 0; i < width; ++i) mean += static_cast<double>(x.values[at(r * width + i)]);
    mean /= static_cast<double>(width);
    for (Index i = 0; i < width; ++i) variance += std::pow(static_cast<double>(x.values[at(r * width + i)]) - mean, 2);
    variance /= static_cast<double>(width);
    for (Index i = 0; i < width; ++i) {
      const double centred = static_cast<double>(x.values[at(r * width + i)]) - mean;
      y.values[at(r * width + i)] =
          static_cast<float>(centred / std::sqrt(variance + op.epsilon) * static_cast<double>(weights.scale[at(i)]) +
                             static_cast<double>(weights.shift[at(i)]));
    }
  }
}

void softmax(const Op& op, const Tensor& x, Tensor& y) {
  const Index axis = normalised_axis(op.axis, x.shape), length = x.shape[at(axis)];
  const Index outer = product(x.shape, 0, axis), inner = product(x.shape, axis + 1, static_cast<Index>(x.shape.size()));
  for (Index o = 0; o < outer; ++o)
    for (Index i = 0; i < inner; ++i) {
      const auto where = [&](Index k) { return at((o * length + k) * inner + i); };
      double largest = -std::numeric_limits<double>::infinity(), sum = 0.0;
      for (Index k = 0; k < length; ++k) largest = std::max(largest, static_cast<double>(x.values[where(k)]));
      for (Index k = 0; k < length; ++k) sum += std::exp(static_cast<double>(x.values[where(k)]) - largest);
      for (Index k = 0; k < length; ++k)
        y.values[where(k)] = static_cast<float>(std::exp(static_cast<double>(x.values[where(k)]) - largest) / sum);
    }
}

// add and mul; the second operand may be [N, C, 1, 1], spread over the first.
void elementwise(OpKind kind, const Tensor& a, const Tensor& b, Tensor& y) {
  const Index spread = elements(a.shape) / elements(b.shape);
  for (Index i = 0; i < elements(y.shape); ++i) {
    const float left = a.values[at(i)], right = b.values[at(i / spread)];
    y.values[at(i)] = kind == OpKind::add ? left + right : left * right;
  }
}

void concat(const Op& op, Inputs inputs, Tensor& y) {
  const Index axis = normalised_axis(op.axis, y.shape);
  const Index outer = product(y.shape, 0, axis), inner = product(y.shape, axis + 1, static_cast<Index>(y.shape.size()));
  Index to = 0;
  for (Index o = 0; o < outer; ++o)
    for (const Tensor* input : inputs) {
      const Index run = input->shape[at(axis)] * inner;
      std::copy_n(input->values.begin() + o * run, run, y.values.begin() + to);
      to += run;
    }
}

void pool(const Op& op, const Tensor& x, Tensor& y) {
  const Index height = x.shape[2], width = x.shape[3], out_height = y.shape[2], out_width = y.shape[3];
  for (Index plane = 0; plane < x.shape[0] * x.shape[1]; ++plane)
    for (Index oh = 0; oh < out_height; ++oh)
      for (Index ow = 0; ow < out_width; ++ow) {
        double largest = -std::numeric_limits<double>::infinity(), sum = 0.0;
        Index count = 0;
        for (Index kh = 0; kh < op.kernel[0]; ++kh)
          for (Index kw = 0; kw < op.kernel[1]; ++kw) {
            const Index h = oh * op.stride[0] - op.padding[0] + kh, w = ow * op.stride[1] - op.padding[1] + kw;
            if (h < 0 || h >= height || w < 0 || w >= width) continue;
            const auto value = static_cast<double>(x.values[at((plane * height + h) * width + w)]);
            largest = std::max(largest, value);
            sum += value;
            ++count;
          }
        if (op.count_include_pad) count = static_cast<Index>(op.kernel[0]) * op.kernel[1];
        const double result = op.kind == OpKind::max_pool ? largest : sum / static_cast<double>(count);
        y.values[at((plane * out_height + oh) * out_width + ow)] = static_cast<float>(result);
      }
}

void global_avg_pool(const Tensor& x, Tensor& y) {
  const Index area = x.shape[2] * x.shape[3];
  for (Index plane = 0; plane < x.shape[0] * x.shape[1]; ++plane) {
    double sum = 0.0;
    for (Index i = 0; i < area; ++i) sum += static_cast<double>(x.values[at(plane * area + i)]);
    y.values[at(plane)] = static_cast<float>(sum / static_cast<double>(area));
  }
}

void transpose(const Op& op, const Tensor& x, Tensor& y) {
  const std::size_t rank = x.shape.size();
  std::vector<Index> stride(rank, 1);
  for (std::size_t d = rank - 1; d > 0; --d) stride[d - 1] = stride[d] * x.shape[d];
  for (Index to = 0; to < elements(y.shape); ++to) {
    Index rest = to, from = 0;
    for (std::size_t d = rank; d > 0; --d) {
      from += rest % y.shape[d - 1] * stride[at(op.shape[d - 1])];
      rest /= y.shape[d - 1];
    }
    y.values[at(to)] = x.values[at(from)];
  }
}

}  // namespace

double reference_activation(OpKind kind, double x) {
  switch (kind) {
    case OpKind::relu:
      return std::max(x, 0.0);
    case OpKind::relu6:
      return std::clamp(x, 0.0, 6.0);
    case OpKind::hard_swish:
      return x * std::clamp(x / 6.0 + 0.5, 0.0, 1.0);
    case OpKind::hard_sigmoid:
      return std::clamp(x / 6.0 + 0.5, 0.0, 1.0);
    case OpKind::sigmoid:
      return 1.0 / (1.0 + std::exp(-x));
    case OpKind::swish:
      return x / (1.0 + std::exp(-x));
    case OpKind::gelu:
      return 0.5 * x * (1.0 + std::erf(x / std::numbers::sqrt2));
    default:
      throw std::logic_error(std::string(name_of(kind)) + " is no activation");
  }
}

Tensor reference_op(const Op& op, Inputs inputs, const NodeWeights& weights) {
  Tensor y;
  y.shape = infer_shape(op, shapes_of(inputs));
  y.values.resize(at(elements(y.shape)));
  const Tensor& x = *inputs[0];
  switch (op.kind) {
    case OpKind::conv2d:
      conv2d(op, x, weights, y);
      break;
    case OpKind::linear:
      linear(x, weights, y);
      break;
    case OpKind::matmul:
      matmul(op, x, *inputs[1], y);
      break;
    case OpKind::batch_norm:
      batch_norm(op, x, weights, y);
      break;
    case OpKind::layer_norm:
      layer_norm(op, x, weights, y);
      break;
    case OpKind::softmax:
      softmax(op, x, y);
      break;
    case OpKind::add:
    case OpKind::mul:
      elementwise(op.kind, x, *inputs[1], y);
      break;
    case OpKind::concat:
      concat(op, inputs, y);
      break;
    case OpKind::max_pool:
    case OpKind::avg_pool:
      pool(op, x, y);
      break;
    case OpKind::global_avg_pool:
      global_avg_pool(x, y);
      break;
    case OpKind::transpose:
      transpose(op, x, y);
      break;
    case OpKind::zero:
      break;
    case OpKind::reshape:
    case OpKind::flatten:
    case OpKind::identity:
      y.values = x.values;
      break;
    default:
      std::transform(x.values.begin(), x.values.end(), y.values.begin(), [&](float value) {
        return static_cast<float>(reference_activation(op.kind, static_cast<double>(value)));
      });
  }
  return y;
}

std::vector<Tensor> run_reference(const Design& design, std::span<const float> input, std::uint64_t seed) {
  const Network& network = design.network;
  const Weights untrained = design.weights ? Weights{} : untrained_weights(network, seed);
  const Weights& weights = design.weights ? *design.weights : untrained;
  std::vector<Tensor> outputs;
  for (NodeId node = 0; node < network.size(); ++node) {
    if (network.op(node).kind == OpKind::input) {
      outputs.push_back({network.shape(node), {input.begin(), input.end()}});
      continue;
    }
    std::vector<const Tensor*> inputs;
    for (const NodeId from : network.inputs(node)) inputs.push_back(&outputs[from]);
    outputs.push_back(reference_op(network.op(node), inputs, weights[node]));
  }
  return outputs;
}

NodeWeights untrained_weights(const Network& network, NodeId node, std::uint64_t seed) {
  const Op& op = network.op(node);
  NodeWeights weights;
  if (!has_weights(op.kind)) return weights;
  const Shape& shape = network.shape(network.inputs(node)[0]);
  if (op.kind == OpKind::batch_norm || op.kind == OpKind::layer_norm) {
    const std::size_t width = at(op.kind == OpKind::batch_norm ? shape[1] : shape.back());
    weights.scale.assign(width, 1.0F);
    weights.shift.assign(width, 0.0F);
    if (op.kind == OpKind::batch_norm) {
      weights.mean.assign(width, 0.0F);
      weights.variance.assign(width, 1.0F);
    }
    return weights;
  }
  constexpr std::size_t pool_size = 8191;  // prime: no layer's rows repeat in step with it
  std::array<float, pool_size> pool;
  Rng rng(seed, "untrained weights");
  for (float& value : pool) value = static_cast<float>(rng.normal());
  const Index fan_in = op.kind == OpKind::conv2d ? shape[1] / op.groups * op.kernel[0] * op.kernel[1] : shape.back();
  const float scale = std::sqrt(2.0F / static_cast<float>(fan_in));
  weights.kernel.resize(at(op.channels * fan_in));
  for (std::size_t i = 0; i < weights.kernel.size(); i += pool_size) {
    const std::size_t run = std::min(pool_size, weights.kernel.size() - i);
    for (std::size_t j = 0; j < run; ++j) weights.kernel[i + j] = pool[j] * scale;
  }
  if (op.bias) {
    weights.bias.resize(at(op.channels));
    for (std::size_t i = 0; i < weights.bias.size(); ++i) weights.bias[i] = 0.1F * pool[i % pool_size];
  }
  return weights;
}

Weights untrained_weights(const Network& network, std::uint64_t seed) {
  Weights weights;
  for (NodeId node = 0; node < network.size(); ++node) weights.push_back(untrained_weights(network, node, seed));
  return weights;
}

std::vector<float> seeded_input(const Shape& shape, std::uint64_t seed) {
  Rng rng(seed, "input");
  std::vector<float> values(at(elements(shape)));
  for (float& value : values) value = static_cast<float>(2.0 * rng.uniform() - 1.0);
  return values;
}

}  // namespace ridgeline
