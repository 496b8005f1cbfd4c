// Formats without primitives: operators that read them compute in f32, on tensors rounded where they would be stored or
// read in the format, and on kernels rounded when they are packed.

#include "kernels/builder.hpp"
#include "kernels/quantization/activation_quantizer.hpp"

namespace ridgeline {
namespace {

bool is_executed(const Format& format) {
  return format == f32 || format == bf16 || format == int8 ||
         format == Format{Format::Kind::integer, Format::Granularity::channel, 8, 0, 0};
}

}  // namespace

bool Builder::is_emulated(const Format& format) const {
  if (options_.emulation == Emulation::none || format == f32) return false;
  return options_.emulation == Emulation::all || !is_executed(format);
}

// Weights and activations that have no primitive together are emulated together.
bool Builder::is_emulated(NodeId node) const {
  const OperatorFormats formats = design_.precision.at(node);
  const bool pair = formats.weights.kind == formats.activations.kind &&
                    (!formats.activations.is_quantized() || formats.activations == int8);
  if (!has_weights(network_.op(node).kind)) return is_emulated(formats.activations);
  return is_emulated(formats.weights) || is_emulated(formats.activations) ||
         (options_.emulation != Emulation::none && !pair);
}

void Builder::plan_rounding() {
  rounded_.resize(network_.size());
  for (const Group& group : lowered_.groups) {
    const OpKind kind = network_.op(group.anchor).kind;
    if ((kind == OpKind::conv2d || kind == OpKind::linear) && is_emulated(group.anchor)) packer_.emulate(group.anchor);
  }
  for (NodeId tensor = 0; tensor < network_.size(); ++tensor) {
    Format& stored = lowered_.stored[tensor];
    if (!is_emulated(stored)) continue;
    // What the caller fills in is left as it is, and rounded for its readers.
    if (network_.op(tensor).kind != OpKind::input) rounded_[tensor] = stored;
    stored = f32;
  }
}

Quantizer Builder::quantizer_for(NodeId tensor, const Format& format) const {
  return activation_quantizer(format, scales_[tensor],
                              tensor < ranges_.size() ? std::optional(ranges_[tensor]) : std::nullopt);
}

void Builder::emit_rounding(NodeId tensor, const Format& format, const Slot& from, const Slot& to) {
  const Shape& shape = network_.shape(tensor);
  Step step;
  step.job = [quantizer = quantizer_for(tensor, format), size = static_cast<std::size_t>(elements(shape)),
              axis = channel_axis(shape, !has_layout(from.desc, Layout::plain))](const std::byte* in, std::byte* out) {
    fake_quantize_along({reinterpret_cast<const float*>(in), size}, {reinterpret_cast<float*>(out), size}, axis,
                        quantizer);
  };
  step.operands = {operand(DNNL_ARG_FROM, from), operand(DNNL_ARG_TO, to)};
  step.info.node = tensor;
  step.info.kind = "rounding";
  step.info.format = format.text();
  step.info.implementation = "emulated";
  step.info.macs = 0;
  PrimitiveSpec spec;
  spec.sources = {from.desc};
  spec.destination = to.desc;
  append(std::move(step), spec);
}

Builder::Slot Builder::fetch_operand(NodeId reader, std::size_t index, const Group& group, const Format& computed,
                                     Reading reading) {
  const NodeId tensor = group.inputs[index];
  const Slot source = fetch(tensor, computed, reading);
  const Format format = design_.precision.at(reader).activations;
  if (!is_emulated(reader) || format == f32 || rounded_[tensor] == format) return source;
  const Layout layout = has_layout(source.desc, Layout::plain) ? Layout::plain : Layout::channels_last;
  const auto key = std::tuple(tensor, format.text(), layout);
  if (const auto found = rounded_copies_.find(key); found != rounded_copies_.end()) return found->second;
  const Slot copy{source.desc, new_buffer(tensor, source.desc)};
  emit_rounding(tensor, format, source, copy);
  rounded_copies_.emplace(key, copy);
  return copy;
}

}  // namespace ridgeline
