// One split's files to images and labels, by the description's format. Throws ConfigError.
#pragma once

#include "experiments/data/dataset.hpp"

namespace ridgeline {

// `classes` are the known names, which labels are checked against; empty: any label. For image folders they name the
// folders that may be there.
LabelledImages read_split(const DatasetDescription& description, const SplitFiles& files,
                          const std::vector<std::string>& classes, const DataProgress& progress);

// The names of the class folders, sorted. Throws ConfigError: no such folder, none in it.
std::vector<std::string> class_folders(const std::string& folder);

struct CifarRule {
  std::size_t label_bytes = 1;  // before the 3072 pixels; the last one is the label that is kept (fine, in CIFAR-100)
  std::size_t classes = 10;
};
// Records of label bytes and 3x32x32 pixels. Throws ConfigError: length, label.
LabelledImages parse_cifar(std::string_view bytes, const CifarRule& rule, const std::string& origin);

}  // namespace ridgeline
