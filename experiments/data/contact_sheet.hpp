// A picture of a data set: a row a class, the first images of each. For looking at before training.
#pragma once

#include <string>

#include "experiments/data/dataset.hpp"

namespace ridgeline {

// The bytes of a PNG file. Floats are shown from the least to the largest value; other numbers of channels than three
// show the first. At most 100 classes are shown.
std::string contact_sheet(const LabelledImages& images, std::size_t classes, std::size_t columns = 20);

}  // namespace ridgeline
