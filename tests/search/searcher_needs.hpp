// How every registered searcher is set up for the suites that run over all of them, and the outcomes they are told.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "tests/search/problems.hpp"

namespace ridgeline {

// What a searcher needs of the suite: options where its defaults would make it slow or do not exist, and a space that
// has what it works on.
struct Needs {
  Json options = Json::object();
  std::optional<GeneGroup> group{};  // that some of its dimensions are of
  bool limits = false;               // of the objectives
  int garbled = 3000;                // states to try
  std::size_t most_bytes = 16'384;   // of a saved state: its weights where there are some, not its history
  bool rungs = false;                // to be offered some
};

inline Needs needs_of(const std::string& searcher) {
  if (searcher == "linas") {
    return {{{"initial", 16}, {"round", 25}, {"population", 8}, {"generations", 2}, {"memory", 24}}, {}, false, 700};
  }
  if (searcher == "sequential") return {{{"formats", "f32"}, {"first_trials", 30}}, GeneGroup::precision};
  if (searcher == "nested") {
    const Json small = {{"name", "nsga2"}, {"population", 6}, {"offspring", 3}};
    return {
        {{"inner_trials", 12}, {"parallel", 2}, {"carry", 2}, {"give_up_after", 8}, {"outer", small}, {"inner", small}},
        GeneGroup::hardware,
        true,
        1000};
  }
  if (searcher == "bayesian" || searcher == "bananas")
    return {
        {{"initial", 150}, {"pool", 12}, {"samples", 4}, {"memory", 24}, {"features", "genes"}, {"predictor", "ridge"}},
        {},
        false,
        60};
  if (searcher == "boshnas") {
    return {{{"initial", 150},
             {"members", 1},
             {"hidden", {2}},
             {"epochs", 3},
             {"starts", 2},
             {"steps", 2},
             {"near", 2},
             {"memory", 24}},
            {},
            false,
            60};
  }
  if (searcher == "auto") return {Json::object(), {}, false, 100};
  if (searcher == "mcts") return {{{"nodes", 20}}, {}, false, 1500};
  if (searcher == "ant-colony") return {{{"colonies", 2}, {"archive", 20}}, {}, false, 2000};
  if (searcher == "reinforce" || searcher == "ppo" || searcher == "multi-agent") {
    Json small = {{"hidden", 1}, {"window", 12}, {"replay", 2}, {"directions", 3}};
    if (searcher != "reinforce") small["epochs"] = 1;
    return {small, {}, false, 200, 131'072};
  }
  if (searcher == "hype") return {{{"samples", 200}}};
  if (find_searcher(searcher).rungs) {
    Needs needs;
    needs.rungs = true;
    return needs;
  }
  if (searcher == "tpe") return {{{"memory", 24}}, {}, false, 700};
  return {};
}

inline bool suits(const std::string& searcher, const SearchSpace& space) {
  if (searcher == "exhaustive") return space.enumeration_size() > 0;
  // It is one of two others, without options that would make it quick where there is much to learn.
  if (searcher == "auto") return space.enumeration_size() > 0 && space.enumeration_size() <= 64;
  const std::optional<GeneGroup> group = needs_of(searcher).group;
  return !group || std::ranges::find(space.dims(), *group, &Dimension::group) != space.dims().end();
}

inline SearcherSetup setup_for(std::size_t objectives, std::uint64_t seed = 1) {
  SearcherSetup setup;
  setup.seed = seed;
  setup.objectives = minimised_objectives(objectives);
  return setup;
}

inline SearcherSetup setup_of(const std::string& searcher, std::size_t objectives, std::uint64_t seed = 1) {
  SearcherSetup setup = setup_for(objectives, seed);
  const Needs needs = needs_of(searcher);
  setup.options = needs.options;
  if (needs.rungs) setup.rung_costs = {1.0, 1.0 / 3.0, 1.0 / 9.0};
  for (Objective& objective : setup.objectives) {
    if (needs.limits) objective.limit = 30.0;
  }
  return setup;
}

inline Judge values_of(std::size_t objectives) {
  return [objectives](Trial& trial) {
    for (std::size_t k = 0; k < objectives; ++k) {
      double sum = noise(trial.genome, k);
      for (std::size_t i = 0; i < trial.genome.genes.size(); ++i) {
        sum += (k % 2 == 0 ? 1.0 : -1.0) * static_cast<double>((i + k) % 3) * trial.genome.genes[i];
      }
      trial.values.push_back(sum);
    }
  };
}

// A fifth of the candidates each: ok, infeasible with values, infeasible without, and two ways to fail.
inline Judge mixed_outcomes(std::size_t objectives) {
  return [objectives](Trial& trial) {
    const double draw = noise(trial.genome, 99);
    if (draw < 0.6) values_of(objectives)(trial);
    if (draw < 0.2) return;
    trial.reason = "made up";
    trial.status = draw < 0.8 ? Status::infeasible : draw < 0.9 ? Status::unstable : Status::failed;
    if (draw < 0.8) trial.violation = noise(trial.genome, 100) + 0.01;
  };
}

inline Judge all_with(Status status, double violation) {
  return [=](Trial& trial) {
    trial.status = status;
    trial.violation = violation;
    trial.reason = "made up";
  };
}

}  // namespace ridgeline
