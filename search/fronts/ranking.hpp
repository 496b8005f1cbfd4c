// Non-dominated sorting and crowding distance of a population, as NSGA-II orders its members (Deb, Pratap, Agarwal and
// Meyarivan, 2002), over constraint domination.
//
// Fronts: the feasible members by dominance (one binary search a member for two objectives; for more, the efficient
// non-dominated sort of Zhang, Tian, Cheng and Jin, 2015, and of many members divide and conquer,
// search/fronts/dominance_ranks.hpp), then the infeasible ones by violation. One departure from
// the paper: of feasible members with equal values only the youngest (the last in the population) takes part; the
// others stand in a front of their own behind all feasible ones, because copies would otherwise fill the population.
// Buffers are kept from one call to the next. Not thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "search/fronts/population.hpp"

namespace ridgeline {

class Ranking {
 public:
  // Of the first `count` members. The same for any number of threads.
  void update(const Population& population, std::size_t count, std::size_t threads = 1);
  // The same as update() with those members alone that are `kept`, ascending, in a population of them only: where they
  // are whole fronts and a part of one more, which is what selection keeps, most is known already.
  void narrow(const Population& population, std::span<const std::uint32_t> kept);

  std::uint32_t rank(std::size_t member) const { return ranks_[member]; }  // 0 is the best front
  // The larger the lonelier in its front; infinite at a front's ends, 0 in fronts where it has no meaning.
  double crowding(std::size_t member) const { return crowding_[member]; }
  bool before(std::size_t i, std::size_t j) const {
    return ranks_[i] != ranks_[j] ? ranks_[i] < ranks_[j] : crowding_[i] > crowding_[j];
  }
  std::size_t fronts() const { return starts_.size() - 1; }
  std::size_t feasible_fronts() const {
    return feasible_fronts_;
  }  // the first ones; without copies, which are one more
  std::span<const std::uint32_t> front(std::size_t rank) const {
    return {members_.data() + starts_[rank], starts_[rank + 1] - starts_[rank]};
  }
  // The best `count` members, whole fronts and then the loneliest of the front that does not fit, in the population's
  // order. Valid until the next call.
  std::span<const std::uint32_t> best(std::size_t count);

 private:
  struct Key {
    double first;
    double second;  // 0 for one objective
    std::uint32_t member;
  };

  void sort_feasible(const Population& population, std::size_t count, std::size_t threads);
  void assign_two();
  void assign_many(const Population& population);
  void assign_divided(const Population& population);
  void append_rest(const Population& population, std::size_t count);
  void gather(std::size_t count);
  void crowd(const Population& population, std::size_t rank);

  std::vector<Key> keys_;                         // distinct feasible members, lexicographic
  std::vector<std::uint32_t> copies_;             // feasible members whose values a younger one has too
  std::vector<std::uint32_t> ranks_;              // by member
  std::vector<double> crowding_;                  // by member
  std::vector<std::uint32_t> members_;            // by front; inside a front in the order of keys_
  std::vector<std::uint32_t> starts_;             // fronts() + 1 positions in members_
  std::vector<double> tails_;                     // the least second value of each front so far
  std::vector<std::vector<std::uint32_t>> open_;  // the fronts so far, for three objectives and more
  std::vector<std::uint32_t> scratch_;
  std::vector<std::uint8_t> chosen_;   // by member
  std::vector<std::uint32_t> places_;  // by member: where it stands among those kept
  std::size_t feasible_fronts_ = 0;
};

}  // namespace ridgeline
