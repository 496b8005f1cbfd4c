// What a `quantize` run knows of single layers before it searches: what each costs in each format here, boundaries
// included, how sensitive the network is to it, and the plans that follow from both by allocation.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "experiments/quantization/layer_costs.hpp"
#include "experiments/quantization/plan_folder.hpp"
#include "experiments/quantization/plan_quality.hpp"
#include "spaces/search_space.hpp"

namespace ridgeline {

// The dimensions of a space of plans (spaces/LANGUAGE.md) as layer costs want them. `design` is its network with
// weights and ranges, `words` its formats in the order of choices. Throws ConfigError for another kind of space.
PlanSpace plan_space(const SearchSpace& space, const Design& design, const std::vector<std::string>& words);

struct LayerStudy {
  LayerCosts costs;
  std::vector<std::vector<double>> penalties;  // [dimension][choice]: growth of the loss, or divergence; nats, >= 0
  std::vector<Genome> plans;                   // allocated, fastest first, each once

  // What the layers' costs of a plan add up to; nothing for plans that do not run here.
  std::optional<double> sum_s(const PlanLatency& latency, const Genome& genome) const;
};

struct LayerStudyOptions {
  int threads = 1;
  std::size_t images = 512;                          // of the validation split, that sensitivities are of
  bool labelled = true;                              // sensitivity is of the loss; false: of what the network answers
  std::size_t most_plans = 20;                       // of the allocated ones, evenly spread
  std::function<PlanTiming(const Design&)> timer{};  // as LayerCostOptions has it
  std::function<void(const std::string& phase, std::size_t done, std::size_t total)> progress{};
};

// Reads folder.layers where it is of this space, data, machine and number of threads; else measures, allocates and
// writes it: a run that goes on searches from the same plans. Throws ConfigError where no format of the space runs
// here.
LayerStudy study_layers(const QuantizeFolder& folder, const SearchSpace& space, const PlanSpace& plans,
                        const PlanQuality& quality, const Normalisation& normalisation,
                        const LayerStudyOptions& options);

}  // namespace ridgeline
