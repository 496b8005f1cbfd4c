// Number formats, and which one every operator of a network uses.
//
// Text form: an element type, such as `f32`, `bf16`, `int8`, `uint4`, `e4m3`, `pot4`, `binary` or `ternary`, and how
// many values share one scale: the whole tensor (the default), one output channel (`@channel`), or n consecutive values
// of one output channel's kernel in row-major order, where the last ones of a channel may be fewer (`@groupN`, and
// `@mxN` when the scale is a power of two in 8 bits, the E8M0 of the OCP Microscaling Formats (MX) Specification 1.0,
// 2023). f32, f16 and bf16 have no scale and take no granularity. LANGUAGE.md lists all forms; what the codes of an
// element mean is in kernels/quantization/codec.hpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ridgeline {

class Network;

struct Format {
  // The numbers of these enumerators are in stored hashes: new ones come last.
  enum class Kind : std::uint8_t {
    f32,
    f16,
    bf16,
    integer,           // symmetric: a scale
    unsigned_integer,  // asymmetric: a scale and a zero point
    minifloat,         // a sign, exponent_bits, and the rest mantissa
    power_of_two,      // a sign, and codes for 0 and for 2^0 down to 2^-(2^(width_bits - 1) - 2)
    binary,            // -1 and 1
    ternary            // -1, 0 and 1
  };
  enum class Granularity : std::uint8_t { tensor, channel, group, mx };

  Kind kind = Kind::f32;
  Granularity granularity = Granularity::tensor;
  std::uint8_t width_bits = 32;    // of one stored value
  std::uint8_t exponent_bits = 8;  // of f32, f16, bf16 and minifloats; else 0
  std::uint16_t group_size = 0;    // values a group; 0 unless granularity is group or mx

  // Also takes the names mxfp8 (e4m3@mx32), mxfp8e5m2, mxfp6 (e3m2@mx32), mxfp6e2m3, mxfp4 (e2m1@mx32), mxint8, and
  // bfpM@N, block floating point of M bits with the sign in blocks of N (intM@mxN). Throws ConfigError naming the known
  // forms.
  static Format parse(std::string_view text);
  std::string text() const;  // parse(text()) == *this

  bool is_quantized() const { return kind != Kind::f32 && kind != Kind::f16 && kind != Kind::bf16; }
  bool has_groups() const { return granularity == Granularity::group || granularity == Granularity::mx; }
  friend bool operator==(const Format&, const Format&) = default;
};

// The tensor that a format is to hold is [rows, row_length]: a kernel has a row an output channel.
std::int64_t scale_count(const Format& format, std::int64_t rows, std::int64_t row_length);
// Bits of all its numbers, of its scales (32 each, 8 where they are powers of two) and of its zero points (as wide as
// the numbers, one a scale).
std::int64_t stored_bits(const Format& format, std::int64_t rows, std::int64_t row_length);
// stored_bits a number: 4.25 for mxfp4, 5 for int4@group32 when rows are whole groups. rows and row_length > 0.
double effective_bits(const Format& format, std::int64_t rows, std::int64_t row_length);

inline constexpr Format f32{};
inline constexpr Format bf16{Format::Kind::bf16, Format::Granularity::tensor, 16, 8, 0};
inline constexpr Format int8{Format::Kind::integer, Format::Granularity::tensor, 8, 0, 0};

// How one operator reads its operands. `follow` operators (activations, pooling, additions, reshapes) take their input
// as it is stored and have no choice of their own.
struct OperatorFormats {
  Format weights = f32;
  Format activations = f32;  // the format in which the operator reads its input activations
  friend bool operator==(const OperatorFormats&, const OperatorFormats&) = default;
};

// A format for each weight and activation tensor of a network: entry i says how node i reads its weights and inputs
// (meaningful for conv2d, linear and matmul). How a tensor is *stored* follows from its readers: see stored_formats().
struct PrecisionPlan {
  std::vector<OperatorFormats> operators;  // one a node; an empty plan is all f32

  OperatorFormats at(std::size_t node) const { return node < operators.size() ? operators[node] : OperatorFormats{}; }
  // Every conv2d, linear and matmul reads `activations` and `weights`.
  static PrecisionPlan uniform(const Network& network, Format weights, Format activations);
  // The same format for both; integer weights have a scale an output channel unless another granularity is asked for:
  // what this machine executes.
  static PrecisionPlan uniform(const Network& network, Format format);
  // "int8", or "int4@channel/e4m3": weights and activations. Throws ConfigError.
  static PrecisionPlan uniform(const Network& network, std::string_view text);
  friend bool operator==(const PrecisionPlan&, const PrecisionPlan&) = default;
};

// The format in which each node's output is stored, one entry a node: the widest of what its live readers ask for, seen
// through operators that follow (all but conv2d, linear and matmul); f32 for what leaves the network and for dead
// nodes. Different formats of one width (int8 and e4m3, int8 and int8@channel) cannot stand in for each other: then
// f32.
std::vector<Format> stored_formats(const Network& network, const PrecisionPlan& plan);

}  // namespace ridgeline
