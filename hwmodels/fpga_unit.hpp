// How many LUTs a multiply-accumulate unit takes for a pair of number formats: a closed form over the structure of the
// arithmetic, for fabrics of k-input LUTs with carry chains (k = 6 for AMD's since Virtex-5).
//
// Operands. A number is a sign, a significand of p bits and a shift of 0 ... R places, all times a scale that the sum
// does not see:
//
//   intN         p = N - 1, R = 0           symmetric, held as sign and magnitude: there is no -2^(N-1)
//   uintN        p = N,     R = 0           no sign; what the zero point adds to a sum is one number a channel
//   eXmY         p = Y + 1, R = 2^X - 2     the shift is max(exponent, 1) - 1; subnormals have no leading one
//   e5m2, f32, bf16, f16 (and X = 8)        the same, R one less: the last exponent is infinity and NaN
//
// so that e1mY is int(Y+2) in numbers and in cost. Scales that change within a sum (@groupN, @mxN) and the formats pot,
// binary and ternary have other circuits and no answer here.
//
// Product of a and b, P = p_a + p_b magnitude bits before and P + R, R = R_a + R_b, after the shift; the cheaper of
//
//   table       (P + R) 2^max(0, i - k) LUTs, i the bits of both operands without signs, i <= k + 3: every bit of the
//               product is a function of i variables, and MUXF7 to MUXF9 join 2, 4 and 8 LUTs to functions of 7, 8 and
//               9 variables.
//   arithmetic  array multiplier     max(p_a, p_b) (min(p_a, p_b) - 1): a row for every bit of the shorter operand but
//                                    the first, a LUT a bit, which makes a partial product and adds it with the carry
//                                    chain (the first row goes into the second row's LUTs)
//             + leading ones         ceil((X - 1) / (k - 1)) LUTs an operand with R > 0: the OR of its exponent
//             + exponent adder       max(X_a, X_b) + 1, where both have R > 0
//             + shifter              sum over its stages j = 1 ... ceil(log4(R + 1)) of min(P + R, P + 4^j - 1): a LUT
//                                    is a 4:1 multiplexer (4 data, 2 selecting), a stage a LUT for every bit that it
//                                    can reach. A product of 0 resets the register behind the shifter.
//
// and one LUT for the sign where both operands have one. What is not symmetric in a and b above is not in the hardware.
//
// Sum of n products, in fixed point, so that nothing is ever rounded or lost (Kulisch, "Very fast and exact
// accumulation of products", Computing 91, 2011): W = P + R + ceil(log2 n) bits of magnitude and a sign; a LUT a bit,
// which adds or subtracts. This is an upper bound for the wide ranges (X > 5), where a designer would round.
//
// DSP slices instead: one holds a multiplier of 26 x 17 magnitude bits (DSP48E2: 27 x 18 signed) with an adder of 48
// bits; it takes the multiplier, and the sum too where R = 0 and W + 1 <= 48.
//
// What is not counted: registers (a slice has two a LUT), rounding and scaling of a finished sum (one in n products),
// and what synthesis saves or wastes over all this.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "spaces/format.hpp"

namespace ridgeline {

struct FpgaOperand {
  int significand_bits = 1;  // p
  int most_shift = 0;        // R
  int exponent_bits = 0;     // X
  bool has_sign = true;
  int magnitude_bits() const { return exponent_bits > 0 ? exponent_bits + significand_bits - 1 : significand_bits; }
};

// nullopt: a format without such a circuit; `why` then says which.
std::optional<FpgaOperand> fpga_operand(const Format& format, std::string& why);

// What the arithmetic costs in this fabric, LUTs a bit; a device file states them with their sources.
struct FpgaFabric {
  int lut_inputs = 6;
  double luts_per_partial_product_bit = 1;
  double luts_per_adder_bit = 1;
  double luts_per_multiplexer_bit = 1;
};

struct FpgaUnit {
  double multiplier_luts = 0;  // the product, shift and sign included
  double accumulator_luts = 0;
  int accumulator_bits = 0;  // W and its sign
  int dsps = 0;
  double luts() const { return multiplier_luts + accumulator_luts; }
};

// The unit that sums `products` products, at least 1. The same for (a, b) and (b, a).
FpgaUnit fpga_unit(const FpgaOperand& a, const FpgaOperand& b, std::int64_t products, const FpgaFabric& fabric,
                   bool dsp_multipliers = false);

}  // namespace ridgeline
