#include "kernels/quantization/relevance.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace ridgeline {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using View = Eigen::Map<Matrix>;
using ConstView = Eigen::Map<const Matrix>;
using Index = std::int64_t;

std::size_t at(Index index) { return static_cast<std::size_t>(index); }

double sum_of(std::span<const float> values) { return std::accumulate(values.begin(), values.end(), 0.0); }

// Of the factors of a product z = a b: all of both by the epsilon rule; by the positive rule what is positive in both,
// and what is negative in both, which together are the positive contributions.
std::vector<Matrix> halves(const ConstView& factor, RelevanceRule rule) {
  if (rule == RelevanceRule::epsilon) return {factor};
  return {factor.cwiseMax(0.0F), factor.cwiseMin(0.0F)};
}

bool any_negative(const ConstView& factor) { return factor.size() > 0 && factor.minCoeff() < 0.0F; }

// R_j / z_j, stabilised; 0 where nothing contributes.
void divide(std::span<const float> relevance, std::span<float> z, const RelevanceOptions& options) {
  double squares = 0;
  for (const float one : z) squares += static_cast<double>(one) * static_cast<double>(one);
  const double spread = z.empty() ? 0.0 : std::sqrt(squares / static_cast<double>(z.size()));
  const auto epsilon = static_cast<float>(options.rule == RelevanceRule::epsilon ? options.epsilon * spread : 0.0);
  for (std::size_t i = 0; i < z.size(); ++i) {
    const float stable = z[i] + (z[i] < 0 ? -epsilon : epsilon);
    z[i] = std::abs(stable) < std::numeric_limits<float>::min() ? 0.0F : relevance[i] / stable;
  }
}

std::span<float> span_of(Matrix& matrix) { return {matrix.data(), static_cast<std::size_t>(matrix.size())}; }

// One image of a group of a convolution as the columns of a matrix product, and back.
class Patches {
 public:
  Patches(const Op& op, const Shape& x, const Shape& y)
      : op_(op), channels_(x[1] / op.groups), height_(x[2]), width_(x[3]), out_height_(y[2]), out_width_(y[3]) {}

  Index taps() const { return channels_ * op_.kernel[0] * op_.kernel[1]; }
  Index positions() const { return out_height_ * out_width_; }
  Index size() const { return channels_ * height_ * width_; }

  void gather(const float* image, Matrix& columns) const {
    columns.setZero(taps(), positions());
    visit([&](Index tap, Index position, Index from) { columns(tap, position) = image[from]; });
  }
  void scatter(const Matrix& columns, float* image) const {
    visit([&](Index tap, Index position, Index to) { image[to] += columns(tap, position); });
  }

 private:
  template <typename Do>
  void visit(const Do& act) const {
    Index tap = 0;
    for (Index c = 0; c < channels_; ++c)
      for (Index kh = 0; kh < op_.kernel[0]; ++kh)
        for (Index kw = 0; kw < op_.kernel[1]; ++kw, ++tap)
          for (Index oh = 0; oh < out_height_; ++oh) {
            const Index h = oh * op_.stride[0] - op_.padding[0] + kh * op_.dilation[0];
            if (h < 0 || h >= height_) continue;
            for (Index ow = 0; ow < out_width_; ++ow) {
              const Index w = ow * op_.stride[1] - op_.padding[1] + kw * op_.dilation[1];
              if (w >= 0 && w < width_) act(tap, oh * out_width_ + ow, (c * height_ + h) * width_ + w);
            }
          }
  }

  const Op& op_;
  Index channels_, height_, width_, out_height_, out_width_;
};

class Propagation {
 public:
  Propagation(const Design& design, std::span<const Tensor> activations, const RelevanceOptions& options)
      : network_(design.network), weights_(*design.weights), activations_(activations), options_(options) {
    result_.nodes.resize(network_.size());
    result_.absorbed.resize(network_.size(), 0.0);
  }

