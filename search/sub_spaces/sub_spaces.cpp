#include "search/sub_spaces/sub_spaces.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

std::string declared_name(const std::string& name) { return name.substr(0, name.find('[')); }

double binomial(std::size_t n, std::size_t k) {
  double value = 1.0;
  for (std::size_t i = 1; i <= k; ++i) value = value * static_cast<double>(n - k + i) / static_cast<double>(i);
  return value;
}

std::vector<std::string> known_names(const SearchSpace& space) {
  std::vector<std::string> names;
  for (const Dimension& dimension : space.dims()) {
    const std::string declared = declared_name(dimension.name);
    if (std::find(names.begin(), names.end(), declared) == names.end()) names.push_back(declared);
  }
  return names;
}

// Of the counts that hold for this dimension the most particular; null where none does.
const KeptCount* count_for(const Dimension& dimension, std::span<const KeptCount> kept) {
  const KeptCount* found = nullptr;
  for (const KeptCount& one : kept) {
    if (one.name == dimension.name) return &one;
    if (one.name == declared_name(dimension.name)) found = &one;
  }
  return found;
}

}  // namespace

Genome in_whole_space(const SearchSpace& space, const KeptGenes& kept, const Genome& genome) {
  Genome same;
  for (std::size_t dim = 0; dim < kept.size(); ++dim) same.genes.push_back(kept[dim][genome.genes[dim]]);
  return space.normalise(std::move(same));
}

bool has_candidates(const SearchSpace& space, std::uint64_t seed) {
  try {
    Rng rng(seed, "candidate");
    space.sample(rng);
    return true;
  } catch (const ConfigError&) {  // its constraints refuse everything that was drawn
    return false;
  }
}

SubSpaces::SubSpaces(const SearchSpace& space, std::span<const KeptCount> kept, const std::string& origin)
    : space_(&space) {
  std::vector<Problem> problems;
  const std::vector<std::string> known = known_names(space);
  std::set<std::string> seen;
  for (const KeptCount& one : kept) {
    const bool there = std::ranges::any_of(space.dims(), [&](const Dimension& dimension) {
      return dimension.name == one.name || declared_name(dimension.name) == one.name;
    });
    if (!there) {
      problems.push_back({origin, "", "a dimension of the space '" + space.name() + "'", fmt::format("'{}'", one.name),
                          known_words(one.name, known)});
    } else if (!seen.insert(one.name).second) {
      problems.push_back({origin, "", "every dimension once", fmt::format("'{}' twice", one.name), "leave one out"});
    }
  }
  std::set<std::string> refused;
  for (std::size_t dim = 0; dim < space.dims().size(); ++dim) {
    const Dimension& dimension = space.dims()[dim];
    const std::size_t choices = dimension.choices.size();
    const KeptCount* wanted = count_for(dimension, kept);
    counts_.push_back(wanted == nullptr ? choices : wanted->count);
    if (counts_[dim] < choices) movable_.push_back(dim);
    if (counts_[dim] >= 1 && counts_[dim] <= choices) continue;
    if (!refused.insert(wanted->name).second) continue;
    problems.push_back({origin, "", fmt::format("1 to {} choices of {}", choices, dimension.name),
                        fmt::format("{}={}", wanted->name, wanted->count),
                        fmt::format("it has {}", Json(dimension.choices).dump())});
  }
  if (problems.empty() && movable_.empty()) {
    problems.push_back({origin, "", "a dimension that keeps fewer choices than it has", "none",
                        "for example " + known.front() + "=1"});
  }
  if (!problems.empty()) throw ConfigError(std::move(problems));
}

double SubSpaces::options(std::size_t dim) const {
  const std::size_t choices = space_->dims()[dim].choices.size();
  return space_->dims()[dim].ordered ? static_cast<double>(choices - counts_[dim] + 1)
                                     : binomial(choices, counts_[dim]);
}

double SubSpaces::count() const {
  double product = 1.0;
  for (const std::size_t dim : movable_) product *= options(dim);
  return product;
}

