#include "search/fronts/ranking.hpp"

#include <algorithm>
#include <limits>

#include "search/blocks.hpp"
#include "search/fronts/dominance_ranks.hpp"
#include "search/fronts/pareto.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t few_members = 200;     // up to which the many-objective sort that compares them is the faster one
constexpr std::size_t worth_parts = 20'000;  // from which sorting on several threads pays

// Parts are sorted at once, then merged. Where no two compare equal, the result is that of any other sort.
template <typename T, typename Less>
void sort_in_parts(std::vector<T>& all, std::size_t threads, const Less& less) {
  const std::size_t parts = all.size() < worth_parts ? 1 : threads;
  if (parts <= 1) return std::sort(all.begin(), all.end(), less);
  const auto at = [&](std::size_t part) {
    return all.begin() + static_cast<std::ptrdiff_t>(all.size() * std::min(part, parts) / parts);
  };
  over_parts(parts, [&](std::size_t part) { std::sort(at(part), at(part + 1), less); });
  for (std::size_t width = 1; width < parts; width *= 2) {
    over_parts((parts + 2 * width - 1) / (2 * width), [&](std::size_t pair) {
      std::inplace_merge(at(2 * width * pair), at(2 * width * pair + width), at(2 * width * pair + 2 * width), less);
    });
  }
}

}  // namespace

void Ranking::update(const Population& population, std::size_t count, std::size_t threads) {
  ranks_.resize(count);
  crowding_.assign(count, 0.0);
  sort_feasible(population, count, threads);
  if (population.objectives() == 2) {
    assign_two();
  } else {
    assign_many(population);
  }
  append_rest(population, count);
  gather(count);
  for (std::size_t rank = 0; rank < feasible_fronts_; ++rank) crowd(population, rank);
}

// Feasible members in lexicographic order, of equal ones only the youngest.
void Ranking::sort_feasible(const Population& population, std::size_t count, std::size_t threads) {
  keys_.clear();
  copies_.clear();
  const std::size_t m = population.objectives();
  for (std::uint32_t i = 0; i < count; ++i) {
    if (population.violation(i) > 0.0) continue;
    const auto values = population.values(i);
    keys_.push_back({values[0], m > 1 ? values[1] : 0.0, i});
  }
  if (m <= 2) {
    sort_in_parts(keys_, threads, [](const Key& a, const Key& b) {
      if (a.first != b.first) return a.first < b.first;
      return a.second != b.second ? a.second < b.second : a.member > b.member;
    });
  } else {
    sort_in_parts(keys_, threads, [&](const Key& a, const Key& b) {
      if (a.first != b.first) return a.first < b.first;
      const auto left = population.values(a.member), right = population.values(b.member);
      const auto [l, r] = std::ranges::mismatch(left, right);
      return l != left.end() ? *l < *r : a.member > b.member;
    });
  }
  std::size_t kept = 0;
  for (const Key& key : keys_) {
    if (kept > 0 && key.first == keys_[kept - 1].first && key.second == keys_[kept - 1].second &&
        (m <= 2 || population.equals(key.member, keys_[kept - 1].member))) {
      copies_.push_back(key.member);
    } else {
      keys_[kept++] = key;
    }
  }
  keys_.resize(kept);
}

// In lexicographic order a front is left behind exactly when its last member has a second value no larger.
void Ranking::assign_two() {
  tails_.clear();
  for (const Key& key : keys_) {
    const auto front = std::partition_point(tails_.begin(), tails_.end(), [&](double t) { return t <= key.second; });
    ranks_[key.member] = static_cast<std::uint32_t>(front - tails_.begin());
    if (front == tails_.end()) {
      tails_.push_back(key.second);
    } else {
      *front = key.second;
    }
  }
  feasible_fronts_ = tails_.size();
}

void Ranking::assign_divided(const Population& population) {
  const std::size_t m = population.objectives();
  std::vector<double> rows;
  rows.reserve(keys_.size() * m);
  for (const Key& key : keys_) {
    const auto values = population.values(key.member);
    rows.insert(rows.end(), values.begin(), values.end());
  }
  const std::vector<std::uint32_t> ranks = dominance_ranks(rows, m);
  for (std::size_t i = 0; i < keys_.size(); ++i) ranks_[keys_[i].member] = ranks[i];
  feasible_fronts_ = 1U + std::ranges::max(ranks);
}

void Ranking::assign_many(const Population& population) {
  if (population.objectives() > 2 && keys_.size() > few_members) return assign_divided(population);
  for (auto& front : open_) front.clear();
  std::size_t fronts = 0;
  for (const Key& key : keys_) {
    const auto values = population.values(key.member);
    const auto dominated = [&](std::uint32_t other) { return dominates(population.values(other), values); };
    std::size_t rank = population.objectives() == 1 ? fronts : 0;  // distinct and ascending: each alone
    while (rank < fronts && std::any_of(open_[rank].rbegin(), open_[rank].rend(), dominated)) ++rank;
    if (rank == fronts && ++fronts > open_.size()) open_.emplace_back();
    open_[rank].push_back(key.member);
    ranks_[key.member] = static_cast<std::uint32_t>(rank);
  }
  feasible_fronts_ = fronts;
}

