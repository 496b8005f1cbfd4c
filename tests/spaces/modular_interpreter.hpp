// Runs a network in exact arithmetic modulo 2^64, to tell functions apart without rounding.
//
// Sums, convolutions and matrix products are what they are; relu and max compare as signed numbers; a mean is a sum
// times a constant that depends on the number of values. A product is commutative, associative and zero with a zero,
// but does not distribute over sums, as no rewriting here uses that. The other functions are scrambles that keep zero
// exactly where the true function does. The weights of an operator are drawn from its attributes and its input's
// values, so two networks give equal outputs exactly when their outputs are equal expressions (but for a chance of
// about 2^-64, and for identities of these integers such as relu after max).
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <stdexcept>
#include <vector>

#include "spaces/counts.hpp"
#include "spaces/hash.hpp"
#include "spaces/network.hpp"
#include "spaces/rng.hpp"

namespace ridgeline::test {

class ModularInterpreter {
 public:
  using Tensor = std::vector<std::uint64_t>;

  explicit ModularInterpreter(const Network& network) : network_(network), values_(network.size()) {
    std::uint64_t inputs = 0;
    for (const NodeId node : network.live_nodes()) {
      if (network.op(node).kind == OpKind::input) {
        values_[node].resize(count(node));
        Rng rng(7, "input", inputs++);
        for (std::uint64_t& value : values_[node]) value = rng.next();
      } else {
        values_[node] = run(node);
      }
    }
  }

  std::vector<Tensor> outputs() const {
    std::vector<Tensor> outputs;
    for (const NodeId output : network_.outputs()) outputs.push_back(values_[output]);
    return outputs;
  }

  const Tensor& value(NodeId node) const { return values_[node]; }
  bool is_zero(NodeId node) const {
    return std::all_of(values_[node].begin(), values_[node].end(), [](std::uint64_t x) { return x == 0; });
  }

 private:
  std::size_t count(NodeId node) const { return static_cast<std::size_t>(elements(network_.shape(node))); }
  const Tensor& in(NodeId node, std::size_t i = 0) const { return values_[network_.inputs(node)[i]]; }
  const Shape& in_shape(NodeId node, std::size_t i = 0) const { return network_.shape(network_.inputs(node)[i]); }

  static std::uint64_t keep_zero(std::uint64_t x, std::uint64_t salt) { return x == 0 ? 0 : mix64(x + salt) | 1; }

  static std::uint64_t unmix64(std::uint64_t x) {  // the inverse of mix64
    x ^= (x >> 31) ^ (x >> 62);
    x *= 0x319642b2d24d8ec3ULL;
    x ^= (x >> 27) ^ (x >> 54);
    x *= 0x96de1b173f119089ULL;
    return x ^ (x >> 30) ^ (x >> 60);
  }

  static std::uint64_t product(std::uint64_t a, std::uint64_t b) {
    return a == 0 || b == 0 ? 0 : unmix64(mix64(a) + mix64(b));
  }

  Rng weight_source(NodeId node) const {
    const Op& op = network_.op(node);
    Hasher hasher;
    hasher.add(static_cast<int>(op.kind)).add(op.channels).add(op.kernel[0]).add(op.kernel[1]).add(op.stride[0]);
    hasher.add(op.stride[1]).add(op.groups).add(op.epsilon).add(op.bias ? 1 : 0);
    for (const std::uint64_t value : in(node)) hasher.add(value);
    return Rng(hasher.value());
  }

  Tensor elementwise(NodeId node, auto function) const {
    Tensor out = in(node);
    std::transform(out.begin(), out.end(), out.begin(), function);
    return out;
  }

