// Image folders: one folder a class, PNG and JPEG files in it, all of one size. Other files are passed over.
#pragma once

#include "experiments/data/dataset.hpp"

namespace ridgeline {

// Images in the order of class and file name. Gray when every image is gray, RGB otherwise. A folder that is not among
// `classes` is refused. Throws ConfigError naming the first image that is damaged or of another size.
LabelledImages read_image_folder(const std::string& folder, const std::vector<std::string>& classes,
                                 const DataProgress& progress);

}  // namespace ridgeline
