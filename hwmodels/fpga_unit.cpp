#include "hwmodels/fpga_unit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace ridgeline {
namespace {

// DSP48E2 (AMD UG579): a signed 27 x 18 multiplier before an adder of 48 bits.
constexpr int dsp_longer_bits = 26, dsp_shorter_bits = 17, dsp_sum_bits = 48;
constexpr int most_joined_inputs = 3;  // MUXF7, MUXF8, MUXF9

int ceil_div(int a, int b) { return (a + b - 1) / b; }

int ceil_log2(std::int64_t n) {
  return n <= 1 ? 0 : static_cast<int>(std::bit_width(static_cast<std::uint64_t>(n - 1)));
}

double shifter_luts(int product_bits, int most_shift, const FpgaFabric& fabric) {
  double bits = 0;
  const int most_bits = product_bits + most_shift;
  for (std::int64_t reach = 4; reach / 4 <= most_shift; reach *= 4) {
    bits += static_cast<double>(std::min<std::int64_t>(most_bits, product_bits + reach - 1));
  }
  return bits * fabric.luts_per_multiplexer_bit;
}

double exponent_luts(const FpgaOperand& a, const FpgaOperand& b, const FpgaFabric& fabric) {
  double luts = 0;
  for (const FpgaOperand* one : {&a, &b}) {
    if (one->most_shift > 0) luts += ceil_div(one->exponent_bits - 1, fabric.lut_inputs - 1);
  }
  if (a.most_shift > 0 && b.most_shift > 0) {
    luts += (std::max(a.exponent_bits, b.exponent_bits) + 1) * fabric.luts_per_adder_bit;
  }
  return luts;
}

}  // namespace

std::optional<FpgaOperand> fpga_operand(const Format& format, std::string& why) {
  if (format.has_groups()) {
    why = fmt::format("{}: scales that change within a sum are not modelled", format.text());
    return std::nullopt;
  }
  const int width = format.width_bits, exponent = format.exponent_bits;
  switch (format.kind) {
    case Format::Kind::integer:
      return FpgaOperand{width - 1, 0, 0, true};
    case Format::Kind::unsigned_integer:
      return FpgaOperand{width, 0, 0, false};
    case Format::Kind::f32:
    case Format::Kind::f16:
    case Format::Kind::bf16:
    case Format::Kind::minifloat: {
      const int mantissa = width - 1 - exponent;
      const bool infinity = format.kind != Format::Kind::minifloat || exponent == 8 || (exponent == 5 && mantissa == 2);
      return FpgaOperand{mantissa + 1, (1 << exponent) - (infinity ? 3 : 2), exponent, true};
    }
    case Format::Kind::power_of_two:
    case Format::Kind::binary:
    case Format::Kind::ternary:
      break;
  }
  why = fmt::format("{}: only integers and minifloats are modelled", format.text());
  return std::nullopt;
}

FpgaUnit fpga_unit(const FpgaOperand& a, const FpgaOperand& b, std::int64_t products, const FpgaFabric& fabric,
                   bool dsp_multipliers) {
  const int longer = std::max(a.significand_bits, b.significand_bits);
  const int shorter = std::min(a.significand_bits, b.significand_bits);
  const int product_bits = a.significand_bits + b.significand_bits;
  const int most_shift = a.most_shift + b.most_shift;
  const double around = exponent_luts(a, b, fabric) + shifter_luts(product_bits, most_shift, fabric);
  const double sign = a.has_sign && b.has_sign ? 1 : 0;
  FpgaUnit unit;
  unit.accumulator_bits = product_bits + most_shift + ceil_log2(products) + 1;
  unit.accumulator_luts = unit.accumulator_bits * fabric.luts_per_adder_bit;
  if (dsp_multipliers && longer <= dsp_longer_bits && shorter <= dsp_shorter_bits) {
    unit.dsps = 1;
    unit.multiplier_luts = around + sign;
    if (most_shift == 0 && unit.accumulator_bits <= dsp_sum_bits) unit.accumulator_luts = 0;
    return unit;
  }
  double luts = longer * (shorter - 1) * fabric.luts_per_partial_product_bit + around;
  const int joined = std::max(0, a.magnitude_bits() + b.magnitude_bits() - fabric.lut_inputs);
  if (joined <= most_joined_inputs) luts = std::min(luts, static_cast<double>((product_bits + most_shift) << joined));
  unit.multiplier_luts = luts + sign;
  return unit;
}

}  // namespace ridgeline
