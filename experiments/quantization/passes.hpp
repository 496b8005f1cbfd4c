// How a trained network is made ready for number formats, as options that a study's JSON and the command line name.
//
// Passes, in the order in which they are applied; each is off unless it is named:
//
//   fold          batch norms into the weights in front of them (the executor does so too, where this was not done
//                 before; the passes below need it, and bring it with them)
//   equalize      ranges of the channels between two layers made equal, kernels/quantization/equalization.hpp
//   smooth        outliers of activations migrated into weights (SmoothQuant), the same header
//   shift         with smooth: channels moved to the middle of their range (SQ-b)
//   clip          kernels' ranges of least squared error instead of all of it, kernels/quantization/rounded_kernel.hpp
//   adaround      weights rounded up or down as changes the layer's output least, the same header; or
//   gptq          one after the other, the rest making up for each
//   correct-bias  what the rounding of a kernel changes of its mean output is taken off the bias (Nagel et al.,
//                 Data-Free Quantization, 2019, section 4.2, with measured means)
//
// fold, equalize, smooth and shift keep the function of the network in f32; the others are of one kernel in one format.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/quantization/calibration.hpp"
#include "spaces/json_reader.hpp"

namespace ridgeline {

enum class QuantizationPass : std::uint8_t { fold, equalize, smooth, shift, clip, adaround, gptq, correct_bias };
std::span<const std::string> quantization_pass_names();  // in the order of QuantizationPass
constexpr bool keeps_function(QuantizationPass pass) { return pass <= QuantizationPass::shift; }

struct PostTrainingOptions {
  CalibrationMethod calibration = CalibrationMethod::minmax;  // of activations' ranges
  std::vector<QuantizationPass> passes{};                     // ascending, each once, what they need included
  std::size_t images = 256;                                   // of the training split that are looked at
  double migration = 0.5;                                     // alpha of smooth, 0 to 1

  bool has(QuantizationPass pass) const;
  std::string text() const;  // of the passes: "fold+gptq", "none"
  // What is not as it is by default: {"calibration": "mse", "passes": ["fold", "gptq"]}; read_post_training's keys.
  Json json() const;
};

// Passes by their names, in any order, with what they need. Throws ConfigError of the file or flag `origin`: an unknown
// name, adaround beside gptq.
std::vector<QuantizationPass> parse_passes(std::span<const std::string> names, const std::string& origin);

// Reads "calibration", "passes", "calibration_images" and "migration"; notes problems.
PostTrainingOptions read_post_training(JsonReader& options);

}  // namespace ridgeline
