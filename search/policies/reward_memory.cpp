#include "search/policies/reward_memory.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "search/fronts/reference_directions.hpp"

namespace ridgeline {

RewardMemory::RewardMemory(const SearchSpace& space, const SearcherSetup& setup, const RewardMemoryOptions& options)
    : options_(options), window_(space, setup), elites_(space, setup), told_(space, setup) {
  const std::size_t m = window_.objectives();
  directions_ = reference_directions(m, divisions_within(m, options.directions));
  best_.resize(directions_.size());
  rank();
}

RewardMemory::Worth RewardMemory::worth(const Population& population, std::size_t member, std::size_t direction) const {
  if (population.violation(member) > 0.0) return {population.violation(member), 0.0};
  constexpr double least_weight = 1e-3;  // so that of equally good candidates the one that dominates is nearer
  const std::span<const double> values = population.values(member);
  double most = -std::numeric_limits<double>::infinity();
  for (std::size_t k = 0; k < values.size(); ++k) {
    most = std::max(most, std::max(directions_[direction][k], least_weight) * ((values[k] - ideal_[k]) / range_[k]));
  }
  return {0.0, most};
}

// Refits ideal and range, and orders the elites of every direction.
void RewardMemory::rank() {
  const std::size_t m = elites_.objectives();
  ideal_.assign(m, std::numeric_limits<double>::max());
  std::vector<double> worst(m, std::numeric_limits<double>::lowest());
  for (std::size_t i = 0; i < elites_.size(); ++i) {
    for (std::size_t k = 0; elites_.violation(i) == 0.0 && k < m; ++k) {
      ideal_[k] = std::min(ideal_[k], elites_.values(i)[k]);
      worst[k] = std::max(worst[k], elites_.values(i)[k]);
    }
  }
  range_.assign(m, 1.0);
  for (std::size_t k = 0; k < m; ++k) {
    const double range = worst[k] - ideal_[k];
    if (range > 0.0 && range <= std::numeric_limits<double>::max()) range_[k] = range;
  }
  std::vector<Worth> worths(elites_.size());
  for (std::size_t direction = 0; direction < directions(); ++direction) {
    for (std::size_t i = 0; i < elites_.size(); ++i) worths[i] = worth(elites_, i, direction);
    std::vector<std::uint32_t>& best = best_[direction];
    best.resize(elites_.size());
    std::iota(best.begin(), best.end(), 0U);
    const std::size_t count = std::min(options_.elites, best.size());
    std::ranges::partial_sort(
        best, best.begin() + static_cast<std::ptrdiff_t>(count),
        [&](std::uint32_t a, std::uint32_t b) { return worths[a] != worths[b] ? worths[a] < worths[b] : a < b; });
    best.resize(count);
  }
}

bool RewardMemory::is_elite(const Population& population, std::size_t member) const {
  for (std::size_t i = 0; i < elites_.size(); ++i) {
    if (elites_.hash(i) == population.hash(member) && std::ranges::equal(elites_.genes(i), population.genes(member))) {
      return true;
    }
  }
  return false;
}

void RewardMemory::add(const Trial& trial) {
  told_.clear();
  if (!told_.add(trial)) return;
  if (window_.size() == options_.window) window_.erase_first(1);
  window_.add(told_, 0);
  if (is_elite(told_, 0)) return;
  elites_.add(told_, 0);
  rank();
  std::vector<std::uint32_t> kept;
  for (const std::vector<std::uint32_t>& best : best_) kept.insert(kept.end(), best.begin(), best.end());
  std::ranges::sort(kept);
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  if (kept.size() == elites_.size()) return;
  elites_.keep(kept);
  rank();
}

double RewardMemory::reward(const Trial& trial, std::size_t direction) const {
  Population one = told_;
  one.clear();
  if (!one.add(trial)) return -1.0;
  const Worth own = worth(one, 0, direction);
  double balance = 0;
  for (std::size_t i = 0; i < window_.size(); ++i) {
    const Worth other = worth(window_, i, direction);
    balance += own < other ? 1.0 : other < own ? -1.0 : 0.0;
  }
  return window_.empty() ? 0.0 : balance / static_cast<double>(window_.size());
}

bool RewardMemory::knows(const Genome& genome) const {
  const std::uint64_t hash = hash_genes(genome.genes);
  const auto holds = [&](const Population& population) {
    for (std::size_t i = 0; i < population.size(); ++i) {
      if (population.hash(i) == hash && std::ranges::equal(population.genes(i), genome.genes)) return true;
    }
    return false;
  };
  return holds(window_) || holds(elites_);
}

Json RewardMemory::save() const { return {{"window", window_.save()}, {"elites", elites_.save()}}; }

void RewardMemory::load(JsonReader& reader, const std::string& key) {
  std::optional<JsonReader> saved = reader.object(key);
  if (!saved) return;
  window_.load(*saved, "window", options_.window);
  elites_.load(*saved, "elites", options_.elites * directions());
  saved->finish();
  rank();
}

}  // namespace ridgeline