  Relevance run(std::span<const float> output) {
    const std::vector<NodeId> live = network_.live_nodes();
    for (const NodeId node : live) {
      const Shape& shape = activations_[node].shape;
      if (activations_[node].values.size() != at(elements(shape))) {
        throw std::invalid_argument("an activation is missing");
      }
      result_.nodes[node] = {shape, std::vector<float>(at(elements(shape)), 0.0F)};
    }
    std::vector<float>& last = result_.nodes[network_.outputs().front()].values;
    if (output.size() != last.size()) throw std::invalid_argument("relevance is not that of the network's output");
    last.assign(output.begin(), output.end());
    for (auto node = live.rbegin(); node != live.rend(); ++node) {
      if (network_.op(*node).kind != OpKind::input) hand_down(*node);
    }
    return std::move(result_);
  }

 private:
  const Tensor& x(NodeId node, std::size_t input = 0) const { return activations_[network_.inputs(node)[input]]; }
  std::vector<float>& below(NodeId node, std::size_t input = 0) {
    return result_.nodes[network_.inputs(node)[input]].values;
  }
  const Tensor& above(NodeId node) const { return result_.nodes[node]; }

  void hand_down(NodeId node) {
    std::vector<NodeId> inputs(network_.inputs(node).begin(), network_.inputs(node).end());
    std::ranges::sort(inputs);
    inputs.erase(std::unique(inputs.begin(), inputs.end()), inputs.end());
    const auto held = [&] {
      double sum = 0;
      for (const NodeId input : inputs) sum += sum_of(result_.nodes[input].values);
      return sum;
    };
    const double before = held();
    distribute(node);
    result_.absorbed[node] = sum_of(above(node).values) - (held() - before);
  }

  void distribute(NodeId node) {
    switch (network_.op(node).kind) {
      case OpKind::conv2d:
        return convolution(node);
      case OpKind::linear:
        return linear(node);
      case OpKind::matmul:
        return product(node);
      case OpKind::add:
        return sum(node);
      case OpKind::mul:
        return gate(node);
      case OpKind::concat:
        return concatenation(node);
      case OpKind::max_pool:
        return largest(node);
      case OpKind::avg_pool:
      case OpKind::global_avg_pool:
        return mean(node);
      case OpKind::transpose:
        return transposition(node);
      case OpKind::zero:
        return;
      default:  // what keeps every number in its place
        for (std::size_t i = 0; i < above(node).values.size(); ++i) below(node)[i] += above(node).values[i];
    }
  }

  void convolution(NodeId node) {
    const Op& op = network_.op(node);
    const Shape &in = x(node).shape, &out = above(node).shape;
    const Patches patches(op, in, out);
    const Index channels = out[1] / op.groups;
    std::vector<std::vector<Matrix>> kernels;  // one a group, its halves
    for (Index g = 0; g < op.groups; ++g) {
      const float* kernel = weights_[node].kernel.data() + g * channels * patches.taps();
      kernels.push_back(halves(ConstView(kernel, channels, patches.taps()), options_.rule));
    }
    Matrix columns;
    std::vector<float> half(at(patches.size())), shares(at(patches.size()));
    for (Index block = 0; block < in[0] * op.groups; ++block) {  // an image's channels of one group
      const float* image = x(node).values.data() + block * patches.size();
      float* to = below(node).data() + block * patches.size();
      const std::span<const float> relevance(above(node).values.data() + block * channels * patches.positions(),
                                             at(channels * patches.positions()));
      const std::vector<Matrix>& kernel = kernels[at(block % op.groups)];
      const bool split = options_.rule == RelevanceRule::positive;
      const std::size_t parts = split && any_negative(ConstView(image, 1, patches.size())) ? 2 : 1;
      const auto part_of = [&](std::size_t part, float value) {
        return !split ? value : part == 0 ? std::max(value, 0.0F) : std::min(value, 0.0F);
      };
      Matrix z = Matrix::Zero(channels, patches.positions());
      for (std::size_t part = 0; part < parts; ++part) {
        for (std::size_t i = 0; i < half.size(); ++i) half[i] = part_of(part, image[i]);
        patches.gather(half.data(), columns);
        z.noalias() += kernel[part] * columns;
      }
      divide(relevance, span_of(z), options_);
      for (std::size_t part = 0; part < parts; ++part) {
        columns.noalias() = kernel[part].transpose() * z;
        std::ranges::fill(shares, 0.0F);
        patches.scatter(columns, shares.data());
        for (std::size_t i = 0; i < shares.size(); ++i) to[i] += part_of(part, image[i]) * shares[i];
      }
    }
  }

