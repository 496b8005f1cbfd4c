#include "kernels/training/sandwich.hpp"

#include <algorithm>
#include <set>

#include "kernels/training/shared_parameters.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

constexpr int most_draws = 1000;

std::string declared_name(const Dimension& dimension) { return dimension.name.substr(0, dimension.name.find('[')); }

bool is_open(const Dimension& dimension, const SandwichOptions& options) {
  if (dimension.group == GeneGroup::precision) return options.precision;
  if (dimension.group != GeneGroup::architecture) return false;
  return options.all_open || !has_ends(dimension) || std::ranges::count(options.open, declared_name(dimension)) > 0;
}

// `base` with open dimensions drawn anew (`only_endless`: of those, the ones without a largest choice).
Genome drawn(const SearchSpace& space, const SandwichOptions& options, const Genome& base, bool only_endless,
             Rng& rng) {
  Genome genome;
  for (int draw = 0; draw < most_draws; ++draw) {
    genome = base;
    for (std::size_t i = 0; i < genome.genes.size(); ++i) {
      const Dimension& dimension = space.dims()[i];
      if (!is_open(dimension, options) || (only_endless && has_ends(dimension))) continue;
      genome.genes[i] = static_cast<std::uint16_t>(rng.below(dimension.choices.size()));
    }
    genome = space.normalise(std::move(genome));
    if (!space.violation(genome)) return genome;
  }
  return space.sample(rng);
}

}  // namespace

void check_names(const SearchSpace& space, const SandwichOptions& options) {
  std::set<std::string> known;
  for (const Dimension& dimension : space.dims()) {
    if (dimension.group == GeneGroup::architecture) known.insert(declared_name(dimension));
  }
  for (const std::string& name : options.open) {
    if (known.contains(name)) continue;
    throw ConfigError(Problem{"space '" + space.name() + "'", "", "the name of a dimension", "'" + name + "'",
                              known_words(name, std::vector<std::string>(known.begin(), known.end()))});
  }
}

std::vector<Genome> sandwich(const SearchSpace& space, const SandwichOptions& options, std::uint64_t seed,
                             std::uint64_t number) {
  Rng rng(seed, "sandwich", number);
  const Genome largest = largest_genome(space);
  const Genome smallest = smallest_genome(space);
  Genome least = largest;
  for (std::size_t i = 0; i < least.genes.size(); ++i) {
    if (is_open(space.dims()[i], options)) least.genes[i] = smallest.genes[i];
  }
  std::vector<Genome> candidates;
  for (std::size_t i = 0; i < options.candidates; ++i) {
    const bool end = options.ends && i < 2;
    Genome genome = drawn(space, options, end && i == 1 ? least : largest, end, rng);
    if (std::ranges::count(candidates, genome) == 0) candidates.push_back(std::move(genome));
  }
  return candidates;
}

}  // namespace ridgeline
