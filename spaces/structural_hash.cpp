// The canonical hash of a network's function.
//
// Forward, every node gets a value: a hash of the expression it computes, with the following equalities built in.
//   identity, and operators that change nothing here (a 1x1 pool, a reshape to the same shape ...), have their input's
//   value; so has a second relu in a row. Sums and products are commutative and associative: the value of a sum is that
//   of the wrapped 64-bit sum of its terms' (mixed) values, so nesting and order do not show and a zero adds nothing. A
//   zero stays zero through every operator that certainly maps zeros to zeros.
// Backward, the nodes that the outputs still need are found: a zero needs no input.
//
// The network's hash combines the outputs' values in their order with the multiset of the values of all needed
// operators with weights, because an expression alone cannot tell one convolution read twice from two alike: they cost
// differently.
#include <array>
#include <bit>
#include <vector>

#include "spaces/format.hpp"
#include "spaces/hash.hpp"
#include "spaces/network.hpp"

namespace ridgeline {
namespace {

struct Value {
  std::uint64_t hash = 0;
  std::uint64_t sum = 0;      // of the terms when the node is an addition, else of the node as the only term
  std::uint64_t product = 0;  // likewise for factors
  bool is_zero = false;
  OpKind kind = OpKind::identity;  // of the operator that made it; identity where nothing depends on that
};

std::uint64_t mixed(std::uint64_t tag, std::uint64_t a, std::uint64_t b = 0) {
  return mix64(mix64(mix64(tag * 0x9e3779b97f4a7c15ULL + a) + 0xd6e8feb86659fd93ULL) ^ (b + 0x632be59bd9b4e019ULL));
}

enum Tag : std::uint64_t {
  term_tag = 1,
  factor_tag,
  sum_tag,
  product_tag,
  zero_tag,
  shape_tag,
  input_tag,
  output_tag,
  weights_tag
};

Value leaf(std::uint64_t hash) { return {hash, mixed(term_tag, hash), mixed(factor_tag, hash)}; }

std::uint64_t hash_of(const Shape& shape) {
  std::uint64_t hash = shape_tag;
  for (const std::int64_t extent : shape) hash = mixed(shape_tag, hash, static_cast<std::uint64_t>(extent));
  return hash;
}

Value zero_of(const Shape& shape) {
  Value value = leaf(mixed(zero_tag, hash_of(shape)));
  value.is_zero = true;
  return value;
}

std::uint64_t pack(int a, int b) {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(a)) << 32) | static_cast<std::uint32_t>(b);
}

std::uint64_t hash_of(const Format& format) {
  return (static_cast<std::uint64_t>(format.kind) << 40) | (static_cast<std::uint64_t>(format.granularity) << 32) |
         (std::uint64_t{format.width_bits} << 24) | (std::uint64_t{format.exponent_bits} << 16) | format.group_size;
}

std::uint64_t window_hash(std::uint64_t hash, const Op& op) {
  hash = mixed(hash, pack(op.kernel[0], op.kernel[1]), pack(op.stride[0], op.stride[1]));
  return mixed(hash, pack(op.padding[0], op.padding[1]), pack(op.padding[2], op.padding[3]));
}

// The attributes that matter to this kind of operator. Reshape and flatten are one operator: the output's shape says
// all.
std::uint64_t attribute_hash(const Network& network, NodeId node) {
  const Op& op = network.op(node);
  const std::uint64_t kind = static_cast<std::uint64_t>(op.kind) + 100;
  const auto axis = [&] {
    return static_cast<std::uint64_t>(op.axis < 0 ? op.axis + static_cast<int>(network.shape(node).size()) : op.axis);
  };
  switch (op.kind) {
    case OpKind::conv2d: {
      const std::uint64_t hash =
          mixed(window_hash(kind, op), static_cast<std::uint64_t>(op.channels), pack(op.groups, op.bias));
      return mixed(hash, pack(op.kernel[0] > 1 ? op.dilation[0] : 1, op.kernel[1] > 1 ? op.dilation[1] : 1));
    }
    case OpKind::linear:
      return mixed(kind, static_cast<std::uint64_t>(op.channels), op.bias);
    case OpKind::matmul:
      return mixed(kind, op.transpose_b);
    case OpKind::batch_norm:
    case OpKind::layer_norm:
      return mixed(kind, std::bit_cast<std::uint64_t>(op.epsilon));
    case OpKind::max_pool:
      return window_hash(kind, op);
    case OpKind::avg_pool:
      return mixed(window_hash(kind, op), op.count_include_pad && op.padding != std::array<int, 4>{});
    case OpKind::softmax:
    case OpKind::concat:
      return mixed(kind, axis());
    case OpKind::reshape:
    case OpKind::flatten:
      return hash_of(network.shape(node));
    case OpKind::transpose:
      return mixed(kind, hash_of(op.shape));
    default:
      return mixed(kind, 0);
  }
}

