// What a front that was searched for one device is worth on another: the front of each of several studies at the cost
// that each of them searched for, at the qualities that were found when it was searched.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "experiments/report/comparison.hpp"
#include "experiments/resources.hpp"
#include "experiments/store/store.hpp"

namespace ridgeline {

struct CrossCost {
  std::string study, objective, by;  // whose cost it is, its name, and what gives it: "measured here", "device pixel_6"
  Objective cost;
  ComparisonBox box;  // of all fronts at this cost: {quality, cost}
};

// One front at one cost.
struct CrossFigures {
  std::vector<Point> members;  // {quality, cost}, natural; those that the device runs
  std::size_t unsupported = 0;
  double hypervolume = 0;  // share of the box
  // At equal quality, the costs of this front over those of the front that was searched for this cost.
  EqualQuality over_own;
};

struct CrossDevice {
  std::vector<CrossCost> costs;                    // one a study
  std::vector<std::vector<CrossFigures>> figures;  // [study whose front it is][cost]
  std::vector<std::string> problems;               // why a member has no cost, each reason once
};

struct CrossOptions {
  std::vector<std::string> studies;  // at least two
  std::function<void(std::size_t done, std::size_t total)> progress{};
};

// Timed costs of all fronts are taken together, in turns. Throws ConfigError: fewer than two studies, one twice, an
// unknown one, one whose objectives are not a quality and a cost, qualities of different names, no front, and what the
// studies' evaluators throw.
CrossDevice cross_device(const Store& store, const Resources& resources, const CrossOptions& options);

Json cross_device_json(const CrossDevice& cross);

}  // namespace ridgeline
