#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "kernels/program.hpp"
#include "kernels/quantization/fake_quantize.hpp"
#include "kernels/reference.hpp"

namespace ridgeline {
namespace {

// Values kept by key until they are together too large; those in use live on with their users. Thread-safe.
template <typename Value>
class Kept {
 public:
  explicit Kept(std::size_t most_bytes) : most_bytes_(most_bytes) {}
  template <typename Make, typename Size>
  Value get(const std::string& key, const Make& make, const Size& size) {
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = values_.find(key); found != values_.end()) return found->second;
    }
    Value value = make();
    const std::lock_guard lock(mutex_);
    bytes_ += size(value);
    if (bytes_ > most_bytes_) {
      values_.clear();
      bytes_ = size(value);
    }
    return values_.emplace(key, value).first->second;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, Value> values_;
  std::size_t most_bytes_, bytes_ = 0;
};

using Scales = std::shared_ptr<const std::vector<float>>;

Kept<Scales>& kept_scales() {
  static Kept<Scales> kept(std::size_t{64} << 20);
  return kept;
}

Kept<WeightPacker::Packed>& kept_weights() {
  static Kept<WeightPacker::Packed> kept(std::size_t{512} << 20);
  return kept;
}

}  // namespace

NodeWeights WeightPacker::weights_of(NodeId node) const {
  return design_.weights ? (*design_.weights)[node] : untrained_weights(design_.network, node, seed_);
}

bool WeightPacker::has_bias(const Group& group) const {
  return group.norm.has_value() || design_.network.op(group.anchor).bias;
}

void WeightPacker::round_kernel(NodeId anchor, std::vector<float>& kernel) const {
  Quantizer quantizer{.format = design_.precision.at(anchor).weights};
  if (design_.quantization && anchor < design_.quantization->weights.size() && !scales_by_numbers(quantizer.format)) {
    quantizer.ranges = design_.quantization->weights[anchor];
  }
  const std::size_t taps = kernel.size() / static_cast<std::size_t>(design_.network.op(anchor).channels);
  fake_quantize(kernel, kernel, taps, quantizer);
}

std::shared_ptr<const FoldedWeights> WeightPacker::folded(const Group& group) {
  if (folded_ && folded_for_ == group.anchor) return folded_;
  const NodeWeights norm = group.norm ? weights_of(*group.norm) : NodeWeights{};
  FoldedWeights plain = fold(design_.network, group, weights_of(group.anchor), norm);
  if (emulated_.contains(group.anchor)) round_kernel(group.anchor, plain.kernel);
  folded_ = std::make_shared<const FoldedWeights>(std::move(plain));
  folded_for_ = group.anchor;
  return folded_;
}

// What decides an untrained layer's folded numbers.
std::string WeightPacker::layer_key(const Group& group, const Rule& rule) const {
  const Op& op = design_.network.op(group.anchor);
  const Shape& input = design_.network.shape(design_.network.inputs(group.anchor)[0]);
  const std::int64_t in = op.kind == OpKind::conv2d ? input[1] : input.back();
  const std::string rounded =
      emulated_.contains(group.anchor) ? design_.precision.at(group.anchor).weights.text() : std::string();
  return fmt::format("{} {} {} {} {}x{} {} {} {} {} {} {}", seed_, name_of(op.kind), op.channels, in, op.kernel[0],
                     op.kernel[1], op.groups, op.bias, group.norm ? design_.network.op(*group.norm).epsilon : -1.0,
                     static_cast<int>(rule.granularity), rule.steps, rounded);
}

const std::vector<float>& WeightPacker::scales(const Group& group, const Rule& rule) {
  const auto quantize = [&]() -> Scales {
    const std::shared_ptr<const FoldedWeights> plain = folded(group);
    const auto channels = static_cast<std::size_t>(design_.network.op(group.anchor).channels);
    quantized_ = std::make_shared<const QuantizedKernel>(
        quantize_kernel(plain->kernel, channels, rule.granularity, rule.ranges, rule.steps));
    quantized_for_ = group.anchor;
    return {quantized_, &quantized_->scales};
  };
  const auto copied = [&]() -> Scales { return std::make_shared<const std::vector<float>>(*quantize()); };
  scales_ = design_.weights ? quantize() : kept_scales().get(layer_key(group, rule), copied, [](const Scales& s) {
    return s->size() * sizeof(float);
  });
  return *scales_;
}

WeightPacker::Packed WeightPacker::pack_now(const Group& group, const PrimitiveSpec& spec,
                                            const CompiledPrimitive& compiled, const Rule& rule,
                                            std::span<const float> bias_unit) {
  const std::shared_ptr<const FoldedWeights> plain = folded(group);
  const auto channels = static_cast<std::size_t>(spec.op.channels);
  const void* source = plain->kernel.data();
  DataType type = DataType::f32;
  if (spec.weights_type == DataType::s8) {
    if (!quantized_ || quantized_for_ != group.anchor) {
      quantized_ = std::make_shared<const QuantizedKernel>(
          quantize_kernel(plain->kernel, channels, rule.granularity, rule.ranges, rule.steps));
      quantized_for_ = group.anchor;
    }
    source = quantized_->values.data();
    type = DataType::s8;
  }
  auto kernel = std::make_shared<AlignedBytes>(compiled.weights.get_size());
  reorder_now(make_desc(shape_of(compiled.weights), type, Layout::plain), source, compiled.weights, kernel->data());
  Packed packed{kernel, nullptr};
  if (spec.bias) {
    auto bias = std::make_shared<AlignedBytes>(channels * sizeof(float));
    auto* values = reinterpret_cast<float*>(bias->data());
    for (std::size_t c = 0; c < channels; ++c)
      values[c] = bias_unit.empty() ? plain->bias[c] : plain->bias[c] / bias_unit[c];
    packed.bias = bias;
  }
  return packed;
}

WeightPacker::Packed WeightPacker::pack(const Group& group, const PrimitiveSpec& spec,
                                        const CompiledPrimitive& compiled, const Rule& rule,
                                        std::span<const float> bias_unit) {
  if (design_.weights) return pack_now(group, spec, compiled, rule, bias_unit);
  std::string key = layer_key(group, rule) + "|" + spec.text() + compiled.implementation;
  if (!bias_unit.empty()) {
    key.append(reinterpret_cast<const char*>(bias_unit.data()), bias_unit.size() * sizeof(float));
  }
  // Two layers of one design never share bytes, or the second would find its weights in the cache.
  auto use = std::find_if(uses_.begin(), uses_.end(), [&](const auto& entry) { return entry.first == key; });
  if (use == uses_.end()) use = uses_.insert(uses_.end(), {key, 0});
  return kept_weights().get(
      fmt::format("{}|{}", use->second++, key), [&] { return pack_now(group, spec, compiled, rule, bias_unit); },
      [](const Packed& packed) { return packed.kernel->size() + (packed.bias ? packed.bias->size() : 0); });
}

}  // namespace ridgeline
