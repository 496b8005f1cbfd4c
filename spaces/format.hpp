// Number formats, and which one every operator of a network uses.
//
// Text form: `f32`, `f16`, `bf16`, `int8`, `int4@channel`, `int4@group32`, `uint8`, `e4m3`, `e2m1@group32`.
// A granularity says how many values share one scale: the whole tensor (the default), one output channel, or a group
// of n consecutive values along the input channels. f32, f16 and bf16 have no scale and take no granularity.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ridgeline {

class Network;

struct Format {
  enum class Kind : std::uint8_t { f32, f16, bf16, integer, unsigned_integer, minifloat };
  enum class Granularity : std::uint8_t { tensor, channel, group };

  Kind kind = Kind::f32;
  Granularity granularity = Granularity::tensor;
  std::uint8_t width_bits = 32;    // of one stored value
  std::uint8_t exponent_bits = 8;  // 0 for integers
  std::uint16_t group_size = 0;    // values a group; 0 unless granularity is group

  // Throws ConfigError naming the known forms.
  static Format parse(std::string_view text);
  std::string text() const;  // parse(text()) == *this

  bool is_quantized() const { return kind != Kind::f32 && kind != Kind::f16 && kind != Kind::bf16; }
  friend bool operator==(const Format&, const Format&) = default;
};

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
  friend bool operator==(const PrecisionPlan&, const PrecisionPlan&) = default;
};

// The format in which each node's output is stored, one entry a node: the widest of what its live readers ask for, seen
// through operators that follow (all but conv2d, linear and matmul); f32 for what leaves the network and for dead
// nodes. Different formats of one width (int8 and e4m3, int8 and int8@channel) cannot stand in for each other: then
// f32.
std::vector<Format> stored_formats(const Network& network, const PrecisionPlan& plan);

}  // namespace ridgeline
