// The functions that expressions may call: one row each. Adding one is adding a row.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "spaces/expression.hpp"

namespace ridgeline {

struct ExpressionFunction {
  std::string name;
  std::uint8_t least_arguments, most_arguments;
  Type result;
  double (*of_numbers)(std::span<const Value>);  // null where not numbers in, number out
  double (*of_list)(std::span<const Value>);     // over a list's elements, or over the arguments themselves
  bool list_only;                                // of_list: its one argument must be a list
};

// range(n), the only function that makes a list, has neither.
std::span<const ExpressionFunction> expression_functions();

}  // namespace ridgeline
