// An accelerator of its own for every network, laid out on an FPGA: every convolution, linear layer and matrix product
// has multiply-accumulate units of its own, and layers stream into one another, as FINN builds them (Umuroglu et al.,
// FPGA 2017; Blott et al., "FINN-R", ACM TRETS 11(3), 2018).
//
// Folding. A rate of r images a second at a clock of f leaves every layer C = floor(f / r) cycles an image, so a layer
// of M multiply-accumulates gets u = ceil(M / C) units and takes ceil(M / u) <= C cycles. Latency is the sum of the
// layers' cycles over the clock: one image alone, each layer waiting for the whole of the one before it. Layers that
// stream overlap, so that is an upper bound; the rate holds.
//
//   LUTs   a layer: luts_per_layer + overhead * u * (unit, hwmodels/fpga_unit.hpp) + memories of LUTs
//   DSPs   0, or what the units take with "multipliers": "dsp"
//   BRAMs  weights: a memory of u words of a weight's width and ceil(weights / u) deep; up to lut_ram_bits deep it is
//          made of LUTs, one a bit of width, and one word deep it is wires. Deeper: the least number of blocks over the
//          shapes that a RAMB36 has (1 x 32768 ... 72 x 512, parity bits included). Convolutions over more than one
//          position keep the lines they still need, matrix products their second matrix: bits over a block's.
//
// Formats as in fpga_unit.hpp; intN activations that can never be negative (after a ReLU, say) have no sign but N bits
// of magnitude, as they are executed and emulated, and minifloats keep their sign. A network with another one is
// unsupported, and so is one that needs more of something than the part has: Cost::resources then says how much. That a
// design fits by these numbers does not say that it can be placed and routed at the clock. Not counted: pooling,
// activations, additions and normalisations that stay (they take part in the constant a layer), buffers of residual
// branches, registers, and what brings images and takes answers.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hwmodels/fpga_unit.hpp"
#include "hwmodels/hardware_model.hpp"
#include "hwmodels/layers.hpp"

namespace ridgeline {

struct FpgaDevice {
  std::string name, about, category;
  double clock_hz = 0;
  double images_per_s = 0;  // that every design is folded for
  bool dsp_multipliers = false;
  std::int64_t luts = 0, dsps = 0, brams = 0;  // of the part; BRAMs of 36 Kib
  FpgaFabric fabric;
  double luts_per_layer = 0, overhead = 1;
  int lut_ram_bits = 64;  // of one LUT

  std::int64_t cycles_per_image() const { return static_cast<std::int64_t>(clock_hz / images_per_s); }
};

// Every number must be named under "sources". Notes problems in the reader.
FpgaDevice read_fpga(JsonReader& reader);

struct FpgaLayer {
  std::int64_t units = 0, cycles = 0;  // cycles an image
  FpgaUnit unit;
  double luts = 0;
  std::int64_t dsps = 0, brams = 0;
};

class FpgaModel final : public HardwareModel {
 public:
  explicit FpgaModel(FpgaDevice device) : device_(std::move(device)) {}
  static std::unique_ptr<HardwareModel> make(JsonDocument document);

  const std::string& name() const override { return device_.name; }
  std::span<const std::string> resources() const override;  // luts, dsps, brams
  double capacity(std::string_view resource) const override;
  using HardwareModel::estimate;
  void estimate(std::span<const Design> designs, std::span<Cost> costs) const override;

  const FpgaDevice& device() const { return device_; }
  // One executed layer with multiply-accumulates; `unsigned_input`: what it reads is never negative. nullopt: `why`
  // says which format has no unit.
  std::optional<FpgaLayer> layer(const ExecutedLayer& layer, std::array<bool, 2> unsigned_input,
                                 std::string& why) const;

 private:
  void estimate_one(const Design& design, Cost& cost) const;

  FpgaDevice device_;
};

}  // namespace ridgeline
