#include "spaces/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "spaces/config_error.hpp"
#include "spaces/network.hpp"

namespace ridgeline {
namespace {

// Reads decimal digits at the front of `text` and drops them; nullopt where there are none or they are over 65535.
std::optional<int> take_number(std::string_view& text) {
  std::uint16_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || (text.size() > 1 && text.front() == '0' && end != text.data() + 1)) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

bool take_word(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 8> aliases{{{"mxfp8", "e4m3@mx32"},
                                                                                {"mxfp8e4m3", "e4m3@mx32"},
                                                                                {"mxfp8e5m2", "e5m2@mx32"},
                                                                                {"mxfp6", "e3m2@mx32"},
                                                                                {"mxfp6e3m2", "e3m2@mx32"},
                                                                                {"mxfp6e2m3", "e2m3@mx32"},
                                                                                {"mxfp4", "e2m1@mx32"},
                                                                                {"mxint8", "int8@mx32"}}};

// The text without aliases.
std::string canonical(std::string_view text) {
  for (const auto& [alias, meaning] : aliases) {
    if (text == alias) return std::string(meaning);
  }
  const std::size_t at = text.find('@');
  if (!text.starts_with("bfp") || at == std::string_view::npos) return std::string(text);
  return fmt::format("int{}@mx{}", text.substr(3, at - 3), text.substr(at + 1));
}

std::optional<Format> parse_base(std::string_view text) {
  if (text == "f32") return f32;
  if (text == "f16") return Format{Format::Kind::f16, Format::Granularity::tensor, 16, 5, 0};
  if (text == "bf16") return bf16;
  if (text == "binary") return Format{Format::Kind::binary, Format::Granularity::tensor, 1, 0, 0};
  if (text == "ternary") return Format{Format::Kind::ternary, Format::Granularity::tensor, 2, 0, 0};
  Format format = int8;
  if (take_word(text, "pot")) {
    const auto bits = take_number(text);
    if (!bits || !text.empty() || *bits < 2 || *bits > 8) return std::nullopt;
    return Format{Format::Kind::power_of_two, Format::Granularity::tensor, static_cast<std::uint8_t>(*bits), 0, 0};
  }
  if (const bool is_signed = take_word(text, "int"); is_signed || take_word(text, "uint")) {
    const auto bits = take_number(text);
    if (!bits || !text.empty() || *bits < (is_signed ? 2 : 1) || *bits > 16) return std::nullopt;
    format.kind = is_signed ? Format::Kind::integer : Format::Kind::unsigned_integer;
    format.width_bits = static_cast<std::uint8_t>(*bits);
    return format;
  }
  if (!take_word(text, "e")) return std::nullopt;
  const auto exponent = take_number(text);
  if (!exponent || !take_word(text, "m")) return std::nullopt;
  const auto mantissa = take_number(text);
  if (!mantissa || !text.empty() || *exponent < 1 || *exponent > 8 || *mantissa > 10) return std::nullopt;
  format.kind = Format::Kind::minifloat;
  format.width_bits = static_cast<std::uint8_t>(1 + *exponent + *mantissa);
  format.exponent_bits = static_cast<std::uint8_t>(*exponent);
  return format;
}

bool parse_granularity(std::string_view text, Format& format) {
  if (text == "tensor") return true;
  if (text == "channel") {
    format.granularity = Format::Granularity::channel;
    return true;
  }
  const bool mx = take_word(text, "mx");
  if (!mx && !take_word(text, "group")) return false;
  if (mx && format.kind != Format::Kind::integer && format.kind != Format::Kind::minifloat) return false;
  const auto size = take_number(text);
  if (!size || *size < 1 || !text.empty()) return false;
  format.granularity = mx ? Format::Granularity::mx : Format::Granularity::group;
  format.group_size = static_cast<std::uint16_t>(*size);
  return true;
}

// The widest of the formats asked for, in whatever order they come. Different formats of one width cannot stand in for
// each other: where the widest are such, their readers need f32.
struct Widest {
  Format format;
  bool asked = false;
  bool tied = false;

  void ask(const Format& other) {
    if (!asked || other.width_bits > format.width_bits) {
      *this = {other, true, false};
    } else if (other.width_bits == format.width_bits && other != format) {
      tied = true;
    }
  }
  Format result() const { return !asked || tied ? f32 : format; }
};

bool reads_by_plan(OpKind kind) { return kind == OpKind::conv2d || kind == OpKind::linear || kind == OpKind::matmul; }

}  // namespace

Format Format::parse(std::string_view text) {
  const std::string meaning = canonical(text);
  const std::string_view words = meaning;
  const std::size_t at = words.find('@');
  std::optional<Format> format = parse_base(words.substr(0, at));
  if (format && at != std::string_view::npos &&
      (!format->is_quantized() || !parse_granularity(words.substr(at + 1), *format))) {
    format.reset();
  }
  if (format) return *format;
  throw ConfigError({"", "", "a number format", fmt::format("'{}'", text),
                     "known: f32, f16, bf16, int2 to int16, uint1 to uint16, minifloats such as e4m3 (exponent 1 to 8, "
                     "mantissa 0 to 10 bits), pot2 to pot8, binary, ternary; all but the first three also with "
                     "@channel or @groupN (N from 1 to 65535), integers and minifloats also with @mxN; mxfp8, "
                     "mxfp8e5m2, mxfp6, mxfp6e2m3, mxfp4, mxint8 and bfpM@N are names of such"});
}

std::string Format::text() const {
  std::string base;
  switch (kind) {
    case Kind::f32:
      return "f32";
    case Kind::f16:
      return "f16";
    case Kind::bf16:
      return "bf16";
    case Kind::integer:
      base = fmt::format("int{}", width_bits);
      break;
    case Kind::unsigned_integer:
      base = fmt::format("uint{}", width_bits);
      break;
    case Kind::minifloat:
      base = fmt::format("e{}m{}", exponent_bits, width_bits - 1 - exponent_bits);
      break;
    case Kind::power_of_two:
      base = fmt::format("pot{}", width_bits);
      break;
    case Kind::binary:
      base = "binary";
      break;
    case Kind::ternary:
      base = "ternary";
      break;
  }
  if (granularity == Granularity::channel) base += "@channel";
  if (granularity == Granularity::group) base += fmt::format("@group{}", group_size);
  if (granularity == Granularity::mx) base += fmt::format("@mx{}", group_size);
  return base;
}

std::int64_t scale_count(const Format& format, std::int64_t rows, std::int64_t row_length) {
  if (!format.is_quantized()) return 0;
  if (format.granularity == Format::Granularity::tensor) return 1;
  if (format.granularity == Format::Granularity::channel) return rows;
  return rows * ((row_length + format.group_size - 1) / format.group_size);
}

std::int64_t stored_bits(const Format& format, std::int64_t rows, std::int64_t row_length) {
  const int scale_bits = format.granularity == Format::Granularity::mx ? 8 : 32;
  const int zero_point_bits = format.kind == Format::Kind::unsigned_integer ? format.width_bits : 0;
  return rows * row_length * format.width_bits + scale_count(format, rows, row_length) * (scale_bits + zero_point_bits);
}

double effective_bits(const Format& format, std::int64_t rows, std::int64_t row_length) {
  return static_cast<double>(stored_bits(format, rows, row_length)) / static_cast<double>(rows * row_length);
}

PrecisionPlan PrecisionPlan::uniform(const Network& network, Format weights, Format activations) {
  PrecisionPlan plan;
  plan.operators.resize(network.size());
  for (NodeId node = 0; node < network.size(); ++node) {
    if (reads_by_plan(network.op(node).kind)) plan.operators[node] = {weights, activations};
  }
  return plan;
}

PrecisionPlan PrecisionPlan::uniform(const Network& network, Format format) {
  Format weights = format;
  if (weights.kind == Format::Kind::integer && weights.granularity == Format::Granularity::tensor) {
    weights.granularity = Format::Granularity::channel;
  }
  return uniform(network, weights, format);
}

PrecisionPlan PrecisionPlan::uniform(const Network& network, std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return uniform(network, Format::parse(text));
  return uniform(network, Format::parse(text.substr(0, slash)), Format::parse(text.substr(slash + 1)));
}

std::vector<Format> stored_formats(const Network& network, const PrecisionPlan& plan) {
  std::vector<Format> stored(network.size(), f32);
  std::vector<Widest> wanted(network.size());
  for (const NodeId output : network.outputs()) wanted[output].ask(f32);
  for (NodeId node = static_cast<NodeId>(network.size()); node-- > 0;) {  // readers come after what they read
    if (!wanted[node].asked) continue;                                    // dead
    stored[node] = wanted[node].result();
    const Format read = reads_by_plan(network.op(node).kind) ? plan.at(node).activations : stored[node];
    for (const NodeId input : network.inputs(node)) wanted[input].ask(read);
  }
  return stored;
}

}  // namespace ridgeline