  Tensor run(NodeId node) const {
    const Op& op = network_.op(node);
    const auto salt = static_cast<std::uint64_t>(op.kind) << 32;
    switch (op.kind) {
      case OpKind::conv2d:
        return convolve(node);
      case OpKind::linear:
        return multiply_rows(node);
      case OpKind::batch_norm:
      case OpKind::layer_norm:
        return scale_and_shift(node);
      case OpKind::relu:
        return elementwise(node, [](std::uint64_t x) { return static_cast<std::int64_t>(x) > 0 ? x : 0; });
      case OpKind::relu6:
        return elementwise(node, [](std::uint64_t x) {
          const auto value = static_cast<std::int64_t>(x);
          return value > 0 ? static_cast<std::uint64_t>(std::min(value, std::int64_t{1} << 61)) : 0;
        });
      case OpKind::hard_swish:
      case OpKind::swish:
      case OpKind::gelu:
        return elementwise(node, [&](std::uint64_t x) { return keep_zero(x, salt); });
      case OpKind::hard_sigmoid:
      case OpKind::sigmoid:
        return elementwise(node, [&](std::uint64_t x) { return mix64(x + salt + 1); });
      case OpKind::softmax: {
        std::uint64_t all = salt;
        for (const std::uint64_t value : in(node)) all = mix64(all ^ value);
        return elementwise(node, [&](std::uint64_t x) { return mix64(x ^ all); });
      }
      case OpKind::add:
      case OpKind::mul:
        return combine(node);
      case OpKind::concat:
        return concatenate(node);
      case OpKind::max_pool:
      case OpKind::avg_pool:
        return slide(node);
      case OpKind::global_avg_pool:
        return means(node);
      case OpKind::zero:
        return Tensor(count(node), 0);
      case OpKind::identity:
      case OpKind::reshape:
      case OpKind::flatten:
        return in(node);
      case OpKind::transpose:
        if (std::is_sorted(op.shape.begin(), op.shape.end())) return in(node);
        [[fallthrough]];
      default:
        throw std::logic_error("an operator that no random network holds");
    }
  }

  // Calls at(output index, image index of the top left corner) for every window of every channel plane of the output.
  void for_windows(NodeId node, auto at) const {
    const Shape& out = network_.shape(node);
    std::size_t index = 0;
    for (std::int64_t plane = 0; plane < out[0] * out[1]; ++plane) {
      for (std::int64_t y = 0; y < out[2]; ++y) {
        for (std::int64_t x = 0; x < out[3]; ++x) {
          at(index++, plane, y * network_.op(node).stride[0] - network_.op(node).padding[0],
             x * network_.op(node).stride[1] - network_.op(node).padding[1]);
        }
      }
    }
  }

  const std::uint64_t* pixel(NodeId node, std::int64_t plane, std::int64_t y, std::int64_t x) const {
    const Shape& shape = in_shape(node);
    if (y < 0 || x < 0 || y >= shape[2] || x >= shape[3]) return nullptr;
    return &in(node)[static_cast<std::size_t>((plane * shape[2] + y) * shape[3] + x)];
  }

  Tensor convolve(NodeId node) const {
    const Op& op = network_.op(node);
    const std::int64_t depth = in_shape(node)[1] / op.groups;
    Rng rng = weight_source(node);
    Tensor kernel(static_cast<std::size_t>(op.channels * depth * op.kernel[0] * op.kernel[1]));
    for (std::uint64_t& weight : kernel) weight = rng.next();
    Tensor bias(static_cast<std::size_t>(op.channels), 0);
    for (std::uint64_t& value : bias) value = op.bias ? rng.next() : 0;
    Tensor out(count(node));
    for_windows(node, [&](std::size_t index, std::int64_t plane, std::int64_t top, std::int64_t left) {
      const std::int64_t channel = plane % op.channels;
      const std::int64_t first = plane / op.channels * in_shape(node)[1] + channel / (op.channels / op.groups) * depth;
      std::uint64_t sum = bias[static_cast<std::size_t>(channel)];
      std::size_t weight = static_cast<std::size_t>(channel * depth * op.kernel[0] * op.kernel[1]);
      for (std::int64_t c = 0; c < depth; ++c) {
        for (int y = 0; y < op.kernel[0]; ++y) {
          for (int x = 0; x < op.kernel[1]; ++x, ++weight) {
            const auto* value = pixel(node, first + c, top + y * op.dilation[0], left + x * op.dilation[1]);
            if (value != nullptr) sum += *value * kernel[weight];
          }
        }
      }
      out[index] = sum;
    });
    return out;
  }

