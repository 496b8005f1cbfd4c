// The told trials that a searcher still knows: what predictors are fitted on, and what must not be asked again.
//
// At most `most` trials. Of the ones beyond it the oldest go first, those on the front (by constraint domination, among
// what is remembered) last. A genome is remembered once, as it was told first. Not thread-safe.
#pragma once

#include <span>
#include <unordered_set>
#include <vector>

#include "search/fronts/population.hpp"

namespace ridgeline {

class TrialMemory {
 public:
  // Throws ConfigError when no objective is optimised.
  TrialMemory(const SearchSpace& space, const SearcherSetup& setup, std::size_t most);

  void add(std::span<const Trial> trials);
  bool knows(const Genome& genome) const { return hashes_.contains(hash_genes(genome.genes)); }
  std::size_t size() const { return trials_.size(); }
  // In the order of telling; only genome, status, values and violation are kept, and the status is ok, infeasible (both
  // with values) or failed (anything without).
  std::span<const Trial> trials() const { return trials_; }
  // The best `count` that can be compared, by front and crowding, as indices of trials(), ascending.
  std::vector<std::size_t> best(std::size_t count) const;

  Json save() const;
  void load(JsonReader& reader, const std::string& key);  // what save() wrote; notes problems in the reader

 private:
  void forget();
  // Those that can be compared, with where each stands in trials_.
  Population comparable(std::vector<std::size_t>& places) const;

  const SearchSpace* space_;
  SearcherSetup setup_;
  std::size_t most_;
  GenomeText text_;
  std::vector<Trial> trials_;
  std::unordered_set<std::uint64_t> hashes_;  // of the genomes of trials_
};

}  // namespace ridgeline
