// A network run as patch-based inference runs it, patch by patch, with every feature map of every branch rounded to its
// own format: what bits on branches cost in accuracy.
//
// Each patch runs the stage's layers on its own rectangles, padded only where the image ends, and its part of the
// stage's result is put in place; the layers behind run whole. Without formats the result is the whole network's. The
// stage runs by the plain loops of kernels/reference.hpp, kernels rounded to the plan's weight formats, so keep images
// few; the layers behind by the executor, emulated where this machine lacks a format.
#pragma once

#include <optional>
#include <vector>

#include "experiments/data/dataset.hpp"
#include "hwmodels/memory/patches.hpp"
#include "kernels/quantization/fake_quantize.hpp"
#include "spaces/design.hpp"

namespace ridgeline {

// What rounds the activations of the stage.
struct PatchQuantizers {
  std::optional<Quantizer> input{};          // of the stage's input
  std::vector<std::vector<Quantizer>> maps;  // [patch][map]; empty: nothing is rounded
};

// The stage's result for a batch of images [N, C, H, W]; its design has weights and no batch norms. One image's result
// does not depend on the others.
std::vector<float> run_patch_stage(const Design& design, std::span<const MemoryStep> steps, const PatchStage& stage,
                                   std::span<const float> images, std::int64_t count, const PatchQuantizers& rounding);

// The layers behind the stage as a network of their own, whose input is the stage's result.
Design behind_stage(const Design& design, const PatchStage& stage);

// Share of images whose label is the most probable class, in [0, 1]. The same for any number of threads.
double patch_accuracy(const Design& design, std::span<const MemoryStep> steps, const PatchStage& stage,
                      const LabelledImages& images, const Normalisation& normalisation, const PatchQuantizers& rounding,
                      int threads);

}  // namespace ridgeline
