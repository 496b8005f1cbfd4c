// A space as a sequence of decisions: its dimensions in an order in which every condition reads only what is decided.
//
// A candidate is built place by place. A prefix is a genome in which the places before some place are decided and the
// others are 0; where a dimension turns out to be inactive its only choice is 0, so what is built is normalised.
// Constraints are judged on whole candidates alone. Immutable; refers to the space, which must outlive it.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "spaces/search_space.hpp"

namespace ridgeline {

class Decisions {
 public:
  explicit Decisions(const SearchSpace& space);

  std::size_t size() const { return order_.size(); }
  std::uint32_t dimension(std::size_t place) const { return order_[place]; }
  Genome nothing_decided() const { return {std::vector<std::uint16_t>(order_.size(), 0)}; }
  // How many choices there are at a place after this prefix; 1 where its dimension is inactive.
  std::size_t choices(const Genome& prefix, std::size_t place) const;
  // The first place from `place` on that has more than one choice; size() where there is none.
  std::size_t next_open(const Genome& prefix, std::size_t place) const;

  // Decides the places from `place` on, so that the candidate is valid: a few times by `choose`, which is given the
  // dimension, then by trying completions in random order, a limited number of them. The genome is the prefix again
  // where nothing was found.
  enum class Outcome : std::uint8_t {
    found,
    impossible,  // no completion of this prefix is valid
    given_up
  };
  using Choose = std::function<std::uint16_t(std::uint32_t dimension)>;
  Outcome complete(Genome& genome, std::size_t place, const Choose& choose, Rng& rng) const;

 private:
  bool search(Genome& genome, std::size_t place, int& left, Rng& rng) const;

  const SearchSpace* space_;
  std::vector<std::uint32_t> order_;
  bool conditional_ = false;
};

}  // namespace ridgeline
