// What an outer searcher is told of a proposal, and what it was told of the latest ones. For the searcher `nested`.
#pragma once

#include <optional>
#include <vector>

#include "search/fronts/pareto.hpp"
#include "search/fronts/population.hpp"
#include "search/searcher_base.hpp"

namespace ridgeline {

// The quality of an inner search: see search/staged/nested.hpp.
class NestedQuality {
 public:
  // Reads "reference" of the options, noting what is wrong.
  NestedQuality(const SearcherSetup& setup, OptionsReader& options);

  const Objective& objective() const { return objective_; }
  // Status, values and violation, from the best of a search by constraint domination.
  Trial of(const Population& best) const;

 private:
  Objective objective_;             // what the outer searcher optimises
  std::optional<Point> reference_;  // of the optimised objectives, minimised; none for one objective
};

// Whether the outer trial `a` is better than `b`: constraint domination, failed ones last.
bool better(const Trial& a, const Trial& b);

// The latest outer trials, and the best. Each genome once, with the better of what it was told. Not thread-safe.
class ProposalMemory {
 public:
  ProposalMemory(const SearchSpace& space, std::size_t most) : text_(space), most_(most) {}

  void add(const Trial& trial);
  const Trial* find(const Genome& genome) const;  // null: not remembered
  const Trial* best() const;                      // null: none succeeded

  Json save() const;
  void load(JsonReader& reader, const std::string& key);  // what save() wrote; notes problems in the reader

 private:
  GenomeText text_;
  std::size_t most_;
  std::vector<Trial> trials_;  // the oldest first
};

}  // namespace ridgeline
