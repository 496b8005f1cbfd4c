// The sub-spaces of a space that keep some of the choices of some dimensions: what an evolution of spaces moves among.
//
// A kept dimension that is ordered keeps a window of neighbouring choices, any other a subset; what is not named stays
// whole. Immutable; const methods are pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "spaces/search_space.hpp"

namespace ridgeline {

// How many of a dimension's choices a sub-space keeps. `name`: the declared one, for every element of a repeated
// dimension, or a full one ("block[1][0]"), which goes before.
struct KeptCount {
  std::string name;
  std::size_t count = 0;
};

using KeptGenes = std::vector<std::vector<std::uint16_t>>;  // by dimension, ascending: as SearchSpace::keeping has it

// The same candidate of the sub-space that keeps `kept` in the space itself, normalised.
Genome in_whole_space(const SearchSpace& space, const KeptGenes& kept, const Genome& genome);
// Whether chance finds a valid candidate there.
bool has_candidates(const SearchSpace& space, std::uint64_t seed);

class SubSpaces {
 public:
  // Throws ConfigError with every problem, at the flag `origin`: an unknown name, a name twice, a count below 1 or
  // above an element's number of choices, nothing that is left to choose. The space must outlive this.
  SubSpaces(const SearchSpace& space, std::span<const KeptCount> kept, const std::string& origin);

  const SearchSpace& space() const { return *space_; }
  KeptGenes whole() const;
  double count() const;                     // how many sub-spaces there are; exact below 2^53
  KeptGenes at(std::uint64_t index) const;  // index < count(), in a fixed order
  KeptGenes random(Rng& rng) const;         // uniform
  // Of each dimension the window or subset that most of these candidates of the space use while it is active; of equal
  // ones the lower choices.
  KeptGenes around(std::span<const Genome> genomes) const;
  // Another sub-space: of one dimension, drawn uniformly among those that can change, another window, or one kept
  // choice exchanged for one that is not.
  KeptGenes mutated(KeptGenes kept, Rng& rng) const;
  // Of each dimension what either keeps.
  KeptGenes crossed(const KeptGenes& a, const KeptGenes& b, Rng& rng) const;

 private:
  double options(std::size_t dim) const;  // how many lists it may keep
  std::vector<std::uint16_t> option(std::size_t dim, std::uint64_t index) const;

  const SearchSpace* space_;
  std::vector<std::size_t> counts_;   // by dimension
  std::vector<std::size_t> movable_;  // dimensions that keep fewer than all
};

}  // namespace ridgeline
