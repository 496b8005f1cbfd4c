// A microcontroller: one core that runs a network layer by layer out of flash, with every activation in its SRAM.
//
// What decides is what fits. The activations' plan (hwmodels/memory/layout.hpp) with what is reserved must fit the
// SRAM, weights with what is reserved the flash: Cost::resources has both, Cost::peak_bytes is the plan's arena. A
// design that does not fit is unsupported, but has all its numbers.
//
//   cycles of a layer = MACs * cycles_per_mac(class, format) + elements * cycles_per_element(format) + cycles_per_layer
//
// with the elements of its result where the layer is no product of matrices, or adds a second tensor. A layer that runs
// in patches (hwmodels/memory/patches.hpp) does so once a patch, with the patch's own MACs, elements and format.
// Latency is the sum over the clock, energy that times a constant. Kernels compute in the wider one of a layer's two
// formats; integers without a figure of their own take the next wider ones', f16 and bf16 those of f32.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "hwmodels/hardware_model.hpp"
#include "hwmodels/memory/layout.hpp"
#include "hwmodels/roofline.hpp"

namespace ridgeline {

struct McuDevice {
  using ByFormat = std::array<double, arithmetic_count>;  // 0: not computed in
  std::string name, about, category;
  double clock_hz = 0;
  std::int64_t sram_bytes = 0, flash_bytes = 0;
  std::int64_t reserved_sram_bytes = 0, reserved_flash_bytes = 0;  // stacks and kernels' buffers; code
  MemoryOptions memory;
  std::array<ByFormat, efficiency_class_count> cycles_per_mac{};  // vector: unused
  ByFormat cycles_per_element{};
  double cycles_per_layer = 0;
  double joules_per_cycle = 0;  // 0: no energy
};

// Every number must be named under "sources". Notes problems in the reader.
McuDevice read_mcu(JsonReader& reader);

class McuModel final : public HardwareModel {
 public:
  explicit McuModel(McuDevice device) : device_(std::move(device)) {}
  static std::unique_ptr<HardwareModel> make(JsonDocument document);

  const std::string& name() const override { return device_.name; }
  bool has_energy() const override { return device_.joules_per_cycle > 0; }
  std::span<const std::string> resources() const override;  // sram_bytes, flash_bytes
  double capacity(std::string_view resource) const override;
  using HardwareModel::estimate;
  void estimate(std::span<const Design> designs, std::span<Cost> costs) const override;

  const McuDevice& device() const { return device_; }

 private:
  void estimate_one(const Design& design, Cost& cost) const;
  std::optional<double> layer_cycles(const Design& design, const MemoryLayout& layout, std::size_t step,
                                     const ExecutedLayer& layer) const;

  McuDevice device_;
};

}  // namespace ridgeline
