// How candidates are changed: neighbours, mutation and crossover over any space, conditions and constraints included.
//
// A gene counts only while its dimension is active. When a change makes a dimension active that was not, its gene is
// drawn afresh: the 0 that normalisation left there means nothing. Every genome made here is normalised; one that
// breaks a constraint is not made. Dimensions with one choice are never changed. Not thread-safe (buffers).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "spaces/search_space.hpp"

namespace ridgeline {

// A change of one gene.
struct Move {
  std::uint32_t dim;
  std::uint16_t choice;
};

class Variation {
 public:
  explicit Variation(const SearchSpace& space);

  // All changes of one active gene to another choice, by dimension and choice; whether they are valid is not known yet.
  std::vector<Move> moves(const Genome& genome) const;
  // The candidate a move leads to; nullopt when it is not valid.
  std::optional<Genome> apply(const Genome& genome, Move move, Rng& rng);

  // One active gene, uniformly chosen, takes another choice (Real et al., 2019); nullopt when that is not valid or
  // nothing can change.
  std::optional<Genome> mutate_one(const Genome& genome, Rng& rng);

  // Each gene from either parent with the same chance (from `a` alone where b is empty), then each takes another choice
  // with chance `rate` / dimensions. The actives are those of the parents, as activity() gives them. nullopt when the
  // result is not valid.
  struct Parent {
    std::span<const std::uint16_t> genes;
    std::span<const std::uint8_t> active;  // empty: every dimension is
  };
  std::optional<Genome> breed(Parent a, Parent b, double rate, Rng& rng);
  // The same of two genomes, whose actives are found first.
  std::optional<Genome> breed(const Genome& a, const Genome& b, double rate, Rng& rng);

  // One entry a dimension, or none at all where every dimension is active.
  std::vector<std::uint8_t> activity(const Genome& genome) const;

 private:
  std::uint16_t other_choice(std::size_t dim, std::uint16_t now, Rng& rng) const;
  void mutate(Genome& genome, double rate, Rng& rng) const;
  // Draws the genes that became active (known_ says which were), normalises; false when the result is not valid.
  bool settle(Genome& genome, bool all_known, Rng& rng);

  const SearchSpace* space_;
  bool unconditional_;
  std::vector<std::uint32_t> choices_;  // by dimension
  std::vector<std::uint8_t> known_;
};

}  // namespace ridgeline
