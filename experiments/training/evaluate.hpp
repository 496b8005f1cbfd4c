// How well a trained network does on labelled images, run by the executor that times networks.
#pragma once

#include <functional>
#include <vector>

#include "experiments/data/dataset.hpp"
#include "predictors/classification.hpp"
#include "spaces/design.hpp"

namespace ridgeline {

struct EvaluateOptions {
  int threads = 1;
  std::int64_t batch = 100;
  std::size_t bins = 15;  // of the calibration errors
};

// Throws ConfigError when the images do not fit the network's input, or the labels its output.
void check_fit(const Network& network, const LabelledImages& images, std::size_t classes, const std::string& data_name);

// Probabilities, one row of classes an image. `design` is of any batch; it is run with options.batch. Throws
// Unsupported.
std::vector<float> classify(const Design& design, const LabelledImages& images, const Normalisation& normalisation,
                            const EvaluateOptions& options,
                            const std::function<void(std::size_t done, std::size_t total)>& progress = {});

ClassificationScores evaluate_classifier(const Design& design, const LabelledImages& images,
                                         const Normalisation& normalisation, const EvaluateOptions& options,
                                         const std::function<void(std::size_t done, std::size_t total)>& progress = {});

}  // namespace ridgeline
