#include "experiments/tensor_mapping.hpp"

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

double cost_of_byte(const MemoryLevel& level, MappingCost cost) {
  return cost == MappingCost::energy ? level.joules_per_byte : 1.0 / level.bandwidth_bytes_per_s;
}

}  // namespace

MappingProblem mapping_problem(const ScratchpadProblem& problem, const RooflineDevice& device, MappingCost cost) {
  if (device.memory.size() < 2) {
    throw ConfigError({"--device", "memory", "a fast and a slow level", "one level", ""});
  }
  if (cost == MappingCost::energy && !device.energy) {
    throw ConfigError(
        {"--device", "energy", "joules a byte", "none", "take --by latency, or a device that states them"});
  }
  const double fast = cost_of_byte(device.memory.front(), cost), slow = cost_of_byte(device.memory.back(), cost);
  MappingProblem mapping;
  mapping.capacity_bytes = static_cast<double>(problem.capacity_bytes);
  const auto add = [&](const std::string& name, std::int64_t bytes, std::size_t moves, std::size_t first,
                       std::size_t last) {
    const double moved = static_cast<double>(bytes) * static_cast<double>(moves);
    mapping.tensors.push_back({name, static_cast<double>(bytes), first, last, moved * slow, moved * fast});
  };
  for (const ScratchTensor& tensor : problem.tensors) {
    const bool input = tensor.producer == ScratchTensor::no_producer;
    const std::size_t first = input ? tensor.readers.front() : tensor.producer;
    const std::size_t last = tensor.readers.empty() ? first : tensor.readers.back();
    add(tensor.name, tensor.bytes, tensor.readers.size() + (input ? 0 : 1), first, last);
  }
  for (const ScratchOp& op : problem.ops) {
    if (op.weight_bytes > 0) add("weights of " + op.name, op.weight_bytes, 1, 0, problem.ops.size() - 1);
  }
  return mapping;
}

}  // namespace ridgeline
