// The memory mapping of a network on a described device: its tensors as search/allocation/memory_mapping.hpp wants
// them.
//
// Activations live from the step that makes them (inputs: the first that reads them) to their last reader, weights all
// the time, as the next inference reads them again. Each is moved once where it is made and once a reader. A byte costs
// the time (or, where the device states it, the energy) of the memory level it lies in: the fast memory is the device's
// innermost level, with a capacity of the user's or its own, the slow one the outermost.
#pragma once

#include "hwmodels/roofline.hpp"
#include "hwmodels/scratchpad/problem.hpp"
#include "search/allocation/memory_mapping.hpp"

namespace ridgeline {

enum class MappingCost : std::uint8_t { latency, energy };

// Steps are the problem's operators in their order. Throws ConfigError: a device without two levels, or without energy.
MappingProblem mapping_problem(const ScratchpadProblem& problem, const RooflineDevice& device, MappingCost cost);

}  // namespace ridgeline
