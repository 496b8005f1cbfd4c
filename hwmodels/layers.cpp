#include "hwmodels/layers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "spaces/config_error.hpp"
#include "spaces/counts.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

bool costs_nothing(OpKind kind) {
  return kind == OpKind::identity || kind == OpKind::reshape || kind == OpKind::flatten;
}

bool takes_norm_and_addition(OpKind kind) { return kind == OpKind::conv2d || kind == OpKind::linear; }

bool takes_activation(OpKind kind) {
  return takes_norm_and_addition(kind) || kind == OpKind::matmul || kind == OpKind::add || kind == OpKind::mul;
}

bool reads_by_plan(OpKind kind) { return kind == OpKind::conv2d || kind == OpKind::linear || kind == OpKind::matmul; }

// [N,C,H,W] -> C,H,W; [N,T,C] -> C,T,1; [N,C] -> C,1,1.
std::array<std::int64_t, 3> extents(const Shape& shape) {
  switch (shape.size()) {
    case 4:
      return {shape[1], shape[2], shape[3]};
    case 3:
      return {shape[2], shape[1], 1};
    case 2:
      return {shape[1], 1, 1};
    default:
      return {elements(shape), 1, 1};
  }
}

std::uint64_t packed(const Format& format) {
  return static_cast<std::uint64_t>(format.kind) | static_cast<std::uint64_t>(format.granularity) << 4 |
         static_cast<std::uint64_t>(format.width_bits) << 8 | static_cast<std::uint64_t>(format.exponent_bits) << 16 |
         static_cast<std::uint64_t>(format.group_size) << 24;
}

// Puts operators together, one pass in the order of ids.
class Grouping {
 public:
  Grouping(const Network& network, const PrecisionPlan& plan, std::span<const Format> stored,
           std::span<const NodeId> live)
      : network_(network),
        plan_(plan),
        stored_(stored),
        same_(stored_tensors(network, live)),
        uses_(network.size(), 0),
        last_read_(network.size(), 0),
        layer_of_(network.size(), none) {
    for (const NodeId node : live) {
      if (same_[node] != node) continue;
      for (const NodeId input : network.inputs(node)) {
        ++uses_[same_[input]];
        last_read_[same_[input]] = node;
      }
    }
    for (const NodeId output : network.outputs()) ++uses_[same_[output]];
    layers_.reserve(live.size());
    for (const NodeId node : live) place(node);
    for (const NodeId output : network.outputs()) {
      if (layer_of_[same_[output]] != none) layers_[layer_of_[same_[output]]].key.exit = true;
    }
    for (ExecutedLayer& layer : layers_) finish(layer);
  }

  std::vector<ExecutedLayer> take() { return std::move(layers_); }

 private:
  static constexpr std::uint32_t none = 0xffffffffU;

  // The layer that ends in `tensor` and whose result nobody else reads, when it has no activation yet.
  ExecutedLayer* open_layer(NodeId tensor) {
    if (uses_[tensor] != 1 || layer_of_[tensor] == none) return nullptr;
    ExecutedLayer& layer = layers_[layer_of_[tensor]];
    return layer.node == tensor && layer.key.activation == OpKind::identity ? &layer : nullptr;
  }

  void append(ExecutedLayer& layer, NodeId node) {
    layer.node = node;
    layer_of_[node] = static_cast<std::uint32_t>(&layer - layers_.data());
  }

  bool fuse_one_input(NodeId node, OpKind kind) {
    ExecutedLayer* layer = open_layer(same_[network_.inputs(node)[0]]);
    if (layer == nullptr) return false;
    const bool norm = kind == OpKind::batch_norm;
    if (norm ? layer->key.add || !takes_norm_and_addition(layer->key.kind) : !takes_activation(layer->key.kind)) {
      return false;
    }
    if (!norm) layer->key.activation = kind;
    append(*layer, node);
    return true;
  }

  // The operand computed last takes the addition, into the memory of the other one, which nobody may need afterwards.
  bool fuse_addition(NodeId node) {
    const auto inputs = network_.inputs(node);
    if (network_.shape(inputs[0]) != network_.shape(inputs[1]) || same_[inputs[0]] == same_[inputs[1]]) return false;
    const NodeId branch = std::max(same_[inputs[0]], same_[inputs[1]]);
    const NodeId other = std::min(same_[inputs[0]], same_[inputs[1]]);
    ExecutedLayer* layer = open_layer(branch);
    if (layer == nullptr || layer->key.add || !takes_norm_and_addition(layer->key.kind)) return false;
    if (network_.op(other).kind == OpKind::input || last_read_[other] > node || stored_[other] != stored_[node]) {
      return false;
    }
    layer->key.add = true;
    append(*layer, node);
    return true;
  }

