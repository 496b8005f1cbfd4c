#include "search/allocation/allocation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "search/allocation/allocation_model.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

const std::string& format_of(const AllocationChoice& choice) {
  return choice.format.empty() ? choice.name : choice.format;
}

// Notes everything that is wrong with a problem.
class Checker {
 public:
  Checker(const AllocationProblem& problem, const std::string& origin, bool negative_costs)
      : problem_(problem), origin_(origin), negative_costs_(negative_costs) {}

  void check() {
    check_budgets();
    std::set<std::string> names;
    for (std::size_t l = 0; l < problem_.layers.size(); ++l) {
      const AllocationLayer& layer = problem_.layers[l];
      check_layer(layer, layer.name.empty() ? fmt::format("layer {}", l) : fmt::format("layer '{}'", layer.name));
      if (!names.insert(layer.name).second) {
        note(fmt::format("layer '{}'", layer.name), "layers of different names", "two of this one", "rename one");
      }
    }
    check_ties();
    check_boundaries();
    if (!problems_.empty()) throw ConfigError(problems_);
  }

 private:
  void note(const std::string& path, const std::string& expected, const std::string& found, const std::string& remedy) {
    problems_.push_back({origin_, path, expected, found, remedy});
  }

  void check_budgets() {
    std::set<std::string> names;
    for (const Budget& budget : problem_.budgets) {
      const std::string path = fmt::format("budget '{}'", budget.name);
      if (budget.name.empty()) note("budgets", "a name for every budget", "none", "name it");
      if (!names.insert(budget.name).second) note(path, "budgets of different names", "two of this one", "rename one");
      if (std::isnan(budget.limit) || budget.limit < 0) {
        note(path, "a limit of 0 or more", fmt::format("{}", budget.limit), "costs are never negative");
      }
    }
  }

  void check_costs(const std::vector<double>& costs, const std::string& path) {
    if (costs.size() != problem_.budgets.size()) {
      note(path, fmt::format("{} costs, one a budget", problem_.budgets.size()), std::to_string(costs.size()),
           "give every cost; 0 where there is none");
      return;
    }
    for (std::size_t b = 0; b < costs.size(); ++b) {
      if (std::isfinite(costs[b]) && (negative_costs_ || costs[b] >= 0)) continue;
      note(fmt::format("{}, cost '{}'", path, problem_.budgets[b].name),
           negative_costs_ ? "a finite number" : "a finite number of 0 or more", fmt::format("{}", costs[b]),
           "correct it, or leave the choice out where it is not supported");
    }
  }

  void check_layer(const AllocationLayer& layer, const std::string& path) {
    if (layer.name.empty()) note(path, "a name", "none", "name it");
    if (layer.choices.empty()) note(path, "at least one choice", "none", "give it the format it has");
    if (layer.metric >= std::max<std::size_t>(problem_.metrics.size(), 1)) {
      note(path, "one of the metrics", fmt::format("metric {}", layer.metric), "name the metric");
    }
    std::set<std::string> names;
    for (const AllocationChoice& choice : layer.choices) {
      const std::string place = fmt::format("{}, choice '{}'", path, choice.name);
      if (choice.name.empty()) note(place, "a name", "none", "name it");
      if (!names.insert(choice.name).second) note(place, "choices of different names", "two of this one", "rename one");
      if (!std::isfinite(choice.penalty)) {
        note(place + ", penalty", "a finite number", fmt::format("{}", choice.penalty),
             "correct it, or leave the choice out where it is not supported");
      }
      check_costs(choice.costs, place);
    }
  }

  static std::set<std::string> choice_names(const AllocationLayer& layer) {
    std::set<std::string> names;
    for (const AllocationChoice& choice : layer.choices) names.insert(choice.name);
    return names;
  }

  void check_ties() {
    std::set<std::size_t> tied;
    for (std::size_t t = 0; t < problem_.ties.size(); ++t) {
      const std::vector<std::size_t>& tie = problem_.ties[t];
      const std::string path = fmt::format("ties[{}]", t);
      if (tie.empty()) note(path, "layers", "none", "leave it out");
      for (const std::size_t l : tie) {
        if (l >= problem_.layers.size()) {
          note(path, "the index of a layer", std::to_string(l), "");
          continue;
        }
        const AllocationLayer& layer = problem_.layers[l];
        if (!tied.insert(l).second) {
          note(path, "every layer in one tie", fmt::format("'{}' twice", layer.name), "join the two ties");
        }
        if (tie.front() >= problem_.layers.size()) continue;
        const AllocationLayer& first = problem_.layers[tie.front()];
        if (choice_names(layer) != choice_names(first)) {
          note(path, fmt::format("choices of the names that '{}' has", first.name),
               fmt::format("others in '{}'", layer.name), "give tied layers choices of the same names");
        }
        if (layer.metric != first.metric) {
          note(path, "layers of one metric", fmt::format("'{}' and '{}'", first.name, layer.name),
               "judge tied layers by the same metric");
        }
      }
    }
  }