void Ranking::append_rest(const Population& population, std::size_t count) {
  auto next = static_cast<std::uint32_t>(feasible_fronts_);
  for (const std::uint32_t copy : copies_) ranks_[copy] = next;
  if (!copies_.empty()) ++next;
  scratch_.clear();
  for (std::uint32_t i = 0; i < count; ++i) {
    if (population.violation(i) > 0.0) scratch_.push_back(i);
  }
  std::sort(scratch_.begin(), scratch_.end(), [&](std::uint32_t a, std::uint32_t b) {
    const double left = population.violation(a);
    const double right = population.violation(b);
    return left != right ? left < right : a > b;
  });
  for (std::size_t k = 0; k < scratch_.size(); ++k) {
    if (k > 0 && population.violation(scratch_[k]) > population.violation(scratch_[k - 1])) ++next;
    ranks_[scratch_[k]] = next;
  }
  if (!scratch_.empty()) ++next;
  starts_.assign(next + 1, 0);
}

// A counting sort by rank that keeps the order of keys_, then of copies_ and of the infeasible.
void Ranking::gather(std::size_t count) {
  members_.resize(count);
  for (const std::uint32_t rank : ranks_) ++starts_[rank + 1];
  for (std::size_t rank = 1; rank < starts_.size(); ++rank) starts_[rank] += starts_[rank - 1];
  const auto place = [&](std::uint32_t member) { members_[starts_[ranks_[member]]++] = member; };
  for (const Key& key : keys_) place(key.member);
  for (const std::uint32_t member : copies_) place(member);
  for (const std::uint32_t member : scratch_) place(member);
  for (std::size_t rank = starts_.size() - 1; rank > 0; --rank) starts_[rank] = starts_[rank - 1];
  starts_[0] = 0;
}

void Ranking::crowd(const Population& population, std::size_t rank) {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  const auto members = front(rank);
  const std::size_t m = population.objectives();
  if (members.size() < 3 || m == 1) {
    for (const std::uint32_t member : members) crowding_[member] = infinite;
    return;
  }
  const auto add = [&](std::span<const std::uint32_t> sorted, std::size_t k) {
    const auto value = [&](std::size_t i) { return population.values(sorted[i])[k]; };
    const std::size_t last = sorted.size() - 1;
    const double range = value(last) - value(0);
    if (range == 0.0) return;
    crowding_[sorted[0]] = crowding_[sorted[last]] = infinite;
    for (std::size_t i = 1; i < last; ++i) crowding_[sorted[i]] += (value(i + 1) - value(i - 1)) / range;
  };
  add(members, 0);
  if (m == 2) return add(members, 1);  // descending in the second value: both differences change their sign
  for (std::size_t k = 1; k < m; ++k) {
    scratch_.assign(members.begin(), members.end());
    std::sort(scratch_.begin(), scratch_.end(), [&](std::uint32_t a, std::uint32_t b) {
      const double left = population.values(a)[k];
      const double right = population.values(b)[k];
      return left != right ? left < right : a > b;
    });
    add(scratch_, k);
  }
}

std::span<const std::uint32_t> Ranking::best(std::size_t count) {
  const std::size_t all = members_.size();
  count = std::min(count, all);
  const std::size_t cut = count < all ? ranks_[members_[count]] : fronts();
  chosen_.assign(all, 0);
  for (std::size_t i = 0; i < all; ++i) chosen_[i] = ranks_[i] < cut ? std::uint8_t{1} : std::uint8_t{0};
  if (cut < fronts()) {
    const auto last = front(cut);
    std::vector<std::uint32_t>& some = scratch_;
    some.assign(last.begin(), last.end());
    const auto need = static_cast<std::ptrdiff_t>(count - starts_[cut]);
    std::nth_element(some.begin(), some.begin() + need, some.end(), [&](std::uint32_t a, std::uint32_t b) {
      return crowding_[a] != crowding_[b] ? crowding_[a] > crowding_[b] : a > b;
    });
    for (std::ptrdiff_t i = 0; i < need; ++i) chosen_[some[static_cast<std::size_t>(i)]] = 1;
  }
  scratch_.clear();
  for (std::uint32_t i = 0; i < all; ++i) {
    if (chosen_[i] != 0) scratch_.push_back(i);
  }
  return scratch_;
}

void Ranking::narrow(const Population& population, std::span<const std::uint32_t> kept) {
  constexpr auto gone = std::numeric_limits<std::uint32_t>::max();
  places_.assign(ranks_.size(), gone);
  for (std::uint32_t place = 0; place < kept.size(); ++place) {  // ascending: what is moved down is not overwritten
    places_[kept[place]] = place;
    ranks_[place] = ranks_[kept[place]];
    crowding_[place] = crowding_[kept[place]];
  }
  ranks_.resize(kept.size());
  crowding_.resize(kept.size());
  std::uint32_t at = 0;
  std::size_t rank = 0;
  bool whole = true;
  for (; at < kept.size(); ++rank) {
    const std::uint32_t begin = starts_[rank], end = starts_[rank + 1];
    starts_[rank] = at;
    for (std::size_t i = begin; i < end; ++i) {
      if (places_[members_[i]] != gone) members_[at++] = places_[members_[i]];
    }
    whole = at - starts_[rank] == end - begin;
  }
  members_.resize(kept.size());
  starts_.resize(rank + 1);
  starts_[rank] = at;
  feasible_fronts_ = std::min(feasible_fronts_, rank);
  if (whole || rank > feasible_fronts_) return;
  for (const std::uint32_t member : front(rank - 1)) crowding_[member] = 0.0;
  crowd(population, rank - 1);
}

}  // namespace ridgeline
