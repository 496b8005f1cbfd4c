// QuantizeLinear and DequantizeLinear, and what they say of the operators that read behind them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "spaces/onnx/importer.hpp"

namespace ridgeline {
namespace {

struct CodeRange {
  std::int64_t least, most;
};
CodeRange codes_of(OnnxInteger stored) { return stored == OnnxInteger::u8 ? CodeRange{0, 255} : CodeRange{-128, 127}; }

OnnxQuantizer read_quantizer(OnnxImporter& at) {
  OnnxQuantizer quantizer;
  quantizer.scales = at.numbers(1);
  quantizer.axis = at.integer("axis", 1);
  quantizer.zero_points.assign(quantizer.scales.size(), 0);
  if (at.has_input(2)) {
    quantizer.zero_points = at.integers(2);
    quantizer.stored = at.stored(2);
  }
  const bool positive = std::all_of(quantizer.scales.begin(), quantizer.scales.end(),
                                    [](float scale) { return scale > 0 && std::isfinite(scale); });
  if (!positive || quantizer.scales.empty() || quantizer.zero_points.size() != quantizer.scales.size()) {
    at.refuse("positive scales, and a zero point each",
              fmt::format("{} scales and {} zero points", quantizer.scales.size(), quantizer.zero_points.size()));
  }
  return quantizer;
}

// Which scale each number of a tensor has.
template <typename Each>
void for_each_scaled(OnnxImporter& at, const Shape& shape, const OnnxQuantizer& quantizer, Each each) {
  const auto count = static_cast<std::size_t>(elements(shape));
  if (quantizer.scales.size() == 1) {
    for (std::size_t i = 0; i < count; ++i) each(i, std::size_t{0});
    return;
  }
  const auto rank = static_cast<std::int64_t>(shape.size());
  const std::int64_t axis = quantizer.axis < 0 ? quantizer.axis + rank : quantizer.axis;
  if (axis < 0 || axis >= rank || shape[static_cast<std::size_t>(axis)] != std::ssize(quantizer.scales)) {
    at.refuse(fmt::format("scales along axis {} of {}", quantizer.axis, shape_text(shape)),
              fmt::format("{} scales", quantizer.scales.size()));
  }
  std::size_t behind = 1;
  for (std::int64_t i = axis + 1; i < rank; ++i) behind *= static_cast<std::size_t>(shape[static_cast<std::size_t>(i)]);
  for (std::size_t i = 0; i < count; ++i) each(i, i / behind % quantizer.scales.size());
}

Range range_of(const OnnxQuantizer& quantizer, std::size_t index) {
  const auto [least, most] = codes_of(quantizer.stored);
  const std::int64_t zero = quantizer.zero_points[index];
  const bool is_symmetric = quantizer.stored == OnnxInteger::i8 && zero == 0;
  return {quantizer.scales[index] * static_cast<float>((is_symmetric ? -127 : least) - zero),
          quantizer.scales[index] * static_cast<float>(most - zero)};
}

// Eight bits, symmetric where no zero point asks for more.
Format format_of(const OnnxQuantizer& quantizer) {
  Format format = int8;
  const bool centred = std::all_of(quantizer.zero_points.begin(), quantizer.zero_points.end(),
                                   [](std::int64_t zero) { return zero == 0; });
  if (!centred) format.kind = Format::Kind::unsigned_integer;
  if (quantizer.scales.size() > 1) format.granularity = Format::Granularity::channel;
  return format;
}

}  // namespace

void import_quantize(OnnxImporter& at) {
  const OnnxQuantizer quantizer = read_quantizer(at);
  const CodeRange codes_held = codes_of(quantizer.stored);
  OnnxTensor result{.quantizer = std::make_shared<const OnnxQuantizer>(quantizer), .is_integer = true};
  if (at.input(0).constant) {
    const std::vector<float>& values = at.numbers(0);
    std::vector<std::int64_t> codes(values.size());
    for_each_scaled(at, at.constant(0).shape, quantizer, [&](std::size_t i, std::size_t k) {
      const float scaled =
          std::nearbyint(values[i] / quantizer.scales[k]) + static_cast<float>(quantizer.zero_points[k]);
      codes[i] =
          static_cast<std::int64_t>(std::clamp(std::isnan(scaled) ? 0.0F : scaled, static_cast<float>(codes_held.least),
                                               static_cast<float>(codes_held.most)));
    });
    return at.define(OnnxConstant{at.constant(0).shape, std::move(codes)});
  }
  if (quantizer.scales.size() != 1) at.refuse("one scale for an activation", std::to_string(quantizer.scales.size()));
  NodeId node = at.tensor(0);
  // Unsigned numbers with nothing below 0 cut as a relu does.
  if (range_of(quantizer, 0).low == 0.0F && !at.is_never_negative(node)) node = at.add({.kind = OpKind::relu}, {node});
  result.node = node;
  at.define(std::move(result));
}

void import_dequantize(OnnxImporter& at) {
  const OnnxQuantizer quantizer = read_quantizer(at);
  const auto shared = std::make_shared<const OnnxQuantizer>(quantizer);
  const OnnxTensor& source = at.input(0);
  if (source.constant) {
    const std::vector<std::int64_t>& codes = at.integers(0);
    std::vector<float> values(codes.size());
    for_each_scaled(at, source.constant->shape, quantizer, [&](std::size_t i, std::size_t k) {
      values[i] = quantizer.scales[k] * static_cast<float>(codes[i] - quantizer.zero_points[k]);
    });
    OnnxConstant real{source.constant->shape, std::move(values)};
    return at.define(OnnxTensor{.constant = std::make_shared<OnnxConstant>(std::move(real)), .quantizer = shared});
  }
  if (!source.is_integer || !source.node) at.refuse("quantized numbers", "real ones");
  if (source.quantizer->scales != quantizer.scales || source.quantizer->zero_points != quantizer.zero_points) {
    at.refuse("the scale that the numbers were quantized with", "another one");
  }
  at.note_range(*source.node, range_of(quantizer, 0));
  at.define(OnnxTensor{.node = source.node, .quantizer = shared});
}

void OnnxImporter::note_formats(NodeId node, std::initializer_list<std::size_t> activations,
                                std::optional<WeightInput> weights) {
  OperatorFormats formats;
  for (const std::size_t index : activations) {
    const OnnxTensor& value = input(index);
    if (!value.quantizer) continue;
    formats.activations = format_of(*value.quantizer);
  }
  if (weights && input(weights->index).quantizer) {
    const OnnxQuantizer& quantizer = *input(weights->index).quantizer;
    const auto rank = static_cast<std::int64_t>(constant(weights->index).shape.size());
    const std::int64_t axis = quantizer.axis < 0 ? quantizer.axis + rank : quantizer.axis;
    if (quantizer.scales.size() > 1 && axis != weights->channel_axis) {
      refuse(fmt::format("scales of weights along axis {}, the output channels", weights->channel_axis),
             fmt::format("axis {}", quantizer.axis));
    }
    formats.weights = format_of(quantizer);
    quantization_.weights.resize(node + 1);
    for (std::size_t i = 0; i < quantizer.scales.size(); ++i) {
      quantization_.weights[node].push_back(range_of(quantizer, i));
    }
  }
  if (formats == OperatorFormats{}) return;
  precision_.operators.resize(node + 1);
  precision_.operators[node] = formats;
}

}  // namespace ridgeline