  void check_conversions(const std::vector<FormatConversion>& conversions, const std::string& path) {
    for (std::size_t c = 0; c < conversions.size(); ++c) {
      const FormatConversion& conversion = conversions[c];
      check_costs(conversion.costs,
                  fmt::format("{}conversions[{}] '{}' to '{}'", path, c, conversion.from, conversion.to));
    }
  }

  void check_boundaries() {
    check_conversions(problem_.conversions, "");
    for (std::size_t e = 0; e < problem_.boundaries.size(); ++e) {
      const FormatBoundary& boundary = problem_.boundaries[e];
      const std::string path = fmt::format("boundaries[{}]", e);
      if (boundary.producer >= problem_.layers.size() || boundary.consumer >= problem_.layers.size()) {
        note(path, "indices of layers", fmt::format("{} and {}", boundary.producer, boundary.consumer), "");
      } else if (boundary.producer == boundary.consumer) {
        note(path, "two layers", fmt::format("'{}' twice", problem_.layers[boundary.producer].name), "leave it out");
      }
      if (!std::isfinite(boundary.size) || boundary.size < 0) {
        note(path, "a finite size of 0 or more", fmt::format("{}", boundary.size), "");
      }
      check_conversions(boundary.conversions, path + ".");
    }
  }

  const AllocationProblem& problem_;
  const std::string& origin_;
  bool negative_costs_;
  std::vector<Problem> problems_;
};

}  // namespace

std::optional<double> Allocation::gap() const {
  if (!plan || !bound) return std::nullopt;
  return std::max(0.0, plan->penalty - *bound);
}

const FormatConversion* find_conversion(const AllocationProblem& problem, const FormatBoundary& boundary,
                                        const AllocationChoice& producer, const AllocationChoice& consumer) {
  const std::string& from = format_of(producer);
  const std::string& to = format_of(consumer);
  const bool own = !boundary.conversions.empty();
  const std::vector<FormatConversion>& conversions = own ? boundary.conversions : problem.conversions;
  if (from == to && !own) return nullptr;
  const auto fits = [](const std::string& pattern, const std::string& format) {
    return pattern == "*" || pattern == format;
  };
  const auto found = std::ranges::find_if(conversions, [&](const FormatConversion& conversion) {
    return fits(conversion.from, from) && fits(conversion.to, to);
  });
  return found == conversions.end() ? nullptr : &*found;
}

std::vector<PenaltyRange> penalty_ranges(const AllocationProblem& problem) {
  std::vector<PenaltyRange> ranges(std::max<std::size_t>(problem.metrics.size(), 1));
  for (const AllocationLayer& layer : problem.layers) {
    const auto [least, most] = std::ranges::minmax(layer.choices, {}, &AllocationChoice::penalty);
    ranges[layer.metric].least += least.penalty;
    ranges[layer.metric].most += most.penalty;
  }
  return ranges;
}

AllocationPlan allocation_plan(const AllocationProblem& problem, std::span<const std::size_t> choices) {
  const std::vector<PenaltyRange> ranges = penalty_ranges(problem);
  AllocationPlan plan;
  plan.choices.assign(choices.begin(), choices.end());
  plan.metric_penalties.assign(ranges.size(), 0.0);
  plan.costs.assign(problem.budgets.size(), 0.0);
  for (std::size_t l = 0; l < problem.layers.size(); ++l) {
    const AllocationChoice& choice = problem.layers[l].choices[choices[l]];
    plan.metric_penalties[problem.layers[l].metric] += choice.penalty;
    for (std::size_t b = 0; b < plan.costs.size(); ++b) plan.costs[b] += choice.costs[b];
  }
  for (const FormatBoundary& boundary : problem.boundaries) {
    const FormatConversion* conversion =
        find_conversion(problem, boundary, problem.layers[boundary.producer].choices[choices[boundary.producer]],
                        problem.layers[boundary.consumer].choices[choices[boundary.consumer]]);
    if (conversion == nullptr) continue;
    for (std::size_t b = 0; b < plan.costs.size(); ++b) plan.costs[b] += boundary.size * conversion->costs[b];
  }
  if (ranges.size() == 1) {
    plan.penalty = plan.metric_penalties.front();
  } else {
    for (std::size_t m = 0; m < ranges.size(); ++m) plan.penalty += ranges[m].normalised(plan.metric_penalties[m]);
  }
  return plan;
}

void check_allocation(const AllocationProblem& problem, const std::string& origin, bool negative_costs) {
  Checker(problem, origin, negative_costs).check();
}

}  // namespace ridgeline
