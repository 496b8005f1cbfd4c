// One function for each kind of anchor: how it becomes a primitive.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "kernels/builder.hpp"
#include "spaces/counts.hpp"

namespace ridgeline {
namespace {

bool is_int8(DataType type) { return type == DataType::u8 || type == DataType::s8; }

std::string_view format_name(const Format& format) {
  return format.kind == Format::Kind::f32 ? "f32" : format.kind == Format::Kind::bf16 ? "bf16" : "int8";
}

// Does multiplying before the operation equal multiplying after it (limits scaled too)?
bool commutes_with_scale(OpKind kind) { return kind == OpKind::relu || kind == OpKind::relu6 || kind == OpKind::add; }

Layout layout_of(const MemoryDesc& desc) {
  return has_layout(desc, Layout::plain) ? Layout::plain : Layout::channels_last;
}

}  // namespace

void Builder::build(const Group& group) {
  switch (network_.op(group.anchor).kind) {
    case OpKind::conv2d:
    case OpKind::linear:
      return build_weighted(group);
    case OpKind::matmul:
      return build_matmul(group);
    case OpKind::batch_norm:
    case OpKind::layer_norm:
      return build_norm(group);
    case OpKind::softmax:
      return build_softmax(group);
    case OpKind::add:
    case OpKind::mul:
      return build_binary(group);
    case OpKind::concat:
      return build_concat(group);
    case OpKind::max_pool:
    case OpKind::avg_pool:
    case OpKind::global_avg_pool:
      return build_pool(group);
    case OpKind::reshape:
    case OpKind::flatten:
      return build_reshape(group);
    case OpKind::transpose:
      return build_transpose(group);
    case OpKind::zero:
      return build_zero(group);
    default:
      return build_activation(group);
  }
}

Format Builder::checked_format(NodeId node) const {
  const OperatorFormats formats = design_.precision.at(node);
  if (is_emulated(node)) return f32;
  const bool weighted = has_weights(network_.op(node).kind);
  const auto executed = [](const Format& format, bool channels) {
    if (format == f32 || format == bf16 || format == int8) return true;
    return channels && format == Format{Format::Kind::integer, Format::Granularity::channel, 8, 0, 0};
  };
  if (!executed(formats.activations, false)) {
    refuse(node,
           fmt::format("activations in {} have no primitive; f32, bf16 and int8 have", formats.activations.text()));
  }
  if (!weighted) return formats.activations;
  if (!executed(formats.weights, true)) {
    refuse(node, fmt::format("weights in {} have no primitive; f32, bf16, int8 and int8@channel have",
                             formats.weights.text()));
  }
  if (formats.weights.kind != formats.activations.kind) {
    refuse(node, fmt::format("weights in {} with activations in {} have no primitive: both must be f32, bf16 or int8",
                             formats.weights.text(), formats.activations.text()));
  }
  return formats.activations;
}

Format Builder::follower_format(const Group& group, bool has_int8) const {
  const Format stored = lowered_.stored[group.result];
  const bool as_stored = has_int8 && !reads_wider(network_, lowered_, group);
  return stored.is_quantized() && !as_stored ? f32 : stored;
}

StepInfo Builder::info_for(const Group& group, const Format& format) const {
  StepInfo info;
  info.node = group.anchor;
  info.fused = group.fused();
  info.kind = name_of(network_.op(group.anchor).kind);
  info.format = format_name(format);
  info.macs = macs(network_, group.anchor);
  return info;
}

PrimitiveSpec Builder::spec_for(const Group& group) const {
  PrimitiveSpec spec;
  spec.op = network_.op(group.anchor);
  spec.threads = options_.threads;
  return spec;
}

// In 8 bits a post-operation that does not commute with scaling must see real values; those after the last such one, or
// all where there is none, may work on values already divided by the result's scale, which then costs nothing.
Builder::Posts Builder::posts_for(const Group& group, DataType result_type) const {
  Posts posts;
  const float result_scale = is_int8(result_type) ? scales_[group.result].scale : 1.0F;
  std::size_t real = 0;
  for (std::size_t i = 0; i < group.posts.size(); ++i) {
    if (!commutes_with_scale(group.posts[i].kind)) real = i + 1;
  }
  if (real == 0) posts.unit = result_scale;
  for (std::size_t i = 0; i < group.posts.size(); ++i) {
    const PostOperation& post = group.posts[i];
    const float unit = i < real ? 1.0F : result_scale;
    if (post.kind == OpKind::add) {
      PostStep sum{PostStep::Kind::sum, dnnl::algorithm::undef, 1.0F, 0.0F, 0.0F, DataType::undef};
      const DataType held = type_for(post.operand, lowered_.stored[post.operand]);
      if (is_int8(held)) sum.scale = scales_[post.operand].scale / unit;
      if (held != result_type) sum.sum_type = held;
      posts.steps.push_back(sum);
      continue;
    }
    // The conversion to u8 cuts at 0 and at the largest value by itself.
    const bool cuts = post.kind == OpKind::relu || (post.kind == OpKind::relu6 && 255.0F * result_scale <= 6.0F);
    if (i + 1 == group.posts.size() && result_type == DataType::u8 && cuts) continue;
    for (PostStep step : activation_steps(post.kind)) {
      if (post.kind == OpKind::relu6) step.beta /= unit;
      posts.steps.push_back(step);
    }
    if (i + 1 == real) posts.steps.back().scale = 1.0F / result_scale;
  }
  return posts;
}

void Builder::build_weighted(const Group& group) {
  const Format format = checked_format(group.anchor);
  const DataType stored = type_for(group.result, lowered_.stored[group.result]);
  const bool direct = format.is_quantized() || stored == DataType::f32 ||
                      (format.kind == Format::Kind::bf16 && stored == DataType::bf16);
  const bool adds = !group.posts.empty() && group.posts[0].kind == OpKind::add;
  if (!direct && adds) {
    const auto [first, second] = split(group, 0);
    lowered_.stored[first.result] = f32;  // rounded nowhere
    build_linear_or_conv(first, format, DataType::f32);
    return build_binary(second);
  }
  build_linear_or_conv(group, format, direct ? stored : DataType::f32);
}

// The memory a sum accumulates into: the tensor's own where nobody needs it any more, else a copy.
Builder::Slot Builder::memory_for_sum(NodeId tensor, DataType type, const std::vector<Operand>& sources) {
  const bool image = network_.shape(tensor).size() == 4;
  const Slot held = fetch(tensor, lowered_.stored[tensor], image ? Reading::channels_last : Reading::plain);
  const bool read_too =
      std::any_of(sources.begin(), sources.end(), [&](const Operand& source) { return source.index == held.buffer; });
  const bool is_primary = primary_[tensor]->buffer == held.buffer;
  const MemoryDesc result = with_type(held.desc, type);
  if (is_primary && may_overwrite(held.buffer) && !read_too) return {result, held.buffer};
  if (!is_primary && !read_too && readers_left_[tensor] == 0) return {result, held.buffer};
  PrimitiveSpec spec;
  spec.op.kind = OpKind::identity;
  spec.sources = {held.desc};
  spec.destination = held.desc;
  spec.threads = options_.threads;
  const Slot copy{held.desc, new_buffer(tensor, held.desc)};
  StepInfo info;
  info.node = tensor;
  info.kind = "reorder";
  info.format = format_name(lowered_.stored[tensor]);
  info.macs = 0;
  emit(spec, {operand(DNNL_ARG_FROM, held), operand(DNNL_ARG_TO, copy)}, std::move(info));
  return {result, copy.buffer};
}

// Where pairs of 8-bit products are summed in 16 bits, kernels keep to 7 bits; those that meet signed activations
// oneDNN halves by itself.
WeightPacker::Rule Builder::kernel_rule(const Group& group) const {
  WeightPacker::Rule rule;
  rule.granularity = design_.precision.at(group.anchor).weights.granularity;
  if (design_.quantization && group.anchor < design_.quantization->weights.size()) {
    rule.ranges = design_.quantization->weights[group.anchor];
  }
  const bool halved = !scales_[group.inputs[0]].is_unsigned;
  if (!has_wide_int8_sums() && !halved) rule.steps = 63;
  return rule;
}

// The primitive of a conv2d or linear group. A linear layer's rows are one image of as many positions where it is
// computed by a 1x1 convolution.
PrimitiveSpec Builder::weighted_spec(const Group& group, const Format& format, const WeightedForm& form) {
  PrimitiveSpec spec = spec_for(group);
  const auto arranged = [&](const MemoryDesc& desc) {
    if (spec_for(group).op.kind == OpKind::conv2d) return desc;
    const Shape shape = shape_of(desc);
    const std::int64_t rows = elements(shape) / shape.back();
    return form.as_convolution ? make_desc({1, shape.back(), rows, 1}, type_of(desc), Layout::channels_last)
                               : with_shape(desc, {rows, shape.back()});
  };
  if (form.as_convolution) spec.op.kind = OpKind::conv2d;
  spec.sources = {arranged(form.source)};
  spec.destination = arranged(form.result);
  spec.weights_type = format.is_quantized() ? DataType::s8 : type_for(group.anchor, format);
  spec.bias = packer_.has_bias(group);
  const Posts posts = posts_for(group, type_of(form.result));
  spec.posts = posts.steps;
  if (!format.is_quantized()) return spec;
  for (const float scale : packer_.scales(group, kernel_rule(group))) {
    spec.output_scales.push_back(scale * scales_[group.inputs[0]].scale / posts.unit);
  }
  spec.scale_mask = 2;
  return spec;
}

// A linear layer by the inner product, or by a 1x1 convolution where that is better: in f32 oneDNN's batch-reduced
// kernel is the faster there, and signed 8-bit sources are exact only there on a CPU that sums in 16 bits.
PrimitiveSpec Builder::best_weighted_spec(const Group& group, const Format& format, WeightedForm form) {
  if (network_.op(group.anchor).kind == OpKind::linear) {
    form.as_convolution = true;
    if (format.is_quantized() && !has_wide_int8_sums()) return weighted_spec(group, format, form);
    if (format.kind == Format::Kind::f32) {
      PrimitiveSpec spec = weighted_spec(group, format, form);
      if (compile_for(spec, group.anchor)->implementation.starts_with("brgconv")) return spec;
    }
    form.as_convolution = false;
  }
  return weighted_spec(group, format, form);
}

void Builder::build_linear_or_conv(const Group& group, const Format& format, DataType result_type) {
  const bool conv = network_.op(group.anchor).kind == OpKind::conv2d;
  const Slot source = fetch_operand(group.anchor, 0, group, format, conv ? Reading::channels_last : Reading::plain);
  const MemoryDesc result =
      make_desc(network_.shape(group.anchor), result_type, conv ? Layout::channels_last : Layout::plain);
  const PrimitiveSpec spec = best_weighted_spec(group, format, {source.desc, result});
  const std::shared_ptr<const CompiledPrimitive> compiled = compile_for(spec, group.anchor);
  if (compiled->is_reference() && !group.posts.empty()) {
    PrimitiveSpec bare = spec;
    bare.posts.clear();
    if (!compile_for(bare, group.anchor)->is_reference()) {  // the post-operations are the trouble
      const auto [first, second] = split(group, 0);
      lowered_.stored[first.result] = f32;  // rounded nowhere
      build_weighted(first);
      return build(second);
    }
  }
  std::vector<Operand> operands{{DNNL_ARG_SRC, spec.sources[0], false, source.buffer}};
  const bool adds = !group.posts.empty() && group.posts[0].kind == OpKind::add;
  const Slot destination = adds ? memory_for_sum(group.posts[0].operand, result_type, operands)
                                : Slot{result, new_buffer(group.result, result)};
  operands.push_back({DNNL_ARG_DST, spec.destination, false, destination.buffer});
  const WeightPacker::Rule rule = kernel_rule(group);
  std::vector<float> bias_unit;
  if (format.is_quantized()) bias_unit = packer_.scales(group, rule);
  for (float& unit : bias_unit) unit *= scales_[group.inputs[0]].scale;
  const WeightPacker::Packed packed = packer_.pack(group, spec, *compiled, rule, bias_unit);
  operands.push_back({DNNL_ARG_WEIGHTS, compiled->weights, true, keep_weights(packed.kernel)});
  if (packed.bias) {
    const MemoryDesc desc = make_desc({spec.op.channels}, DataType::f32, Layout::plain);
    operands.push_back({DNNL_ARG_BIAS, desc, true, keep_weights(packed.bias)});
  }
  emit(spec, std::move(operands), info_for(group, format));
  store(group, result, destination.buffer);
}

Builder::Slot Builder::destination_for(const Group& group, const MemoryDesc& desc, std::span<const Slot> overwritable) {
  for (const Slot& slot : overwritable) {
    if (same_bytes(slot.desc, desc) && may_overwrite(slot.buffer)) return {desc, slot.buffer};
  }
  return {desc, new_buffer(group.result, desc)};
}

void Builder::build_matmul(const Group& group) {
  const Format format = checked_format(group.anchor);
  if (format.is_quantized() && !has_wide_int8_sums()) {
    refuse(group.anchor, "8-bit products of activations would saturate: this CPU sums them in 16 bits");
  }
  const Slot a = fetch_operand(group.anchor, 0, group, format, Reading::plain);
  const Slot b = fetch_operand(group.anchor, 1, group, format, Reading::plain);
  const DataType stored = type_for(group.result, lowered_.stored[group.result]);
  const bool direct = format.is_quantized() || stored == DataType::f32 ||
                      (format.kind == Format::Kind::bf16 && stored == DataType::bf16);
  const MemoryDesc result = make_desc(network_.shape(group.result), direct ? stored : DataType::f32, Layout::plain);
  PrimitiveSpec spec = spec_for(group);
  MemoryDesc right = b.desc;
  if (spec.op.transpose_b) {
    Shape axes(shape_of(right).size());
    for (std::size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<std::int64_t>(i);
    std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
    right = permuted(right, axes);
  }
  spec.sources = {a.desc, right};
  spec.destination = result;
  const Posts posts = posts_for(group, type_of(result));
  spec.posts = posts.steps;
  if (format.is_quantized()) {
    spec.output_scales = {scales_[group.inputs[0]].scale * scales_[group.inputs[1]].scale / posts.unit};
  }
  const Slot destination{result, new_buffer(group.result, result)};
  emit(spec, {operand(DNNL_ARG_SRC, a), {DNNL_ARG_WEIGHTS, right, false, b.buffer}, operand(DNNL_ARG_DST, destination)},
       info_for(group, format));
  store(group, result, destination.buffer);
}

void Builder::build_binary(const Group& group) {
  const Format format = follower_format(group, true);
  const Slot a = fetch(group.inputs[0], format, Reading::as_is);
  const bool like_a = layout_of(a.desc) == Layout::plain;
  const Slot b = fetch(group.inputs[1], format, like_a ? Reading::plain : Reading::channels_last);
  PrimitiveSpec spec = spec_for(group);
  const MemoryDesc result = with_type(a.desc, type_for(group.result, format));
  spec.sources = {a.desc, b.desc};
  spec.destination = result;
  const Posts posts = posts_for(group, type_of(result));
  spec.posts = posts.steps;
  if (format.is_quantized()) {
    const float left = scales_[group.inputs[0]].scale, right = scales_[group.inputs[1]].scale;
    if (spec.op.kind == OpKind::add) {
      spec.source_scales = {left / posts.unit, right / posts.unit};
    } else {
      spec.source_scales = {left * right / posts.unit};
    }
  }
  const std::array<Slot, 1> overwritable{a};
  const Slot destination = destination_for(group, result, overwritable);
  emit(spec, {operand(DNNL_ARG_SRC_0, a), operand(DNNL_ARG_SRC_1, b), operand(DNNL_ARG_DST, destination)},
       info_for(group, format));
  store(group, result, destination.buffer);
}

void Builder::build_concat(const Group& group) {
  const Format format = follower_format(group, true);
  PrimitiveSpec spec = spec_for(group);
  std::vector<Operand> operands;
  Reading reading = Reading::as_is;
  for (std::size_t i = 0; i < group.inputs.size(); ++i) {
    const Slot source = fetch(group.inputs[i], format, reading);
    if (i == 0) reading = layout_of(source.desc) == Layout::plain ? Reading::plain : Reading::channels_last;
    spec.sources.push_back(source.desc);
    operands.push_back(operand(DNNL_ARG_MULTIPLE_SRC + static_cast<int>(i), source));
  }
  const Layout layout = reading == Reading::plain ? Layout::plain : Layout::channels_last;
  const MemoryDesc result = make_desc(network_.shape(group.result), type_for(group.result, format), layout);
  spec.destination = result;
  const Slot destination{result, new_buffer(group.result, result)};
  operands.push_back(operand(DNNL_ARG_DST, destination));
  emit(spec, std::move(operands), info_for(group, format));
  store(group, result, destination.buffer);
}

void Builder::build_pool(const Group& group) {
  const Format format = follower_format(group, true);
  const Slot source = fetch(group.inputs[0], format, Reading::channels_last);
  const MemoryDesc result =
      make_desc(network_.shape(group.result), type_for(group.result, format), Layout::channels_last);
  PrimitiveSpec spec = spec_for(group);
  spec.sources = {source.desc};
  spec.destination = result;
  const float from = scales_[group.inputs[0]].scale, to = scales_[group.result].scale;
  if (format.is_quantized() && from != to) {  // a mean is smaller than what it is taken of: it has a scale of its own
    spec.posts = {{PostStep::Kind::eltwise, dnnl::algorithm::eltwise_linear, 1.0F, from / to, 0.0F, DataType::undef}};
  }
  const Slot destination{result, new_buffer(group.result, result)};
  emit(spec, {operand(DNNL_ARG_SRC, source), operand(DNNL_ARG_DST, destination)}, info_for(group, format));
  store(group, result, destination.buffer);
}

void Builder::build_norm(const Group& group) {
  const bool batch = network_.op(group.anchor).kind == OpKind::batch_norm;
  const Format format = follower_format(group, false);
  const Slot source = fetch(group.inputs[0], format, batch ? Reading::as_is : Reading::plain);
  PrimitiveSpec spec = spec_for(group);
  spec.sources = {source.desc};
  spec.destination = source.desc;
  spec.fused_relu = !group.posts.empty();
  const std::array<Slot, 1> overwritable{source};
  const Slot destination = destination_for(group, source.desc, overwritable);
  std::vector<Operand> operands{operand(DNNL_ARG_SRC, source), operand(DNNL_ARG_DST, destination)};
  const NodeWeights weights = packer_.weights_of(group.anchor);
  const auto add = [&](int argument, const std::vector<float>& values) {
    auto bytes = std::make_shared<AlignedBytes>(values.size() * sizeof(float));
    std::copy(values.begin(), values.end(), reinterpret_cast<float*>(bytes->data()));
    const MemoryDesc desc = make_desc({static_cast<std::int64_t>(values.size())}, DataType::f32, Layout::plain);
    operands.push_back({argument, desc, true, keep_weights(std::move(bytes))});
  };
  add(DNNL_ARG_SCALE, weights.scale);
  add(DNNL_ARG_SHIFT, weights.shift);
  if (batch) {
    add(DNNL_ARG_MEAN, weights.mean);
    add(DNNL_ARG_VARIANCE, weights.variance);
  }
  emit(spec, std::move(operands), info_for(group, format));
  store(group, source.desc, destination.buffer);
}

void Builder::build_softmax(const Group& group) {
  const Format format = follower_format(group, false);
  const Slot source = fetch(group.inputs[0], format, Reading::plain);
  PrimitiveSpec spec = spec_for(group);
  spec.sources = {source.desc};
  spec.destination = source.desc;
  const std::array<Slot, 1> overwritable{source};
  const Slot destination = destination_for(group, source.desc, overwritable);
  emit(spec, {operand(DNNL_ARG_SRC, source), operand(DNNL_ARG_DST, destination)}, info_for(group, format));
  store(group, source.desc, destination.buffer);
}

void Builder::build_activation(const Group& group) {
  const Format format = follower_format(group, false);
  Slot source = fetch(group.inputs[0], format, Reading::as_is);
  const std::array<Slot, 1> overwritable{source};
  const Slot destination = destination_for(group, source.desc, overwritable);
  for (const PostStep& step : activation_steps(network_.op(group.anchor).kind)) {
    PrimitiveSpec spec = spec_for(group);
    spec.sources = {source.desc};
    spec.destination = source.desc;
    spec.posts = {step};
    emit(spec, {operand(DNNL_ARG_SRC, source), operand(DNNL_ARG_DST, destination)}, info_for(group, format));
    source = destination;  // a second step works in place
  }
  store(group, source.desc, destination.buffer);
}

// A reshaped tensor is the same bytes when they lie in row-major order.
void Builder::build_reshape(const Group& group) {
  const NodeId input = group.inputs[0];
  const Slot source = fetch(input, lowered_.stored[group.result], Reading::plain);
  const MemoryDesc result = with_shape(source.desc, network_.shape(group.result));
  define(group.result, with_type(result, type_for(group.result, lowered_.stored[group.result])), source.buffer);
  rounded_[group.result] = rounded_[input];
}

void Builder::build_transpose(const Group& group) {
  const Format format = lowered_.stored[group.result];
  const Slot source = fetch(group.inputs[0], format, Reading::as_is);
  PrimitiveSpec spec = spec_for(group);
  spec.op = Op{};
  spec.sources = {permuted(source.desc, network_.op(group.anchor).shape)};
  const MemoryDesc result = make_desc(network_.shape(group.result), type_of(source.desc), Layout::plain);
  spec.destination = result;
  const Slot destination{result, new_buffer(group.result, result)};
  emit(spec, {{DNNL_ARG_FROM, spec.sources[0], false, source.buffer}, operand(DNNL_ARG_TO, destination)},
       info_for(group, format));
  store(group, result, destination.buffer);
}

void Builder::build_zero(const Group& group) {
  const DataType type = type_for(group.result, lowered_.stored[group.result]);
  const MemoryDesc desc = make_desc(network_.shape(group.result), type, Layout::channels_last);
  define(group.result, desc, new_buffer(group.result, desc, false));
}

}  // namespace ridgeline