  // Rows of `a` [rows, inner] times `b` [inner, columns], whose relevance is `relevance`: what both of them get.
  struct Shares {
    Matrix a, b;
  };
  Shares shares_of(const ConstView& a, const ConstView& b, std::span<const float> relevance, bool of_b) const {
    const std::vector<Matrix> left = halves(a, options_.rule), right = halves(b, options_.rule);
    const std::size_t parts = left.size() > 1 && !any_negative(a) ? 1 : left.size();
    Matrix z = Matrix::Zero(a.rows(), b.cols());
    for (std::size_t p = 0; p < parts; ++p) z.noalias() += left[p] * right[p];
    divide(relevance, span_of(z), options_);
    Shares shares{Matrix::Zero(a.rows(), a.cols()), Matrix()};
    if (of_b) shares.b = Matrix::Zero(b.rows(), b.cols());
    for (std::size_t p = 0; p < parts; ++p) {
      shares.a.array() += left[p].array() * (z * right[p].transpose()).array();
      if (of_b) shares.b.array() += right[p].array() * (left[p].transpose() * z).array();
    }
    return shares;
  }

  // An image at a time, whose spread epsilon is relative to.
  void linear(NodeId node) {
    const Index in = x(node).shape.back(), out = above(node).shape.back(), images = x(node).shape[0];
    const Index rows = elements(x(node).shape) / in / images;
    const Matrix kernel = ConstView(weights_[node].kernel.data(), out, in).transpose();
    for (Index n = 0; n < images; ++n) {
      const Shares shares =
          shares_of(ConstView(x(node).values.data() + n * rows * in, rows, in), ConstView(kernel.data(), in, out),
                    {above(node).values.data() + n * rows * out, at(rows * out)}, false);
      View(below(node).data() + n * rows * in, rows, in) += shares.a;
    }
  }

  void product(NodeId node) {
    const Shape& shape = above(node).shape;
    const Index rows = shape[shape.size() - 2], columns = shape.back(), inner = x(node).shape.back();
    const bool transposed = network_.op(node).transpose_b;
    for (Index s = 0; s < elements(shape) / (rows * columns); ++s) {
      const float* b = x(node, 1).values.data() + s * inner * columns;
      const Matrix right =
          transposed ? Matrix(ConstView(b, columns, inner).transpose()) : Matrix(ConstView(b, inner, columns));
      const Shares shares = shares_of(ConstView(x(node).values.data() + s * rows * inner, rows, inner),
                                      ConstView(right.data(), inner, columns),
                                      {above(node).values.data() + s * rows * columns, at(rows * columns)}, true);
      View(below(node).data() + s * rows * inner, rows, inner) += 0.5F * shares.a;
      float* to = below(node, 1).data() + s * inner * columns;
      if (transposed) {
        View(to, columns, inner) += 0.5F * shares.b.transpose();
      } else {
        View(to, inner, columns) += 0.5F * shares.b;
      }
    }
  }

  float contribution(float value) const {
    return options_.rule == RelevanceRule::positive ? std::max(value, 0.0F) : value;
  }

  void sum(NodeId node) {
    const std::vector<float>&a = x(node).values, &b = x(node, 1).values, &relevance = above(node).values;
    const std::size_t spread = a.size() / b.size(), image = a.size() / at(x(node).shape[0]);
    std::vector<float> z(image);
    for (std::size_t first = 0; first < a.size(); first += image) {
      for (std::size_t i = 0; i < image; ++i) z[i] = contribution(a[first + i]) + contribution(b[(first + i) / spread]);
      divide(std::span(relevance).subspan(first, image), z, options_);
      for (std::size_t i = 0; i < image; ++i) {
        below(node)[first + i] += contribution(a[first + i]) * z[i];
        below(node, 1)[(first + i) / spread] += contribution(b[(first + i) / spread]) * z[i];
      }
    }
  }

  void gate(NodeId node) {
    const std::vector<float>& relevance = above(node).values;
    const std::size_t spread = relevance.size() / x(node, 1).values.size();
    for (std::size_t i = 0; i < relevance.size(); ++i) {
      below(node)[i] += 0.5F * relevance[i];
      below(node, 1)[i / spread] += 0.5F * relevance[i];
    }
  }

