// A layer as a nest of loops over the memories and units of a spatial accelerator, and what that moves (Parashar et
// al., "Timeloop: A Systematic Approach to DNN Accelerator Evaluation", ISPASS 2019).
//
// The layer is  output[n,g,m,p,q] += weight[g,m,c,r,s] * input[n,g,c,p sh + r dh,q sw + s dw]  over eight dimensions. A
// mapping cuts each dimension into factors and gives each factor to a storage level, as a loop in time or over
// instances in space; the product of a dimension's factors is its extent. Level 0 is the outermost (DRAM); what a level
// holds of an operand, its tile, is what the loops of this level and those inside it touch.
//
//   fills   of a read operand: words that come into one instance. Walking outwards from the tile, loops over dimensions
//           that the operand does not have bring nothing new until the first that it has; every loop from there on
//           brings the tile again. Only where the loop nearest to the tile slides a window over the inputs, a step
//           brings no more than what is new.
//   reads   words that leave one instance for the next level inside that keeps the operand: its fills times the
//           instances that get different words; those that get the same word share a read (multicast). A multiplier
//           takes its operands anew in every cycle.
//   updates of outputs: words that come from inside, sums over instances of c, r and s already formed on the way
//           (spatial reduction). What was there before comes from outside again: fills of outputs are updates beyond
//           the first of each word, and reads are what the next level inside gets back to add to.
//   cycles  = product of all loops in time, times the worst ratio of words a cycle to a level's bandwidth, if above 1.
//   energy  = sum over levels of (reads e_read + fills e_write + updates e_update) / words an access, over all
//           instances in use, leakage of storage in use, and multiply-accumulates.
//
// These are the rules that reproduce Timeloop's published statistics word for word (tests).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "hwmodels/layers.hpp"

namespace ridgeline {

enum class LoopDimension : std::uint8_t { n, g, m, c, p, q, r, s };
inline constexpr std::size_t loop_dimensions = 8;
enum class LoopOperand : std::uint8_t { weights, inputs, outputs };
inline constexpr std::size_t loop_operands = 3;
std::span<const std::string> operand_names();  // "weights", "inputs", "outputs"

struct LoopWorkload {
  std::array<std::int64_t, loop_dimensions> extent{1, 1, 1, 1, 1, 1, 1, 1};  // by LoopDimension
  std::array<int, 2> stride{1, 1}, dilation{1, 1};
  std::int64_t macs() const;
  // Words of an operand in a block of these extents; of inputs the window that it slides over.
  std::int64_t words(LoopOperand operand, const std::array<std::int64_t, loop_dimensions>& block) const;
  static bool has(LoopOperand operand, LoopDimension dimension);
};

// A layer with multiply-accumulates: convolutions, linear layers (p = rows), matrix products (m = columns, weights the
// second operand). extent 0 nowhere.
LoopWorkload loop_workload(const LayerKey& key);

struct StorageLevel {
  std::string name;
  std::int64_t words = 0;  // an instance holds; 0 = without bound
  std::array<bool, loop_operands> keeps{true, true, true};
  std::int64_t words_per_access = 1;
  double read_pj = 0, write_pj = 0, update_pj = 0;             // an access
  double leak_pj = 0;                                          // an instance and cycle
  double read_words_per_cycle = 0, write_words_per_cycle = 0;  // an instance; 0 = without bound
  // Instances of the next level inside (at the innermost level: of multipliers) for one of this level.
  std::int64_t fan_out = 1;
};

struct SpatialArchitecture {
  std::vector<StorageLevel> levels;  // outermost first
  double mac_pj = 0;
  std::int64_t multipliers() const;
};

struct Loop {
  LoopDimension dimension = LoopDimension::n;
  std::int64_t extent = 1;
  friend bool operator==(const Loop&, const Loop&) = default;
};

// Of one level: loops in time, outermost first, and loops over the instances inside it.
struct LevelLoops {
  std::vector<Loop> temporal, spatial;
  friend bool operator==(const LevelLoops&, const LevelLoops&) = default;
};
using Mapping = std::vector<LevelLoops>;  // one a level

struct OperandTraffic {  // words an instance
  std::int64_t tile = 0, reads = 0, fills = 0, updates = 0;
};

struct LevelTraffic {
  std::array<OperandTraffic, loop_operands> operand{};
  std::int64_t instances = 1;  // in use
  double energy_pj = 0;        // all instances, without leakage
  double leak_pj = 0;
};

struct NestCost {
  double cycles = 0;
  std::int64_t units = 1;  // multipliers in use
  double energy_pj = 0;
  std::vector<LevelTraffic> levels;
  std::size_t bound_by = 0;  // the level whose bandwidth stretches the cycles; levels.size(): none does
  double utilisation = 0;    // multiply-accumulates a multiplier and cycle
};

// Why a mapping is none of this workload and architecture (factors, instances, capacity); empty when it is.
std::string misfit(const LoopWorkload& workload, const SpatialArchitecture& architecture, const Mapping& mapping);

// The mapping must fit.
NestCost evaluate(const LoopWorkload& workload, const SpatialArchitecture& architecture, const Mapping& mapping);

}  // namespace ridgeline
