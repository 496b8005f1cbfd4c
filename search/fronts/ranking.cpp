#include "search/fronts/ranking.hpp"

#include <algorithm>
#include <limits>

#include "search/fronts/pareto.hpp"

namespace ridgeline {

void Ranking::update(const Population& population, std::size_t count) {
  ranks_.resize(count);
  crowding_.assign(count, 0.0);
  sort_feasible(population, count);
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
void Ranking::sort_feasible(const Population& population, std::size_t count) {
  keys_.clear();
  copies_.clear();
  const std::size_t m = population.objectives();
  for (std::uint32_t i = 0; i < count; ++i) {
    if (population.violation(i) > 0.0) continue;
    const auto values = population.values(i);
    keys_.push_back({values[0], m > 1 ? values[1] : 0.0, i});
  }
  std::sort(keys_.begin(), keys_.end(), [&](const Key& a, const Key& b) {
    if (a.first != b.first) return a.first < b.first;
    if (a.second != b.second) return a.second < b.second;
    for (std::size_t k = 2; k < m; ++k) {
      const double left = population.values(a.member)[k];
      const double right = population.values(b.member)[k];
      if (left != right) return left < right;
    }
    return a.member > b.member;
  });
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

void Ranking::assign_many(const Population& population) {
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
  count = std::min(count, members_.size());
  scratch_.assign(members_.begin(), members_.begin() + static_cast<std::ptrdiff_t>(count));
  if (count < members_.size()) {
    const std::size_t cut = ranks_[members_[count]];
    const auto last = front(cut);
    const auto begin = scratch_.begin() + starts_[cut];
    const auto lonelier = [&](std::uint32_t a, std::uint32_t b) {
      return crowding_[a] != crowding_[b] ? crowding_[a] > crowding_[b] : a > b;
    };
    std::partial_sort_copy(last.begin(), last.end(), begin, scratch_.end(), lonelier);
  }
  std::sort(scratch_.begin(), scratch_.end());
  return scratch_;
}

}  // namespace ridgeline