  void place(NodeId node) {
    const OpKind kind = network_.op(node).kind;
    if (kind == OpKind::input || kind == OpKind::zero || same_[node] != node) return;
    if ((kind == OpKind::batch_norm || is_activation(kind)) && fuse_one_input(node, kind)) return;
    if (kind == OpKind::add && fuse_addition(node)) return;
    layer_of_[node] = static_cast<std::uint32_t>(layers_.size());
    layers_.emplace_back();
    layers_.back().key.kind = kind;
    layers_.back().anchor = layers_.back().node = node;
  }

  void finish(ExecutedLayer& layer) const {
    const Op& op = network_.op(layer.anchor);
    const auto inputs = network_.inputs(layer.anchor);
    LayerKey& key = layer.key;
    const NodeId first = inputs.empty() ? layer.anchor : same_[inputs[0]];
    const Shape& in = network_.shape(inputs.empty() ? layer.anchor : inputs[0]);
    const Shape& out = network_.shape(layer.anchor);
    key.batch = out.empty() ? 1 : out[0];
    key.in = extents(in);
    key.out = extents(out);
    if (key.kind == OpKind::conv2d || key.kind == OpKind::max_pool || key.kind == OpKind::avg_pool) {
      key.kernel = op.kernel;
      key.stride = op.stride;
      key.dilation = op.dilation;
      key.groups = op.groups;
    }
    key.entry = network_.op(first).kind == OpKind::input;
    key.stored_in = stored_[first];
    key.stored_out = stored_[layer.node];
    const OperatorFormats read = plan_.at(layer.anchor);
    key.weights = reads_by_plan(key.kind) ? read.weights : f32;
    key.activations = reads_by_plan(key.kind) ? read.activations : key.stored_in;
    layer.macs = macs(network_, layer.anchor);
    layer.weight_bytes = has_weights(key.kind) ? weight_bytes(network_, layer.anchor, plan_) : 0;
    for (const NodeId input : inputs) layer.input_bytes += activation_bytes(network_, input, stored_[same_[input]]);
    layer.output_bytes = activation_bytes(network_, layer.node, key.stored_out);
    if (key.add) layer.input_bytes += layer.output_bytes;
  }

  const Network& network_;
  const PrecisionPlan& plan_;
  std::span<const Format> stored_;
  std::vector<NodeId> same_;         // the node whose memory a node's output shares
  std::vector<std::uint32_t> uses_;  // readers of a tensor, outputs of the network counted
  std::vector<NodeId> last_read_;    // the last node that reads a tensor
  std::vector<std::uint32_t> layer_of_;
  std::vector<ExecutedLayer> layers_;
};

// Reads a key's text word by word.
class KeyText {
 public:
  explicit KeyText(std::string_view text) : whole_(text), rest_(text) {}

  std::string_view word() {
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
    const std::string_view result = rest_.substr(0, std::min(rest_.find(' '), rest_.size()));
    rest_.remove_prefix(result.size());
    return result;
  }
  bool skip(std::string_view expected) {
    const std::string_view before = rest_;
    if (word() == expected) return true;
    rest_ = before;
    return false;
  }
  void expect(std::string_view expected) {
    if (!skip(expected)) fail(fmt::format("'{}'", expected));
  }
  // "<prefix>AxBxC".
  template <typename T, std::size_t n>
  void numbers(std::string_view prefix, std::array<T, n>& values) {
    std::string_view text = word();
    if (!text.starts_with(prefix)) fail(fmt::format("a word that starts with '{}'", prefix));
    text.remove_prefix(prefix.size());
    for (std::size_t i = 0; i < n; ++i) {
      if (i > 0 && (text.empty() || text.front() != 'x')) fail(fmt::format("{} numbers with x between them", n));
      if (i > 0) text.remove_prefix(1);
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), values[i]);
      if (error != std::errc{} || values[i] < 1) fail("a positive integer");
      text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    }
    if (!text.empty()) fail("a blank");
  }
  OpKind kind(std::string_view name) {
    const auto names = op_names();
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) fail("the name of an operator");
    return static_cast<OpKind>(found - names.begin());
  }
  // "a<separator>b".
  void formats(std::string_view separator, Format& a, Format& b) {
    const std::string_view text = word();
    const std::size_t at = text.find(separator);
    if (at == std::string_view::npos) fail(fmt::format("two formats with '{}' between them", separator));
    a = Format::parse(text.substr(0, at));
    b = Format::parse(text.substr(at + separator.size()));
  }
  [[noreturn]] void fail(const std::string& expected) const {
    throw ConfigError(Problem{"", "layer", expected, fmt::format("\"{}\"", whole_), ""});
  }

 private:
  std::string_view whole_, rest_;
};

}  // namespace

