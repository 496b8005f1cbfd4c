// Tensors and kernels rounded to number formats: forward jobs, and the gradient that goes back through them.

#include <algorithm>

#include "kernels/conversion.hpp"
#include "kernels/quantization/activation_quantizer.hpp"
#include "kernels/training/training_builder.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {

using Kind = ParameterBlock::Kind;

namespace {

std::span<float> ranges_at(std::byte* memory, std::size_t count) { return {reinterpret_cast<float*>(memory), count}; }

// By the numbers themselves, whatever the batch has of them: groups and channels of activations, groups of a kernel.
void round_by_numbers(const NumberMemory& in, const NumberMemory& out, const QuantizedAxis& axis, const Format& format,
                      int threads) {
  const std::size_t count = axis.outer * axis.length * axis.inner;
  if (!in.is_bf16) {
    fake_quantize_along({reinterpret_cast<const float*>(in.data), count}, {reinterpret_cast<float*>(out.data), count},
                        axis, {.format = format});
    return;
  }
  std::vector<float> values(count);
  const auto numbers = static_cast<std::int64_t>(count);
  convert_numbers({StoredType::bfloat, StoredType::single, numbers, 1.0F, threads}, in.data, values.data());
  fake_quantize_along(values, values, axis, {.format = format});
  convert_numbers({StoredType::single, StoredType::bfloat, numbers, 1.0F, threads}, values.data(), out.data);
}

}  // namespace

TrainingBuilder::Rounded TrainingBuilder::rounded(const Tensor& from, NodeId tensor, const Format& format) {
  Rounded one{from, make(from.desc), format, std::nullopt, nullptr};
  if (format.granularity == Format::Granularity::tensor) {
    const Shape& shape = network_.shape(tensor);
    one.range = sites_.range(sites_.range_of[tensor], Kind::tensor_range);
    one.rounding = RangeRounding{.format = format,
                                 .activations = true,
                                 .is_unsigned = format.kind == Format::Kind::integer && sites_.is_unsigned[tensor],
                                 .rows = 1,
                                 .row_length = static_cast<std::size_t>(elements(shape)),
                                 .samples = static_cast<std::size_t>(shape[0])};
  }
  return one;
}

TrainingBuilder::Rounded TrainingBuilder::rounded_kernel(NodeId node) {
  const auto found = std::find_if(blocks_.begin(), blocks_.end(), [&](const ParameterBlock& block) {
    return block.node == node && block.kind == Kind::kernel;
  });
  const auto rows = static_cast<std::size_t>(network_.op(node).channels), taps = found->size / rows;
  const Tensor given = block(node, Kind::kernel, {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(taps)},
                             program_.parameters);
  Rounded one{given, make(given.desc), *sites_.kernels[node], std::nullopt, sites_.range(node, Kind::kernel_range)};
  if (one.range != nullptr) {
    one.rounding = RangeRounding{
        .format = one.format, .activations = false, .is_unsigned = false, .rows = rows, .row_length = taps};
  }
  return one;
}

void TrainingBuilder::emit_rounding(const Rounded& one) {
  const bool is_bf16 = type_of(one.from.desc) == DataType::bf16;
  if (!one.rounding) {
    const bool plain_memory = has_layout(one.from.desc, Layout::plain);
    const QuantizedAxis axis = channel_axis(shape_of(one.from.desc), !plain_memory);
    emit_job(
        [=, format = one.format, threads = options_.threads](std::span<std::byte* const> operands, std::uint64_t) {
          round_by_numbers({operands[0], is_bf16}, {operands[1], is_bf16}, axis, format, threads);
        },
        {one.from, one.to});
    return;
  }
  RangeRounding rounding = *one.rounding;
  rounding.way = options_.quantization.way;
  rounding.seed = Rng::derive(options_.quantization.seed, "rounding site", program_.calls.size());
  rounding.threads = options_.threads;
  emit_job(
      [=](std::span<std::byte* const> operands, std::uint64_t step) {
        round_over(rounding, {operands[0], is_bf16}, {operands[1], is_bf16}, ranges_at(operands[2], rounding.ranges()),
                   step);
      },
      {one.from, one.to, block(one.range->node, one.range->kind, {1}, program_.parameters)});
}

// The gradient by what was rounded, into `passed`, from that by what came out.
TrainingTensor TrainingBuilder::pulled(const Rounded& one, const Tensor& gradient, const Tensor& passed) {
  if (!one.rounding) return gradient;
  RangeRounding rounding = *one.rounding;
  rounding.way = options_.quantization.way;
  rounding.threads = options_.threads;
  const bool is_bf16 = type_of(one.from.desc) == DataType::bf16, add = !ranges_pulled_.insert(one.range->offset).second;
  const ParameterBlock& range = *one.range;
  emit_job(
      [=](std::span<std::byte* const> operands, std::uint64_t) {
        const std::size_t ranges = rounding.ranges();
        pull_back(rounding, {operands[0], is_bf16}, {operands[1], is_bf16}, ranges_at(operands[2], ranges),
                  {operands[3], is_bf16}, {operands[4], is_bf16}, ranges_at(operands[5], ranges), add);
      },
      {one.from, one.to, block(range.node, range.kind, {1}, program_.parameters), gradient, passed,
       block(range.node, range.kind, {1}, program_.gradient)});
  return passed;
}

void TrainingBuilder::round_made(NodeId node) {
  if (!sites_.made[node]) return;
  const Rounded one = rounded(*values_[node], node, *sites_.made[node]);
  emit_rounding(one);
  values_[node] = one.to;
  on_backward(node, [=, this] {
    const Tensor gradient = gradient_as(node, one.from.desc);
    gradients_[node] = one.rounding ? pulled(one, gradient, make(one.from.desc)) : gradient;
  });
}

const TrainingBuilder::Rounded* TrainingBuilder::find_read(NodeId node, NodeId from, const MemoryDesc& wanted) const {
  const auto copies = reads_.find(from);
  if (copies == reads_.end()) return nullptr;
  for (const Rounded& one : copies->second) {
    if (one.format == *sites_.read[node] && one.to.desc == wanted) return &one;
  }
  return nullptr;
}

TrainingTensor TrainingBuilder::operand(NodeId node, NodeId from, const MemoryDesc& wanted) {
  const Tensor value = value_as(from, wanted);
  const std::optional<Format>& format = sites_.read[node];
  if (!format || sites_.held[from] == format) return value;
  if (const Rounded* one = find_read(node, from, wanted)) return one->to;
  const Rounded one = rounded(value, from, *format);
  emit_rounding(one);
  reads_[from].push_back(one);
  return one.to;
}

void TrainingBuilder::accumulate_operand(NodeId node, NodeId from, const Tensor& gradient) {
  const Rounded* one = sites_.read[node] ? find_read(node, from, gradient.desc) : nullptr;
  if (one == nullptr || !one->rounding) return accumulate(from, gradient);
  accumulate(from, pulled(*one, gradient, make(gradient.desc)));
}

}  // namespace ridgeline
