// The energy of one addition or one multiplication by the width of its operands.
//
// Published tables have a few widths (Horowitz, ISSCC 2014: integers of 8 and 32 bits, floats of 16 and 32). At these a
// curve has the table's own value; between them and beyond them the power law through the two points next to it: with
// Horowitz's figures integer additions grow with the width to the 0.87, multiplications to the 1.98. A product of
// operands of a and of b bits costs as much as one of two operands of sqrt(a b) bits.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "spaces/format.hpp"
#include "spaces/json_reader.hpp"

namespace ridgeline {

struct EnergyCurve {
  std::vector<std::pair<double, double>> points;  // (bits, joules), ascending in both, at least two
  double at(double bits) const;                   // bits > 0
};

// Integers of either sign, powers of two, binary and ternary values are integers of their width; all others are floats.
struct OperationEnergy {
  EnergyCurve integer_add, integer_multiply, float_add, float_multiply;

  double add_j(bool integer, double bits) const { return (integer ? integer_add : float_add).at(bits); }
  // Where one operand is a float, both are multiplied as floats.
  double multiply_j(const Format& a, const Format& b) const;
};

bool is_integer(const Format& format);

// The object "energy" of a device file: {"integer": {"add_j": [[8, 3e-14], ...], "multiply_j": ...}, "float": ...}.
// Adds the paths of its numbers to `numbers`. Notes problems in the reader.
OperationEnergy read_operation_energy(JsonReader& root, std::vector<std::string>& numbers);

}  // namespace ridgeline
