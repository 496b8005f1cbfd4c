#include "kernels/builder.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/conversion.hpp"
#include "spaces/counts.hpp"

namespace ridgeline {

namespace {

StoredType stored_type(DataType type) {
  switch (type) {
    case DataType::bf16:
      return StoredType::bfloat;
    case DataType::s8:
      return StoredType::s8;
    case DataType::u8:
      return StoredType::u8;
    default:
      return StoredType::single;
  }
}

}  // namespace

Program build_program(const Design& design, const ExecutableOptions& options, std::span<const Range> ranges) {
  return Builder(design, options, ranges).run();
}

Builder::Builder(const Design& design, const ExecutableOptions& options, std::span<const Range> ranges)
    : design_(design),
      network_(design.network),
      options_(options),
      lowered_(lower(design, options.fuse)),
      ranges_(ranges.begin(), ranges.end()),
      scales_(tensor_scales(design.network, ranges, lowered_.stands_for)),
      packer_(design, options.seed),
      primary_(design.network.size()),
      readers_left_(design.network.size(), 0) {}

Program Builder::run() {
  for (const Group& group : lowered_.groups) {
    for (const NodeId tensor : group.reads()) ++readers_left_[tensor];
  }
  for (const NodeId output : network_.outputs()) ++readers_left_[lowered_.stands_for[output]];
  plan_rounding();
  place_input();
  for (const Group& group : lowered_.groups) {
    for (const NodeId tensor : group.reads()) --readers_left_[tensor];
    build(group);
  }
  finish_outputs();
  return std::move(program_);
}

void Builder::refuse(NodeId node, const std::string& reason) const {
  const std::string& name = network_.name(node);
  throw Unsupported(fmt::format("{} (node {}{}{}): {}", name_of(network_.op(node).kind), node, name.empty() ? "" : ", ",
                                name, reason));
}

void Builder::place_input() {
  bool placed = false;
  for (NodeId node = 0; node < network_.size(); ++node) {
    if (network_.op(node).kind != OpKind::input) continue;
    if (placed) refuse(node, "a network with more than one input is not executed");
    placed = true;
    const MemoryDesc desc = make_desc(network_.shape(node), DataType::f32, Layout::plain);
    program_.input_buffer = new_buffer(node, desc, false);
    define(node, desc, program_.input_buffer);
  }
}

void Builder::finish_outputs() {
  const std::size_t last = program_.steps.empty() ? 0 : program_.steps.size() - 1;
  for (const NodeId output : network_.outputs()) {
    const Slot slot = fetch(lowered_.stands_for[output], f32, Reading::plain);
    program_.output_buffers.push_back(slot.buffer);
    program_.output_sizes.push_back(static_cast<std::size_t>(elements(network_.shape(output))));
  }
  const std::size_t end = program_.steps.empty() ? last : program_.steps.size() - 1;
  for (const std::size_t buffer : program_.output_buffers) program_.buffers[buffer].last_step = end;
}

DataType Builder::type_for(NodeId tensor, const Format& format) const {
  if (format.kind == Format::Kind::f32) return DataType::f32;
  if (format.kind == Format::Kind::bf16) return DataType::bf16;
  return scales_[tensor].is_unsigned ? DataType::u8 : DataType::s8;
}

std::size_t Builder::new_buffer(NodeId node, const MemoryDesc& desc, bool in_arena) {
  Buffer buffer;
  buffer.in_arena = in_arena;
  buffer.bytes = static_cast<std::int64_t>(desc.get_size());
  buffer.node = node;
  program_.buffers.push_back(buffer);
  held_.emplace_back();
  return program_.buffers.size() - 1;
}

void Builder::define(NodeId tensor, const MemoryDesc& desc, std::size_t buffer) {
  primary_[tensor] = Slot{desc, buffer};
  held_[buffer].push_back(tensor);
  program_.tensors.push_back({tensor, buffer, program_.steps.size(), !has_layout(desc, Layout::plain)});
}

bool Builder::may_overwrite(std::size_t buffer) const {
  if (!program_.buffers[buffer].in_arena || held_[buffer].empty()) return false;
  return std::all_of(held_[buffer].begin(), held_[buffer].end(), [&](NodeId node) { return readers_left_[node] == 0; });
}

Builder::Slot Builder::fetch(NodeId tensor, const Format& format, Reading reading) {
  const Slot& slot = *primary_[tensor];
  const DataType type = type_for(tensor, format);
  Layout layout = reading == Reading::channels_last ? Layout::channels_last : Layout::plain;
  if (reading == Reading::as_is && !has_layout(slot.desc, Layout::plain)) layout = Layout::channels_last;
  const MemoryDesc wanted = make_desc(network_.shape(tensor), type, layout);
  if (same_bytes(slot.desc, wanted)) return {wanted, slot.buffer};
  return convert(tensor, slot, type, layout);
}

Builder::Slot Builder::convert(NodeId tensor, const Slot& from, DataType type, Layout layout) {
  const auto key = std::tuple(tensor, type, layout);
  if (const auto found = copies_.find(key); found != copies_.end()) return found->second;
  const Slot to{make_desc(network_.shape(tensor), type, layout), 0};
  PrimitiveSpec spec;
  spec.op.kind = OpKind::identity;
  spec.sources = {from.desc};
  spec.destination = to.desc;
  spec.threads = options_.threads;
  const auto is_int8 = [](DataType t) { return t == DataType::u8 || t == DataType::s8; };
  const float scale = scales_[tensor].scale;
  if (is_int8(type) && !is_int8(type_of(from.desc))) spec.output_scales = {1.0F / scale};
  if (!is_int8(type) && is_int8(type_of(from.desc))) spec.output_scales = {scale};
  const Slot made{to.desc, new_buffer(tensor, to.desc)};
  StepInfo info;
  info.node = tensor;
  info.kind = "reorder";
  info.format = is_int8(type) ? "int8" : text_of(type);
  info.macs = 0;
  std::vector<Operand> operands{operand(DNNL_ARG_FROM, from), operand(DNNL_ARG_TO, made)};
  if (!emit_conversion(spec, operands, info)) emit(spec, std::move(operands), std::move(info));
  copies_.emplace(key, made);
  return made;
}

std::shared_ptr<const CompiledPrimitive> Builder::compile_for(const PrimitiveSpec& spec, NodeId node) const {
  try {
    return compile(spec);
  } catch (const dnnl::error& error) {
    refuse(node, fmt::format("oneDNN has no primitive for {}: {}", spec.text(), error.what()));
  }
}

void Builder::emit(const PrimitiveSpec& spec, std::vector<Operand> operands, StepInfo info) {
  Step step;
  step.compiled = compile_for(spec, info.node);
  step.operands = std::move(operands);
  step.info = std::move(info);
  step.info.implementation = step.compiled->implementation;
  append(std::move(step), spec);
}

// Conversions in place, and of a plain colour image into pixels, have loops of their own.
bool Builder::emit_conversion(const PrimitiveSpec& spec, const std::vector<Operand>& operands, const StepInfo& info) {
  const MemoryDesc &from = operands[0].desc, &to = operands[1].desc;
  const Shape shape = shape_of(from);
  const float scale = spec.output_scales.empty() ? 1.0F : spec.output_scales[0];
  const auto both = [&](Layout layout) { return has_layout(from, layout) && has_layout(to, layout); };
  Step step;
  step.operands = operands;
  step.info = info;
  if (both(Layout::plain) || both(Layout::channels_last)) {
    const ConversionJob job{stored_type(type_of(from)), stored_type(type_of(to)), elements(shape), scale,
                            options_.threads};
    step.job = [job](const std::byte* in, std::byte* out) { convert_numbers(job, in, out); };
    step.info.implementation = conversion_name("conversion");
  } else if (shape.size() == 4 && shape[1] == 3 && type_of(from) == DataType::f32 && type_of(to) != DataType::u8 &&
             has_layout(from, Layout::plain) && has_layout(to, Layout::channels_last)) {
    const InterleaveJob job{shape[0], shape[2] * shape[3], stored_type(type_of(to)), scale, options_.threads};
    step.job = [job](const std::byte* in, std::byte* out) { interleave(job, reinterpret_cast<const float*>(in), out); };
    step.info.implementation = conversion_name("interleave");
  } else {
    return false;
  }
  append(std::move(step), spec);
  return true;
}

void Builder::append(Step step, const PrimitiveSpec& spec) {
  step.info.signature = spec.text() + " " + step.info.implementation;
  for (const Operand& used : step.operands) {
    if (used.is_weights) continue;
    Buffer& buffer = program_.buffers[used.index];
    if (!buffer.touched) buffer.first_step = program_.steps.size();
    buffer.touched = true;
    buffer.last_step = program_.steps.size();
  }
  program_.steps.push_back(std::move(step));
}

std::size_t Builder::keep_weights(std::shared_ptr<const AlignedBytes> bytes) {
  program_.weights.push_back(std::move(bytes));
  return program_.weights.size() - 1;
}

// The group's result is in `buffer` as `computed`; it becomes the tensor's memory, converted to how it is stored.
void Builder::store(const Group& group, const MemoryDesc& computed, std::size_t buffer) {
  const DataType stored = type_for(group.result, lowered_.stored[group.result]);
  if (type_of(computed) == stored) {
    define(group.result, computed, buffer);
  } else {
    const Layout layout = has_layout(computed, Layout::plain) ? Layout::plain : Layout::channels_last;
    const Slot converted = convert(group.result, {computed, buffer}, stored, layout);
    define(group.result, converted.desc, converted.buffer);
  }
  if (rounded_[group.result]) {
    const Slot& made = *primary_[group.result];
    emit_rounding(group.result, *rounded_[group.result], made, made);
  }
}

}  // namespace ridgeline