std::string LayerKey::text() const {
  return fmt::format("{}{}{}{}{}{} n{} {}x{}x{} -> {}x{}x{} k{}x{} s{}x{} d{}x{} g{} {}*{} {}->{}", name_of(kind),
                     activation == OpKind::identity ? "" : " ",
                     activation == OpKind::identity ? std::string_view() : name_of(activation), add ? " +add" : "",
                     entry ? " entry" : "", exit ? " exit" : "", batch, in[0], in[1], in[2], out[0], out[1], out[2],
                     kernel[0], kernel[1], stride[0], stride[1], dilation[0], dilation[1], groups, weights.text(),
                     activations.text(), stored_in.text(), stored_out.text());
}

LayerKey LayerKey::parse(std::string_view text) {
  KeyText words(text);
  LayerKey key;
  key.kind = words.kind(words.word());
  for (OpKind kind = OpKind::relu; kind <= OpKind::gelu; kind = static_cast<OpKind>(static_cast<int>(kind) + 1)) {
    if (words.skip(name_of(kind))) key.activation = kind;
  }
  key.add = words.skip("+add");
  key.entry = words.skip("entry");
  key.exit = words.skip("exit");
  std::array<std::int64_t, 1> one{1};
  words.numbers("n", one);
  key.batch = one[0];
  words.numbers("", key.in);
  words.expect("->");
  words.numbers("", key.out);
  words.numbers("k", key.kernel);
  words.numbers("s", key.stride);
  words.numbers("d", key.dilation);
  words.numbers("g", one);
  key.groups = one[0];
  words.formats("*", key.weights, key.activations);
  words.formats("->", key.stored_in, key.stored_out);
  if (!words.word().empty()) words.fail("nothing more");
  return key;
}

std::uint64_t LayerKey::hash() const {
  // Two mixes a field are too many for a model asked 20,000 times a second: small fields share words.
  const auto word = [](std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) {
    return static_cast<std::uint64_t>(a) ^ static_cast<std::uint64_t>(b) << 16 ^ static_cast<std::uint64_t>(c) << 32 ^
           static_cast<std::uint64_t>(d) << 48;
  };
  std::uint64_t h =
      mix64(word(static_cast<int>(kind), static_cast<int>(activation), add * 4 + entry * 2 + exit, batch));
  h = mix64(h ^ word(in[0], in[1], in[2], groups)) + 0x9e3779b97f4a7c15ULL;
  h = mix64(h ^ word(out[0], out[1], out[2], 0)) + 0x9e3779b97f4a7c15ULL;
  h = mix64(h ^ word(kernel[0] * 256 + kernel[1], stride[0] * 256 + stride[1], dilation[0] * 256 + dilation[1], 0));
  h = mix64(h ^ (packed(weights) + packed(activations) * 0x9e3779b97f4a7c15ULL));
  return mix64(h ^ (packed(stored_in) + packed(stored_out) * 0x9e3779b97f4a7c15ULL));
}

std::vector<NodeId> stored_tensors(const Network& network, std::span<const NodeId> live) {
  std::vector<NodeId> same(network.size(), 0);
  for (const NodeId node : live) {
    const OpKind kind = network.op(node).kind;
    const auto inputs = network.inputs(node);
    same[node] = node;
    if (costs_nothing(kind)) same[node] = same[inputs[0]];
    if (kind != OpKind::add) continue;
    const bool first_is_zero = network.op(same[inputs[0]]).kind == OpKind::zero;
    if (network.op(same[inputs[1]]).kind == OpKind::zero) {
      same[node] = same[inputs[0]];
    } else if (first_is_zero && network.shape(inputs[0]) == network.shape(inputs[1])) {
      same[node] = same[inputs[1]];
    }
  }
  return same;
}

std::vector<ExecutedLayer> executed_layers(const Network& network, const PrecisionPlan& plan,
                                           std::span<const Format> stored, std::span<const NodeId> live) {
  return Grouping(network, plan, stored, live).take();
}

double footprint_bytes(std::span<const ExecutedLayer> layers) {
  std::int64_t weights = 0, most = 0;
  for (const ExecutedLayer& layer : layers) {
    weights += layer.weight_bytes;
    most = std::max(most, layer.input_bytes + layer.output_bytes);
  }
  return static_cast<double>(weights + most);
}

}  // namespace ridgeline
