// A systolic array behind three double-buffered scratchpads, a cycle at a time: when it stalls and what DRAM moves.
//
// The semantics are those of SCALE-Sim (papers in systolic_array.hpp; v3: Raj et al., 2025), whose reports the tests
// compare with. Half of a scratchpad serves the array while the other half is filled. An operand comes in the order in
// which its first fold wants it, along the diagonals of its blocks; the order is cut into lines of a hundredth of the
// scratchpad, and a window of lines serves. A request outside the window moves it on by half a scratchpad, which DRAM
// delivers at its bandwidth; the array waits for what is not there in time. What the array writes leaves in halves,
// too.
//
// Two modes. With a bandwidth, stalls are found; without one (Stalls::never, SCALE-Sim's "CALC") the array never waits
// and what is wanted when says which bandwidth that would take.
//
// Time is proportional to multiply-accumulates over rows of the array: this is for looking at a layer, not for search.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "hwmodels/spatial/systolic_array.hpp"

namespace ridgeline {

// Where operands lie: a product alone, or a convolution of one image whose inputs are read several times.
struct ArrayOperands {
  MatrixProduct product;  // count 1
  std::optional<LayerKey> convolution{};
};

struct Scratchpads {
  std::int64_t input_words = 65536, weight_words = 65536, output_words = 65536;
  std::optional<std::int64_t> words_per_cycle{};  // of DRAM, for each of the three; nothing: never stalls
};

struct PortUse {
  std::int64_t first_cycle = 0, last_cycle = 0;  // of requests served; negative: before the array starts
  std::int64_t words = 0;
  double words_per_cycle() const;  // mean, over the cycles from first to last
};

struct ScratchpadRun {
  std::int64_t last_cycle = 0;  // SCALE-Sim's total: the cycle of the last write, stalls included
  std::int64_t stall_cycles = 0;
  std::int64_t with_prefetch = 0;     // from the first word that DRAM gives to the last that it takes
  std::array<PortUse, 3> array_side;  // inputs, weights, outputs: between array and scratchpads
  std::array<PortUse, 3> dram_side;   // and between scratchpads and DRAM
};

// Throws ConfigError: a dataflow other than ws, is and os; scratchpads below 100 words, a bandwidth below 1.
ScratchpadRun simulate_array(const ArrayOperands& operands, const SystolicArray& array, const Scratchpads& scratchpads);

}  // namespace ridgeline
