// Mixed precision for patch-based inference, from a trained network and images: outliers, bits a feature map and
// branch (patch_bits.hpp), and what the plan needs and loses beside the network layer by layer and beside patches in 8
// bits.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "experiments/data/dataset.hpp"
#include "experiments/quantization/patch_values.hpp"
#include "experiments/report/report_text.hpp"
#include "experiments/training/trained_model.hpp"
#include "hwmodels/memory/layout.hpp"

namespace ridgeline {

struct PatchPlanOptions {
  std::size_t layers = 0;  // executed layers that run in patches, at least 2
  std::int64_t grid = 2;   // n x n patches
  double lambda = 0.5;     // weight of entropy against bit operations
  PatchOutlierRule outliers;
  MemoryOptions memory;
  std::int64_t sram_bytes = 0, reserved_bytes = 0;  // 0: there is no limit; of it what is not for activations
  std::size_t calibration_images = 256;             // of the training split
  std::size_t images = 256;                         // of the validation split, for accuracy; 0: none is run
  int threads = 1;
  std::function<void(const std::string& phase)> progress{};
};

struct PatchPlanRow {
  std::string name;  // "layer by layer", "patches, 8 bits", "patches, mixed"
  std::int64_t arena_bytes = 0, macs = 0, bit_operations = 0;
  double mean_bits = 8;  // of the stage's feature maps, over branches
  bool fits = true;
  std::optional<double> accuracy{};  // share of the images
};

struct PatchPlanReport {
  std::string network, data;
  PatchPlanOptions options;
  std::vector<PatchPlanRow> rows;
  std::vector<std::string> maps;  // a label each
  PatchValues values;
  PatchBitsResult found;
  std::string patch_format;  // of a schedule: one format a patch and map
  std::optional<double> f32_accuracy{};
  std::size_t images = 0;

  const PatchPlanRow& mixed() const { return rows.back(); }
  // MACs beyond those of the network layer by layer, as a share of them.
  double redundancy(const PatchPlanRow& row) const;
};

// Weights and all other activations are in 8 bits. Throws ConfigError: a stage that cannot run in patches, or has no
// feature maps; a network that does not fit the data.
PatchPlanReport patch_plan(TrainedModel model, const Dataset& data, const PatchPlanOptions& options);
std::string patch_plan_text(const PatchPlanReport& report, const TextStyle& style);
Json patch_plan_json(const PatchPlanReport& report);

}  // namespace ridgeline
