// Finds a mapping of a layer on a spatial accelerator: which factors of the loops stay at which level, in time or over
// instances, and in which order.
//
// Local search from several beginnings (a mapping that is given, everything at the outermost level, arrays and memories
// filled at random, and random moves from the best so far): a prime factor moves to another place, or a loop to the
// other end of its level; what is better is kept, as long as anything is. The result is never worse than a given
// mapping that fits. Deterministic by seed.
#pragma once

#include <cstdint>
#include <optional>

#include "hwmodels/spatial/loop_nest.hpp"

namespace ridgeline {

enum class MappingGoal : std::uint8_t { energy_delay, energy, cycles };  // of equal ones the lower energy
std::span<const std::string> mapping_goal_names();                       // "energy-delay", "energy", "cycles"

struct MapperOptions {
  MappingGoal goal = MappingGoal::energy_delay;
  std::int64_t evaluations = 8000;  // at most
  std::uint64_t seed = 1;
};

struct FoundMapping {
  Mapping mapping;
  NestCost cost;
  std::int64_t evaluations = 0;
};

// nullopt: nothing fits (a level that keeps an operand does not hold a single word of each).
std::optional<FoundMapping> find_mapping(const LoopWorkload& workload, const SpatialArchitecture& architecture,
                                         const MapperOptions& options, const Mapping* given = nullptr);

}  // namespace ridgeline