  void concatenation(NodeId node) {
    const Shape& shape = above(node).shape;
    const int given = network_.op(node).axis;
    const std::size_t axis = at(given < 0 ? given + static_cast<int>(shape.size()) : given);
    const Index outer = std::accumulate(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(axis), Index{1},
                                        std::multiplies<>());
    std::size_t from = 0;
    for (Index o = 0; o < outer; ++o) {
      for (std::size_t input = 0; input < network_.inputs(node).size(); ++input) {
        const std::size_t run = below(node, input).size() / at(outer);
        for (std::size_t i = 0; i < run; ++i) below(node, input)[at(o) * run + i] += above(node).values[from + i];
        from += run;
      }
    }
  }

  // Calls act(plane's window as indices into the input, index of the output).
  template <typename Do>
  void for_each_window(NodeId node, const Do& act) const {
    const Shape &in = x(node).shape, &out = above(node).shape;
    Op op = network_.op(node);
    if (op.kind == OpKind::global_avg_pool) {
      op.kernel = {static_cast<int>(in[2]), static_cast<int>(in[3])};
      op.stride = {1, 1};
      op.padding = {0, 0, 0, 0};
    }
    std::vector<std::size_t> window;
    for (Index to = 0; to < elements(out); ++to) {
      const Index ow = to % out[3], oh = to / out[3] % out[2], plane = to / (out[2] * out[3]);
      window.clear();
      for (Index kh = 0; kh < op.kernel[0]; ++kh)
        for (Index kw = 0; kw < op.kernel[1]; ++kw) {
          const Index h = oh * op.stride[0] - op.padding[0] + kh, w = ow * op.stride[1] - op.padding[1] + kw;
          if (h >= 0 && h < in[2] && w >= 0 && w < in[3]) window.push_back(at((plane * in[2] + h) * in[3] + w));
        }
      act(window, at(to));
    }
  }

  void largest(NodeId node) {
    const std::vector<float>& values = x(node).values;
    for_each_window(node, [&](const std::vector<std::size_t>& window, std::size_t to) {
      const auto best = std::ranges::max_element(window, {}, [&](std::size_t i) { return values[i]; });
      if (best != window.end()) below(node)[*best] += above(node).values[to];
    });
  }

  void mean(NodeId node) {
    const std::vector<float>& values = x(node).values;
    std::vector<float> z(above(node).values.size(), 0.0F);
    for_each_window(node, [&](const std::vector<std::size_t>& window, std::size_t to) {
      for (const std::size_t i : window) z[to] += contribution(values[i]);
    });
    const std::size_t image = z.size() / at(x(node).shape[0]);
    for (std::size_t first = 0; first < z.size(); first += image) {
      divide(std::span(above(node).values).subspan(first, image), std::span(z).subspan(first, image), options_);
    }
    for_each_window(node, [&](const std::vector<std::size_t>& window, std::size_t to) {
      for (const std::size_t i : window) below(node)[i] += contribution(values[i]) * z[to];
    });
  }

  void transposition(NodeId node) {
    const Shape &in = x(node).shape, &out = above(node).shape, &order = network_.op(node).shape;
    std::vector<Index> stride(in.size(), 1);
    for (std::size_t d = in.size() - 1; d > 0; --d) stride[d - 1] = stride[d] * in[d];
    for (Index from = 0; from < elements(out); ++from) {
      Index rest = from, to = 0;
      for (std::size_t d = out.size(); d > 0; --d) {
        to += rest % out[d - 1] * stride[at(order[d - 1])];
        rest /= out[d - 1];
      }
      below(node)[at(to)] += above(node).values[at(from)];
    }
  }

  const Network& network_;
  const Weights& weights_;
  std::span<const Tensor> activations_;
  RelevanceOptions options_;
  Relevance result_;
};

}  // namespace

double Relevance::total(NodeId node) const { return sum_of(nodes[node].values); }

Relevance propagate_relevance(const Design& design, std::span<const Tensor> activations, std::span<const float> output,
                              const RelevanceOptions& options) {
  if (!design.weights || activations.size() != design.network.size() || design.network.outputs().size() != 1) {
    throw std::invalid_argument("relevance needs weights, one output, and an activation of every node");
  }
  return Propagation(design, activations, options).run(output);
}

}  // namespace ridgeline
