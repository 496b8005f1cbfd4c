// Where a design's activations lie in memory, for people and programs: the plan as a table, as JSON and as a drawing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "experiments/report/report_text.hpp"
#include "hwmodels/memory/layout.hpp"
#include "spaces/json_reader.hpp"

namespace ridgeline {

class McuModel;

struct MemoryReport {
  std::string network;  // what it is called
  MemoryOptions options;
  MemoryLayout layout;
  std::vector<std::string> steps, buffers;        // a label each
  std::int64_t bit_operations = 0;                // sum of MACs times both operands' bits
  std::optional<std::int64_t> whole_arena_bytes;  // of the same without patches, where there are some
  std::int64_t whole_bit_operations = 0;
  std::string device;                               // empty: none
  std::int64_t sram_bytes = 0, reserved_bytes = 0;  // of the device
  std::string device_cost;                          // "latency 420 ms, ...", or why it cannot run there

  std::int64_t used_bytes() const { return layout.plan.arena_bytes + reserved_bytes; }
};

// An executed layer in a few words: "depthwise 3x3 /2 -> 96x56x56".
std::string layer_label(const Network& network, NodeId anchor, NodeId node, bool added);

// Throws ConfigError where the design's schedule cannot be followed. `device` may be null.
MemoryReport memory_report(const Design& design, const std::string& name, const MemoryOptions& options,
                           const McuModel* device);

std::string memory_text(const MemoryReport& report, const TextStyle& style);
Json memory_json(const MemoryReport& report);
std::string memory_svg(const MemoryReport& report);  // a drawing of its own: steps to the right, addresses upwards

// One schedule of a network and what it costs.
struct ScheduleCost {
  std::size_t patch_layers = 0;
  std::int64_t patch_grid = 1, arena_bytes = 0, extra_macs = 0;
};
// Every legal first-N cut with grids of 2 to `most_grid`, and no patches at all: those that no other beats in both
// arena and extra MACs, by falling arena.
std::vector<ScheduleCost> best_schedules(const Design& design, const MemoryOptions& options, std::int64_t most_grid);
std::string schedules_text(const std::vector<ScheduleCost>& schedules, std::int64_t macs, const TextStyle& style);
Json schedules_json(const std::vector<ScheduleCost>& schedules);

// The design with this patch schedule in place of its own. `format` may be empty.
Design with_patches(Design design, std::size_t layers, std::int64_t grid, const std::string& format);

}  // namespace ridgeline
