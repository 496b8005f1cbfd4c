// The front of a search on a supernet, on images that no search has seen: each member with its inherited weights, in
// the formats that it was searched in, and as a network of its own.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "experiments/report.hpp"
#include "experiments/training/checkpoint.hpp"

namespace ridgeline {

struct Winner {
  FrontMember member;
  double validation_accuracy = 0, test_accuracy = 0;  // 0 to 1, of all images of the split
  ModelCheckpoint checkpoint;
};

struct Winners {
  StudyReport report;  // of the front
  std::string supernet, data;
  std::vector<Winner> winners;  // in the order of the front
};

// Throws ConfigError: a study without objective from a supernet, a supernet or data set that is another one now.
Winners test_winners(const Store& store, const std::string& study, const Resources& resources, int threads,
                     const std::function<void(std::size_t done, std::size_t total)>& progress = {});

}  // namespace ridgeline
