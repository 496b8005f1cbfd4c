// "additive": a sum over layers, each with a choice, from tables of layers: the penalty of an allocation problem
// (allocation_file.hpp) or one of its costs. Its fidelity is analytic.
//
// The space's dimensions, in order, are the problem's layers in the order of its tables: tied layers once, those of one
// choice not at all. A dimension's choices are called as the layers' are: 4 or "4" for "4".

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "experiments/allocation_file.hpp"
#include "experiments/evaluators.hpp"
#include "experiments/genome_evaluator.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

std::string word_of(const Json& choice) { return choice.is_string() ? choice.get<std::string>() : choice.dump(); }

// Where a gene's choices stand in the layers that it decides.
struct Decision {
  std::vector<std::size_t> layers;
  std::vector<std::vector<std::size_t>> places;  // layers x choices of the dimension
};

class AdditiveEvaluator : public GenomeEvaluator {
 public:
  // `quantity`: an index of the problem's budgets; none: the penalty.
  AdditiveEvaluator(AllocationProblem problem, std::vector<Decision> decisions, const SearchSpace& space,
                    std::optional<std::size_t> quantity)
      : problem_(std::move(problem)), decisions_(std::move(decisions)), space_(space), quantity_(quantity) {}

  Fidelity fidelity() const override { return Fidelity::analytic; }
  bool tells_genomes_apart() const override { return true; }
  std::string unit() const override { return quantity_ ? problem_.budgets[*quantity_].unit : ""; }
  std::uint64_t fingerprint() const override {
    Hasher hasher;
    hasher.add(std::uint64_t{quantity_ ? *quantity_ + 1 : 0});
    const auto add_costs = [&](const std::vector<double>& costs) {
      for (const double cost : costs) hasher.add(cost);
    };
    for (const AllocationLayer& layer : problem_.layers) {
      hasher.add(std::string_view(layer.name));
      for (const AllocationChoice& choice : layer.choices) {
        hasher.add(std::string_view(choice.name)).add(choice.penalty);
        add_costs(choice.costs);
      }
    }
    for (const FormatBoundary& boundary : problem_.boundaries) {
      hasher.add(std::uint64_t{boundary.producer}).add(std::uint64_t{boundary.consumer}).add(boundary.size);
    }
    for (const FormatConversion& conversion : problem_.conversions) {
      hasher.add(std::string_view(conversion.from)).add(std::string_view(conversion.to));
      add_costs(conversion.costs);
    }
    return hasher.value();
  }

  void evaluate(std::span<const Candidate> candidates, std::span<Score> scores) override {
    std::vector<std::size_t> choices(problem_.layers.size(), 0);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const Genome genome = space_.in_whole(*candidates[i].genome);
      for (std::size_t d = 0; d < decisions_.size(); ++d) {
        const Decision& decision = decisions_[d];
        for (std::size_t k = 0; k < decision.layers.size(); ++k) {
          choices[decision.layers[k]] = decision.places[k][genome.genes[d]];
        }
      }
      const AllocationPlan plan = allocation_plan(problem_, choices);
      scores[i].value = quantity_ ? plan.costs[*quantity_] : plan.penalty;
    }
  }

 private:
  AllocationProblem problem_;
  std::vector<Decision> decisions_;  // one a dimension of the whole space
  const SearchSpace& space_;
  std::optional<std::size_t> quantity_;
};

// Layers that are decided together, in the order of the first of each.
std::vector<std::vector<std::size_t>> groups_of(const AllocationProblem& problem) {
  std::vector<std::vector<std::size_t>> groups;
  for (std::size_t l = 0; l < problem.layers.size(); ++l) {
    if (problem.layers[l].choices.size() == 1) continue;
    const auto tie = std::ranges::find_if(
        problem.ties, [&](const std::vector<std::size_t>& one) { return std::ranges::find(one, l) != one.end(); });
    if (tie == problem.ties.end()) {
      groups.push_back({l});
    } else if (*std::ranges::min_element(*tie) == l) {
      groups.push_back(*tie);
    }
  }
  return groups;
}

std::vector<Decision> decisions_of(const AllocationProblem& problem, const SearchSpace& space, JsonReader& options) {
  const std::vector<std::vector<std::size_t>> groups = groups_of(problem);
  std::vector<Decision> decisions;
  if (groups.size() != space.dims().size()) {
    options.note("problem",
                 fmt::format("{} layers to decide, one a dimension of '{}'", space.dims().size(), space.name()),
                 std::to_string(groups.size()), "tied layers count once, layers of one choice not at all");
    return decisions;
  }
  for (std::size_t d = 0; d < groups.size(); ++d) {
    const Dimension& dim = space.dims()[d];
    Decision decision{groups[d], {}};
    for (const std::size_t l : groups[d]) {
      std::vector<std::string> known;
      for (const AllocationChoice& choice : problem.layers[l].choices) known.push_back(choice.name);
      std::vector<std::size_t> places;
      for (const Json& choice : dim.choices) {
        const auto found = std::ranges::find(known, word_of(choice));
        places.push_back(static_cast<std::size_t>(found - known.begin()));
        if (found != known.end()) continue;
        options.note("problem",
                     fmt::format("the choices of dimension '{}' in layer '{}'", dim.name, problem.layers[l].name),
                     fmt::format("no '{}'", word_of(choice)), known_words(word_of(choice), known));
        return {};
      }
      decision.places.push_back(std::move(places));
    }
    decisions.push_back(std::move(decision));
  }
  return decisions;
}

}  // namespace

std::unique_ptr<Evaluator> make_additive_evaluator(JsonReader options, const EvaluatorSetup& setup) {
  const std::string name = options.string("problem");
  const std::string quantity = options.string("quantity");
  options.finish();
  if (name.empty() || quantity.empty() || setup.space == nullptr) return nullptr;
  std::string path;
  try {
    path = setup.resources->allocation(name);
  } catch (const ConfigError& error) {
    const Problem& problem = error.problems().front();
    options.note("problem", problem.expected, problem.found, problem.remedy);
    return nullptr;
  }
  AllocationFile file = load_allocation(path, *setup.resources, {}, AllocationUse::sums);
  std::vector<std::string> known;
  for (const Budget& budget : file.problem.budgets) known.push_back(budget.name);
  if (file.penalties) known.emplace_back("penalty");
  const auto found = std::ranges::find(known, quantity);
  if (found == known.end()) {
    options.note("quantity", fmt::format("what '{}' adds up", file.name), "'" + quantity + "'",
                 known_words(quantity, known));
    return nullptr;
  }
  const auto place = static_cast<std::size_t>(found - known.begin());
  std::vector<Decision> decisions = decisions_of(file.problem, setup.space->whole(), options);
  if (decisions.empty()) return nullptr;
  const bool cost = place < file.problem.budgets.size();
  return std::make_unique<AdditiveEvaluator>(std::move(file.problem), std::move(decisions), *setup.space,
                                             cost ? std::optional(place) : std::nullopt);
}

}  // namespace ridgeline