bool changes_nothing(const Network& network, NodeId node) {
  const Op& op = network.op(node);
  switch (op.kind) {
    case OpKind::identity:
      return true;
    case OpKind::reshape:
    case OpKind::flatten:
      return network.shape(node) == network.shape(network.inputs(node)[0]);
    case OpKind::concat:
      return network.inputs(node).size() == 1;
    case OpKind::max_pool:
    case OpKind::avg_pool:
      return op.kernel == std::array<int, 2>{1, 1} && op.stride == std::array<int, 2>{1, 1};
    case OpKind::global_avg_pool:
      return network.shape(node) == network.shape(network.inputs(node)[0]);
    case OpKind::transpose:
      for (std::size_t i = 0; i < op.shape.size(); ++i) {
        if (op.shape[i] != static_cast<std::int64_t>(i)) return false;
      }
      return true;
    default:
      return false;
  }
}

// Does the operator map zeros to zeros, whatever its weights?
bool keeps_zero(const Op& op) {
  switch (op.kind) {
    case OpKind::conv2d:
    case OpKind::linear:
      return !op.bias;
    case OpKind::input:
    case OpKind::batch_norm:
    case OpKind::layer_norm:
    case OpKind::hard_sigmoid:
    case OpKind::sigmoid:
    case OpKind::softmax:
      return false;
    default:
      return true;
  }
}

class Canonical {
 public:
  Canonical(const Network& network, const PrecisionPlan& plan)
      : network_(network), plan_(plan), values_(network.size()) {
    std::uint64_t inputs = 0;
    for (const NodeId node : network.live_nodes()) {
      // Inputs are told apart by their order among themselves, as the parameters of a function are.
      values_[node] = network.op(node).kind == OpKind::input ? input_value(node, inputs++) : value_of(node);
    }
  }

  std::uint64_t hash() const {
    std::vector<char> needed(network_.size());
    Hasher hasher;
    for (const NodeId output : network_.outputs()) {
      needed[output] = 1;
      hasher.add(mixed(output_tag, values_[output].hash));
    }
    std::uint64_t weighted = 0;
    for (NodeId node = static_cast<NodeId>(network_.size()); node-- > 0;) {
      if (needed[node] == 0 || values_[node].is_zero) continue;
      if (has_weights(network_.op(node).kind)) weighted += mixed(weights_tag, values_[node].hash);
      for (const NodeId input : network_.inputs(node)) needed[input] = 1;
    }
    return hasher.add(weighted).value();
  }

 private:
  Value input_value(NodeId node, std::uint64_t number) const {
    return leaf(mixed(input_tag, hash_of(network_.shape(node)), number));
  }

  Value value_of(NodeId node) const {
    const Op& op = network_.op(node);
    const auto inputs = network_.inputs(node);
    if (op.kind == OpKind::zero) return zero_of(network_.shape(node));
    if (op.kind == OpKind::add) return sum_of(inputs[0], inputs[1]);
    if (op.kind == OpKind::mul) return product_of(inputs[0], inputs[1]);
    if (changes_nothing(network_, node)) return values_[inputs[0]];
    if ((op.kind == OpKind::relu || op.kind == OpKind::relu6) && values_[inputs[0]].kind == op.kind)
      return values_[inputs[0]];
    if (keeps_zero(op) && all_zero(op, inputs)) return zero_of(network_.shape(node));
    std::uint64_t hash = attribute_hash(network_, node);
    for (const NodeId input : inputs) hash = mixed(hash, values_[input].hash);
    if (op.kind == OpKind::conv2d || op.kind == OpKind::linear || op.kind == OpKind::matmul) {
      const OperatorFormats formats = plan_.at(node);
      hash = mixed(hash, hash_of(formats.weights), hash_of(formats.activations));
    }
    Value value = leaf(hash);
    value.kind = op.kind;
    return value;
  }

  bool all_zero(const Op& op, std::span<const NodeId> inputs) const {
    std::size_t zeros = 0;
    for (const NodeId input : inputs) zeros += values_[input].is_zero ? 1 : 0;
    return zeros == inputs.size() || (op.kind == OpKind::matmul && zeros > 0);
  }

  // A zero adds nothing, unless it is what the other input is spread over.
  Value sum_of(NodeId first, NodeId second) const {
    const Value& a = values_[first];
    const Value& b = values_[second];
    if (b.is_zero) return a;
    if (a.is_zero && network_.shape(first) == network_.shape(second)) return b;
    Value value = leaf(mixed(sum_tag, a.sum + b.sum));
    value.sum = a.sum + b.sum;
    return value;
  }

  Value product_of(NodeId first, NodeId second) const {
    const Value& a = values_[first];
    const Value& b = values_[second];
    if (a.is_zero || b.is_zero) return zero_of(network_.shape(first));
    Value value = leaf(mixed(product_tag, a.product + b.product));
    value.product = a.product + b.product;
    return value;
  }

  const Network& network_;
  const PrecisionPlan& plan_;
  std::vector<Value> values_;
};

}  // namespace

std::uint64_t structural_hash(const Network& network, const PrecisionPlan& plan) {
  return Canonical(network, plan).hash();
}

std::uint64_t structural_hash(const Network& network) { return structural_hash(network, PrecisionPlan{}); }

}  // namespace ridgeline
