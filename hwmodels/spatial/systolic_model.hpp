// An accelerator with a systolic array (or a row-stationary one) as a hardware model: device files with "model":
// "systolic".
//
// A layer takes the longer of its array and its DRAM, and `overhead_s`:
//
//   array   cycles of systolic_array.hpp over the clock; while operands stream, a step takes as many cycles as the
//   units
//           need for a multiply-accumulate of its formats (multiply_unit.hpp)
//   DRAM    bytes over the bandwidth. An operand is read once where it fits its scratchpad (of outputs: where the sums
//           that are under way do, 4 bytes each), else as often as the folds come by it:
//             ws   inputs ceil(N/C) times, weights once
//             is   inputs once, weights ceil(M/C) times
//             os   inputs ceil(N/C) times, weights ceil(M/R) times, unless the columns in work fit; outputs once
//             rs   inputs once for as many filters as sets stand on the array, weights once a fold of output rows
//           Where sums of several folds do not fit, they go out and come back, or the stream is cut into pieces whose
//           sums fit and what stays is read for each of them: whichever moves less. Pieces load and fill the array
//           anew. Every layer reads its activations from DRAM and writes them there.
//   vector  what multiplies nothing: operations over vector_ops_per_s
//
// Energy: multiply-accumulates, bytes of scratchpads and of DRAM, idle_w over the time. Area: units, scratchpad bytes
// and what is fixed. resources(): "utilisation", the mean over the layers that multiply, and "area_mm2" where the file
// has it.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "hwmodels/hardware_model.hpp"
#include "hwmodels/layers.hpp"
#include "hwmodels/spatial/layerwise_model.hpp"
#include "hwmodels/spatial/multiply_unit.hpp"
#include "hwmodels/spatial/systolic_array.hpp"

namespace ridgeline {

struct SystolicDevice {
  std::string name, about, category;
  SystolicArray array;
  MultiplyUnit unit;
  double clock_hz = 0;
  std::array<double, 3> scratchpad_bytes{};  // inputs, weights, outputs
  double dram_bytes_per_s = 0;
  double vector_ops_per_s = 0;
  double overhead_s = 0;
  double joules_per_scratchpad_byte = 0, joules_per_dram_byte = 0, idle_w = 0;
  double mm2_per_scratchpad_byte = 0, fixed_mm2 = 0;
  bool energy = false, area = false;

  double area_mm2() const;
};

// Every number must be named under "sources". Notes problems in the reader.
SystolicDevice read_systolic(JsonReader& reader);

struct SystolicLayer {
  ArrayRun run;
  double array_s = 0, dram_s = 0;      // vector operators: array_s is the vector unit's time
  std::array<double, 3> dram_bytes{};  // inputs, weights, outputs
  double scratchpad_bytes = 0;         // moved between scratchpads and array
  double latency_s = 0, energy_j = 0;
};

class SystolicModel final : public LayerwiseModel {
 public:
  explicit SystolicModel(SystolicDevice device) : device_(std::move(device)) {}
  static std::unique_ptr<HardwareModel> make(JsonDocument document);

  const std::string& name() const override { return device_.name; }
  bool has_energy() const override { return device_.energy; }
  std::span<const std::string> resources() const override;
  using HardwareModel::estimate;
  void estimate(std::span<const Design> designs, std::span<Cost> costs) const override;

  const SystolicDevice& device() const { return device_; }
  // nullopt: `why` says which formats the units do not multiply.
  std::optional<SystolicLayer> layer(const ExecutedLayer& layer, std::string& why) const;
  std::optional<OpCost> layer_cost(const ExecutedLayer& layer, const Network& network, std::string& why) const override;

 private:
  void estimate_one(const Design& design, Cost& cost) const;

  SystolicDevice device_;
};

}  // namespace ridgeline
