// Several accelerators on one chip that share the layers of a design: device files with "model": "heterogeneous". A
// design of several networks is one set of layers, so that its networks run side by side (Yang et al., "Co-Exploration
// of Neural Architectures and Heterogeneous ASIC Accelerator Designs Targeting Multiple Tasks", NASAIC, DAC 2020).
//
//   {"ridgeline_device": 1, "model": "heterogeneous", "name": ..., "category": ...,
//    "templates": {"nvdla": {"model": "systolic", "name": ..., ..., "sources": {...}}, ...},
//    "accelerators": [{"name": "first", "template": "nvdla", "elements": 1024, "bandwidth_percent": 50}, ...],
//    "elements": 4096, "dram_bytes_per_s": 64e9,
//    "interconnect": {"bytes_per_s": ..., "joules_per_byte": ..., "overhead_s": 0, "mm2": 0},
//    "limits": {"area_mm2": ...}, "sources": {...}}
//
// A template is a device file of the model "systolic" or "spatial". An accelerator is its template with other numbers:
//
//   systolic  so many elements in the most square array of whole rows and columns; scratchpads and vector operations
//             grow with the elements; DRAM at its share of dram_bytes_per_s
//   spatial   so many multipliers: the outermost level with a fan-out above 1 gets what the others leave; the outermost
//             level at its share of dram_bytes_per_s
//
// "template": "absent" leaves an accelerator out, so that genes decide how many there are and of which kind.
//
// Tasks are executed layers. A tensor that is read on another accelerator than made it is carried over the
// interconnect, beside what its layers move in their own accelerators' DRAM: overhead_s and its bytes over bytes_per_s,
// for each reader that waits for it; its energy once an accelerator. latency_s is the makespan of list_schedule
// (heft.hpp), energy_j the sum over layers where they run and over transfers (idle power counts while an accelerator
// works).
//
// resources(): "elements" and "bandwidth_percent" given away, of all there are: a split that exceeds the whole is
// refused, as too little area is (limits) on any device; "busy_share", mean over accelerators of the time at work;
// "area_mm2", accelerators and interconnect, where all templates have it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hwmodels/scheduling/task_graph.hpp"
#include "hwmodels/spatial/layerwise_model.hpp"

namespace ridgeline {

struct SubAccelerator {
  std::string name, kind;  // the template's name in the file
  std::int64_t elements = 0;
  double bandwidth_percent = 0;
  double area_mm2 = 0;
  std::shared_ptr<const LayerwiseModel> model;
};

struct HeterogeneousDevice {
  std::string name, about, category;
  std::vector<SubAccelerator> accelerators;  // without those that are absent
  std::int64_t elements = 0;
  double dram_bytes_per_s = 0;
  double link_bytes_per_s = 0, link_joules_per_byte = 0, link_overhead_s = 0, link_mm2 = 0;
  double most_mm2 = 0;  // 0: no limit
  bool energy = false, area = false;

  double area_mm2() const;
};

// The layers of a design as tasks on the accelerators, in the order of their nodes.
struct LayerTasks {
  std::vector<ExecutedLayer> layers;
  std::vector<std::vector<std::optional<OpCost>>> costs;  // costs[layer][accelerator]
  TaskGraph graph;
};

class HeterogeneousModel final : public HardwareModel {
 public:
  explicit HeterogeneousModel(HeterogeneousDevice device) : device_(std::move(device)) {}
  static std::unique_ptr<HardwareModel> make(JsonDocument document);

  const std::string& name() const override { return device_.name; }
  bool has_energy() const override { return device_.energy; }
  std::span<const std::string> resources() const override;
  double capacity(std::string_view resource) const override;
  using HardwareModel::estimate;
  void estimate(std::span<const Design> designs, std::span<Cost> costs) const override;

  const HeterogeneousDevice& device() const { return device_; }
  // nullopt: a layer runs on none of them, and `why` says what the last one said.
  std::optional<LayerTasks> tasks(const Design& design, std::string& why) const;
  // Of a design as its layers are scheduled; unsupported where the device has less than its accelerators take.
  Cost cost(const Design& design, const LayerTasks& tasks, const TaskSchedule& schedule) const;

 private:
  HeterogeneousDevice device_;
};

}  // namespace ridgeline