  Tensor slide(NodeId node) const {
    const Op& op = network_.op(node);
    Tensor out(count(node));
    for_windows(node, [&](std::size_t index, std::int64_t plane, std::int64_t top, std::int64_t left) {
      std::int64_t best = std::numeric_limits<std::int64_t>::min();
      std::uint64_t sum = 0;
      std::uint64_t inside = 0;
      for (int y = 0; y < op.kernel[0]; ++y) {
        for (int x = 0; x < op.kernel[1]; ++x) {
          const auto* value = pixel(node, plane, top + y, left + x);
          if (value == nullptr) continue;
          best = std::max(best, static_cast<std::int64_t>(*value));
          sum += *value;
          ++inside;
        }
      }
      if (op.count_include_pad) inside = static_cast<std::uint64_t>(op.kernel[0] * op.kernel[1]);
      const std::uint64_t mean = inside == 1 ? sum : sum * (mix64(inside) | 1);
      out[index] = op.kind == OpKind::max_pool ? static_cast<std::uint64_t>(best) : mean;
    });
    return out;
  }

  Tensor means(NodeId node) const {
    const std::size_t planes = count(node);
    const std::size_t each = in(node).size() / planes;
    Tensor out(planes, 0);
    for (std::size_t i = 0; i < in(node).size(); ++i) out[i / each] += in(node)[i];
    for (std::uint64_t& value : out) value *= each == 1 ? 1 : mix64(each) | 1;
    return out;
  }

  Tensor multiply_rows(NodeId node) const {
    const auto depth = static_cast<std::size_t>(in_shape(node).back());
    const auto channels = static_cast<std::size_t>(network_.op(node).channels);
    Rng rng = weight_source(node);
    Tensor kernel(depth * channels + channels);
    for (std::uint64_t& weight : kernel) weight = rng.next();
    Tensor out(count(node));
    for (std::size_t i = 0; i < out.size(); ++i) {
      const std::size_t channel = i % channels;
      out[i] = network_.op(node).bias ? kernel[depth * channels + channel] : 0;
      for (std::size_t j = 0; j < depth; ++j)
        out[i] += in(node)[i / channels * depth + j] * kernel[channel * depth + j];
    }
    return out;
  }

  Tensor scale_and_shift(NodeId node) const {
    const Shape& shape = network_.shape(node);
    const bool batch = network_.op(node).kind == OpKind::batch_norm;
    const auto channels = static_cast<std::size_t>(batch ? shape[1] : shape.back());
    const std::size_t inner = batch ? count(node) / static_cast<std::size_t>(shape[0] * shape[1]) : 1;
    Rng rng = weight_source(node);
    Tensor pairs(2 * channels);
    for (std::uint64_t& value : pairs) value = rng.next() | 1;
    Tensor out = in(node);
    for (std::size_t i = 0; i < out.size(); ++i) {
      const std::size_t channel = i / inner % channels;
      out[i] = out[i] * pairs[2 * channel] + pairs[2 * channel + 1];
    }
    return out;
  }

  Tensor combine(NodeId node) const {
    const Tensor& b = in(node, 1);
    Tensor out = in(node);
    const std::size_t spread = out.size() / b.size();
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = network_.op(node).kind == OpKind::add ? out[i] + b[i / spread] : product(out[i], b[i / spread]);
    }
    return out;
  }

  Tensor concatenate(NodeId node) const {  // along the channels of a batch of one
    Tensor out;
    for (std::size_t i = 0; i < network_.inputs(node).size(); ++i) {
      out.insert(out.end(), in(node, i).begin(), in(node, i).end());
    }
    return out;
  }

  const Network& network_;
  std::vector<Tensor> values_;
};

}  // namespace ridgeline::test
