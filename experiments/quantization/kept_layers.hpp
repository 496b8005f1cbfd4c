// Why a plan gives some operators more bits than it might: the plan is run and timed once for each of them with fewer.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "experiments/evaluator.hpp"
#include "experiments/quantization/plan_quality.hpp"
#include "spaces/search_space.hpp"

namespace ridgeline {

// An operator of a plan that has more bits than it might have, and what fewer would change.
struct KeptLayer {
  std::string layer, format, instead;
  double quality_change = 0;                 // of the plan with `instead`, natural units
  std::optional<double> latency_change_s{};  // nothing where it could not be timed
  bool tie = false;                          // timed here: the two medians' intervals overlap
  bool breaks_goal = false;                  // filled in by who knows the goal
  std::string unsupported{};                 // why `instead` cannot be run
};

struct KeptLayersTask {
  const SearchSpace& space;
  const PlanQuality& quality;
  const std::vector<std::string>& formats;  // of the space, in the order of choices
  int threads = 1;
  double quality_of_plan = 0;
  std::string device{};       // path of the device file that prices plans; empty: they are timed here
  MeasureFunction measure{};  // what times a plan here; empty: measure_interleaved()
  std::function<void(const std::string& phase, std::size_t done, std::size_t total)> progress{};
  std::size_t most = 32;  // operators, those with the most multiplications
};

// For each operator of the plan whose activations have more bits than the narrowest choice: the plan with that choice
// there. The most multiplications first.
std::vector<KeptLayer> kept_layers(const Genome& plan, const KeptLayersTask& task);

// Does this machine execute all formats of the design?
bool runs_here(const Design& design);

}  // namespace ridgeline
