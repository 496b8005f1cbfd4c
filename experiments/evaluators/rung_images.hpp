// The validation images that an evaluator looks at: a number of them, or several for rungs (Evaluator::rung_costs).
#pragma once

#include <span>
#include <vector>

#include "experiments/data/dataset.hpp"
#include "experiments/evaluator.hpp"

namespace ridgeline {

// "images": 900, or [900, 300, 100]; {0} where it is absent, which is all there are.
std::vector<double> read_images(JsonReader& options);
// Notes more images than there are, and returns false then.
bool check_images(JsonReader& options, std::span<const double> counts, const LabelledImages& validation);
// Those of each rung: a sample that is always the same, each a part of the one before.
std::vector<LabelledImages> images_of_rungs(const LabelledImages& validation, std::span<const double> counts);

}  // namespace ridgeline
