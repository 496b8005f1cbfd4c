// Choosing a candidate dimension after dimension: in which order, which dimensions take part, and which choices can
// still lead to a valid candidate (the mask of illegal actions of a policy or a tree search).
//
//   ChoiceWalk walk(space);
//   for (walk.begin(); !walk.done(); walk.choose(gene)) {      // visits active dimensions only
//     gene = one of those that walk.allowed() has for walk.dim();
//   }
//   walk.genome()                                               // normalised; valid unless a mask could not decide
//
// The order is that of the space, but for dimensions that a condition refers to, which stand before the dimension they
// decide on. A constraint is checked as soon as every dimension it reads, and every one that decides whether those are
// active, is chosen. Until then a choice is allowed when choices of the remaining dimensions of these exist that keep
// all constraints: found by depth-first search, at most `most_looked_at` of them for one choice. Where that many do not
// decide, the choice is allowed, and the walk may come to a dead end: no choice is allowed.
//
// What is allowed depends on the space and the choices before, never on earlier walks. The space must outlive the walk.
// Not thread-safe (buffers, and answers that are kept).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "spaces/search_space.hpp"

namespace ridgeline {

class ChoiceWalk {
 public:
  static constexpr int most_looked_at = 2000;

  explicit ChoiceWalk(const SearchSpace& space);
  ChoiceWalk(ChoiceWalk&&) noexcept;
  ChoiceWalk& operator=(ChoiceWalk&&) noexcept;
  ~ChoiceWalk();

  std::span<const std::uint32_t> order() const;  // of the dimensions

  void begin();
  bool done() const;
  std::size_t position() const;  // in the order, of the dimension to choose next
  std::size_t dim() const;       // order()[position()]
  // One entry a choice of dim(), 1 where it is allowed. Valid until the next call.
  std::span<const std::uint8_t> allowed();
  void choose(std::uint16_t gene);  // of dim(), whether or not it is allowed
  const Genome& genome() const;     // 0 where nothing is chosen yet

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ridgeline
