// The hierarchical roofline: a layer takes as long as the slowest of its arithmetic and its traffic over each memory
// level.
//
//   t = max( ops / (peak(format) * efficiency(kind, ops)),  max over levels l of traffic_l / bandwidth_l ) + overhead
//
// after Williams, Waterman and Patterson (CACM 52(4), 2009), with every level of the memory as in Ilic, Pratas and
// Sousa (IEEE CAL 13(1), 2014) and Yang et al. (CCPE 32(20), 2020). Levels are listed from the innermost. A level is
// crossed by every byte whose home lies beyond it: activations live in the smallest level that holds the layer's
// working set, weights in the smallest that holds the weights of the whole network, because an inference reads each of
// them once and the next one comes for them again. Multiply and add are two operations; other operators count one an
// element.
//
// Formats: a tensor whose format the device does not compute in is held and computed in what "format_as" says for it;
// without such a line the design is unsupported. Operands of different formats are computed in the wider one. A tensor
// that is only moved (what enters and leaves the network) may have any format.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hwmodels/arithmetic.hpp"
#include "hwmodels/hardware_model.hpp"
#include "hwmodels/layers.hpp"

namespace ridgeline {

// Operators alike in how well they use the arithmetic units. `vector` is everything that is no product of matrices.
enum class EfficiencyClass : std::uint8_t { conv2d, depthwise, linear, matmul, vector };
inline constexpr std::size_t efficiency_class_count = 5;
std::span<const std::string> efficiency_class_names();
EfficiencyClass efficiency_class_of(const LayerKey& key);

struct MemoryLevel {
  std::string name;
  double bytes = 0;                  // capacity
  double bandwidth_bytes_per_s = 0;  // towards the arithmetic units
  double joules_per_byte = 0;        // 0 where the device file has no energy
};

// Efficiency over the size of a layer: straight lines over log(operations) between points, constant beyond the ends.
struct EfficiencyCurve {
  EfficiencyCurve() : points(1, {1.0, 1.0}) {}
  std::vector<std::pair<double, double>> points;  // (operations, share of the peak), ascending, at least one
  double at(double operations) const;
};

struct RooflineDevice {
  std::string name, about, category;
  std::array<double, arithmetic_count> peak_ops_per_s{};                // 0: not computed in
  std::array<std::optional<Arithmetic>, arithmetic_count> format_as{};  // for those with peak 0
  std::array<double, arithmetic_count> joules_per_op{};
  std::vector<MemoryLevel> memory;  // innermost first
  std::array<EfficiencyCurve, efficiency_class_count> efficiency;
  double overhead_s = 0;  // of every executed layer
  double idle_w = 0;      // drawn all the time: energy += idle_w * latency
  bool energy = false;
};

// Reads the members of a roofline from an object of a device file. `sources_required`: every number must be named by an
// entry of "sources", itself or by a parent path ("memory.DRAM" covers its size and its bandwidth).
RooflineDevice read_roofline(JsonReader& reader, bool sources_required);
// What a format is computed in after following "format_as"; nullopt where that leads nowhere (or in a circle).
std::optional<Arithmetic> resolve_arithmetic(const RooflineDevice& device, Arithmetic wanted);
// The same members as JSON, without sources; read_roofline(write_roofline(d)) == d.
Json write_roofline(const RooflineDevice& device);

struct LayerCost {
  double latency_s = 0, energy_j = 0;
  std::int64_t bytes = 0;
  const std::string* bound_by = nullptr;  // "compute", a memory level's name, or "overhead"
};

class RooflineModel final : public HardwareModel {
 public:
  explicit RooflineModel(RooflineDevice device);  // throws ConfigError when it has no memory or no peak
  static std::unique_ptr<HardwareModel> make(JsonDocument document);

  const std::string& name() const override { return device_.name; }
  bool has_energy() const override { return device_.energy; }
  using HardwareModel::estimate;
  void estimate(std::span<const Design> designs, std::span<Cost> costs) const override;

  const RooflineDevice& device() const { return device_; }
  // One executed layer, when the network's weights take `network_weight_bytes`. nullopt: a format has no arithmetic
  // here.
  std::optional<LayerCost> layer(const ExecutedLayer& layer, double network_weight_bytes) const;
  // The arithmetic a format is held and computed in, or nullopt.
  std::optional<Arithmetic> runs_as(const Format& format) const { return runs_as_[index(arithmetic_of(format))]; }

 private:
  static std::size_t index(Arithmetic a) { return static_cast<std::size_t>(a); }
  void estimate_one(const Design& design, Cost& cost) const;
  std::string unsupported_reason(const ExecutedLayer& layer, const Network& network) const;
  std::size_t home(double bytes) const;  // the smallest level that holds so much

  RooflineDevice device_;
  std::array<std::optional<Arithmetic>, arithmetic_count> runs_as_{};
  Arithmetic widest_ = Arithmetic::float32;  // the first that has a peak
};

// What every model says the same: sizes under the plan, and one row a live operator with 0 s.
void start_cost(const Design& design, std::span<const NodeId> live, Cost& cost);

}  // namespace ridgeline
