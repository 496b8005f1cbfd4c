// Told candidates in flat arrays: what the searchers remember of the trials they go on with.
//
// A member has its genes, the values that count (constraint-only objectives are left out) and its violation: 0 where
// feasible, the sum of relative excess over the limits where not. A trial without anything to compare (unsupported,
// unstable, failed, or infeasible without a measure of how much) is no member.
//
// Members are compared by constraint domination (Deb et al., 2002): feasible before infeasible, then the smaller
// violation, then, of feasible ones, dominance. Invariant: every array holds size() rows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "search/searcher.hpp"

namespace ridgeline {

// The text of genomes in a saved state: one to three characters of base 64 a gene, by its number of choices.
class GenomeText {
 public:
  explicit GenomeText(const SearchSpace& space);
  std::string write(std::span<const std::uint16_t> genes) const;
  // Notes a problem in the reader, and returns nothing, unless the text is a normalised, valid genome of the space.
  std::optional<Genome> read(const std::string& text, JsonReader& reader, const std::string& key) const;

 private:
  const SearchSpace* space_;
  std::vector<std::uint8_t> widths_;  // characters, by dimension
  std::size_t length_ = 0;
};

class Population {
 public:
  // Throws ConfigError when no objective is optimised.
  Population(const SearchSpace& space, const SearcherSetup& setup);

  std::size_t size() const { return violations_.size(); }
  bool empty() const { return violations_.empty(); }
  std::size_t dims() const { return dims_; }
  std::size_t objectives() const { return counted_.size(); }

  std::span<const std::uint16_t> genes(std::size_t i) const { return {genes_.data() + i * dims_, dims_}; }
  std::span<const double> values(std::size_t i) const { return {values_.data() + i * objectives(), objectives()}; }
  double violation(std::size_t i) const { return violations_[i]; }
  std::uint64_t hash(std::size_t i) const { return hashes_[i]; }  // of the genes
  Genome genome(std::size_t i) const { return {{genes(i).begin(), genes(i).end()}}; }

  bool beats(std::size_t i, std::size_t j) const;   // constraint domination
  bool equals(std::size_t i, std::size_t j) const;  // the same violation, and the same values where feasible

  // Appends; false, and nothing done, when the trial has nothing to compare.
  bool add(const Trial& trial);
  void add(const Population& other, std::size_t member);  // of the same space and objectives
  void replace(std::size_t i, const Population& other, std::size_t member);
  void erase_first(std::size_t count);
  // All of them that have something to compare; the indices of the others. The same as one by one.
  std::vector<std::size_t> add(std::span<const Trial> trials, std::size_t threads);
  // The members at `indices`, in that order.
  void keep(std::span<const std::uint32_t> indices, std::size_t threads = 1);
  void clear();

  Json save() const;
  // Reads what save() wrote from the object under `key`, at most `most` members; notes problems in the reader.
  void load(JsonReader& reader, const std::string& key, std::size_t most);

 private:
  void append(std::span<const std::uint16_t> genes, double violation);

  std::size_t dims_;
  std::vector<std::size_t> counted_;  // the objectives that count, as indices of Trial::values
  GenomeText text_;
  std::vector<std::uint16_t> genes_;       // size() x dims()
  std::vector<double> values_;             // size() x objectives(); 0 where an infeasible trial came without values
  std::vector<double> violations_;         // size()
  std::vector<std::uint64_t> hashes_;      // size()
  std::vector<std::uint16_t> kept_genes_;  // what keep() fills before it swaps
  std::vector<double> kept_values_;
  std::vector<std::uint64_t> kept_hashes_;
};

// The same on every machine within one run; not stored.
std::uint64_t hash_genes(std::span<const std::uint16_t> genes);

}  // namespace ridgeline