// Windows by where they begin; subsets in lexicographic order.
std::vector<std::uint16_t> SubSpaces::option(std::size_t dim, std::uint64_t index) const {
  const Dimension& dimension = space_->dims()[dim];
  std::vector<std::uint16_t> genes;
  auto gene = static_cast<std::uint16_t>(dimension.ordered ? index : 0);
  while (genes.size() < counts_[dim]) {
    if (!dimension.ordered) {
      const std::size_t after = dimension.choices.size() - gene - 1U;
      const double with = binomial(after, counts_[dim] - genes.size() - 1);  // subsets that go on with this one
      if (static_cast<double>(index) >= with) {
        index -= static_cast<std::uint64_t>(with);
        ++gene;
        continue;
      }
    }
    genes.push_back(gene++);
  }
  return genes;
}

KeptGenes SubSpaces::whole() const {
  KeptGenes kept;
  for (const Dimension& dimension : space_->dims()) {
    kept.emplace_back(dimension.choices.size());
    std::iota(kept.back().begin(), kept.back().end(), std::uint16_t{0});
  }
  return kept;
}

KeptGenes SubSpaces::at(std::uint64_t index) const {
  KeptGenes kept = whole();
  for (const std::size_t dim : movable_) {
    const auto base = static_cast<std::uint64_t>(options(dim));
    kept[dim] = option(dim, index % base);
    index /= base;
  }
  return kept;
}

KeptGenes SubSpaces::around(std::span<const Genome> genomes) const {
  KeptGenes kept = whole();
  std::vector<std::vector<std::size_t>> uses;
  for (const Dimension& dimension : space_->dims()) uses.emplace_back(dimension.choices.size(), 0);
  for (const Genome& genome : genomes) {
    const std::vector<bool> active = space_->active(genome);
    for (std::size_t dim = 0; dim < active.size(); ++dim) uses[dim][genome.genes[dim]] += active[dim] ? 1 : 0;
  }
  for (const std::size_t dim : movable_) {
    std::vector<std::uint16_t>& genes = kept[dim];
    if (space_->dims()[dim].ordered) {
      std::uint64_t best = 0;
      const auto used = [&](std::uint64_t begin) {
        const auto first = uses[dim].begin() + static_cast<std::ptrdiff_t>(begin);
        return std::accumulate(first, first + static_cast<std::ptrdiff_t>(counts_[dim]), std::size_t{0});
      };
      for (std::uint64_t begin = 1; static_cast<double>(begin) < options(dim); ++begin) {
        if (used(begin) > used(best)) best = begin;
      }
      genes = option(dim, best);
    } else {
      std::ranges::stable_sort(genes, std::greater{}, [&](std::uint16_t gene) { return uses[dim][gene]; });
      genes.resize(counts_[dim]);
      std::ranges::sort(genes);
    }
  }
  return kept;
}

KeptGenes SubSpaces::random(Rng& rng) const {
  KeptGenes kept = whole();
  for (const std::size_t dim : movable_) {
    std::vector<std::uint16_t>& genes = kept[dim];
    if (space_->dims()[dim].ordered) {
      genes = option(dim, rng.below(static_cast<std::uint64_t>(options(dim))));
    } else {
      rng.shuffle<std::uint16_t>(genes);
      genes.resize(counts_[dim]);
      std::sort(genes.begin(), genes.end());
    }
  }
  return kept;
}

KeptGenes SubSpaces::mutated(KeptGenes kept, Rng& rng) const {
  const std::size_t dim = movable_[rng.below(movable_.size())];
  std::vector<std::uint16_t>& genes = kept[dim];
  if (space_->dims()[dim].ordered) {
    std::uint64_t begin = rng.below(static_cast<std::uint64_t>(options(dim)) - 1);
    if (begin >= genes.front()) ++begin;
    genes = option(dim, begin);
    return kept;
  }
  std::vector<std::uint16_t> dropped;
  for (std::uint16_t gene = 0; gene < space_->dims()[dim].choices.size(); ++gene) {
    if (!std::binary_search(genes.begin(), genes.end(), gene)) dropped.push_back(gene);
  }
  genes[rng.below(genes.size())] = dropped[rng.below(dropped.size())];
  std::sort(genes.begin(), genes.end());
  return kept;
}

KeptGenes SubSpaces::crossed(const KeptGenes& a, const KeptGenes& b, Rng& rng) const {
  KeptGenes kept = a;
  for (const std::size_t dim : movable_) {
    if (rng.chance(0.5)) kept[dim] = b[dim];
  }
  return kept;
}

}  // namespace ridgeline
