#include "search/evolution/variation.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace ridgeline {
namespace {

bool all(const std::vector<bool>& active) { return std::find(active.begin(), active.end(), false) == active.end(); }

// Gene k becomes that of `other` where bit k is set; at most 64. Without branches, eight genes at a time.
void take_where(std::uint64_t bits, std::span<const std::uint16_t> other, std::uint16_t* genes) {
  static constexpr std::array<std::uint16_t, 8> bit = {1, 2, 4, 8, 16, 32, 64, 128};
  std::size_t i = 0;
  for (; i + 8 <= other.size(); i += 8, bits >>= 8) {
    const auto byte = static_cast<std::uint16_t>(bits & 0xff);
    for (std::size_t k = 0; k < 8; ++k) {
      const auto keep = static_cast<std::uint16_t>((byte & bit[k]) == 0 ? 0xffff : 0);
      genes[i + k] = static_cast<std::uint16_t>(other[i + k] ^ ((other[i + k] ^ genes[i + k]) & keep));
    }
  }
  for (; i < other.size(); ++i, bits >>= 1) {
    if ((bits & 1) != 0) genes[i] = other[i];
  }
}

}  // namespace

Variation::Variation(const SearchSpace& space) : space_(&space), unconditional_(space.unconditional()) {
  for (const Dimension& dimension : space.dims())
    choices_.push_back(static_cast<std::uint32_t>(dimension.choices.size()));
  known_.resize(choices_.size());
}

std::vector<Move> Variation::moves(const Genome& genome) const {
  const std::vector<bool> active = space_->active(genome);
  std::vector<Move> moves;
  for (std::uint32_t dim = 0; dim < choices_.size(); ++dim) {
    if (!active[dim]) continue;
    for (std::uint32_t choice = 0; choice < choices_[dim]; ++choice) {
      if (choice != genome.genes[dim]) moves.push_back({dim, static_cast<std::uint16_t>(choice)});
    }
  }
  return moves;
}

std::vector<std::uint8_t> Variation::activity(const Genome& genome) const {
  if (unconditional_) return {};
  const std::vector<bool> active = space_->active(genome);
  if (all(active)) return {};
  return {active.begin(), active.end()};
}

std::optional<Genome> Variation::apply(const Genome& genome, Move move, Rng& rng) {
  const std::vector<bool> active = space_->active(genome);
  std::copy(active.begin(), active.end(), known_.begin());
  Genome made = genome;
  made.genes[move.dim] = move.choice;
  if (!settle(made, all(active), rng)) return std::nullopt;
  return made;
}

std::optional<Genome> Variation::mutate_one(const Genome& genome, Rng& rng) {
  const std::vector<bool> active = space_->active(genome);
  std::uint64_t changeable = 0;
  for (std::size_t dim = 0; dim < choices_.size(); ++dim) changeable += active[dim] && choices_[dim] > 1 ? 1U : 0U;
  if (changeable == 0) return std::nullopt;
  std::uint64_t left = rng.below(changeable);
  std::size_t dim = 0;
  for (;; ++dim) {
    if (active[dim] && choices_[dim] > 1 && left-- == 0) break;
  }
  return apply(genome, {static_cast<std::uint32_t>(dim), other_choice(dim, genome.genes[dim], rng)}, rng);
}

std::optional<Genome> Variation::breed(Parent a, Parent b, double rate, Rng& rng) {
  const std::size_t dims = choices_.size();
  const bool all_known = a.active.empty() && b.active.empty();
  Genome made;
  made.genes.assign(a.genes.begin(), a.genes.end());
  if (!all_known) {
    std::fill(known_.begin(), known_.end(), std::uint8_t{1});
    std::copy(a.active.begin(), a.active.end(), known_.begin());
  }
  for (std::size_t i = 0; i < dims && !b.genes.empty(); i += 64) {
    const std::uint64_t bits = rng.next();
    const std::size_t count = std::min<std::size_t>(64, dims - i);
    take_where(bits, b.genes.subspan(i, count), made.genes.data() + i);
    for (std::size_t k = 0; k < count && !all_known; ++k) {
      if ((bits >> k & 1) != 0) known_[i + k] = b.active.empty() ? std::uint8_t{1} : b.active[i + k];
    }
  }
  mutate(made, rate, rng);
  if (!settle(made, all_known, rng)) return std::nullopt;
  return made;
}

std::optional<Genome> Variation::breed(const Genome& a, const Genome& b, double rate, Rng& rng) {
  const std::vector<std::uint8_t> active = activity(a), other = activity(b);
  return breed({a.genes, active}, {b.genes, other}, rate, rng);
}

std::uint16_t Variation::other_choice(std::size_t dim, std::uint16_t now, Rng& rng) const {
  const std::uint64_t draw = rng.below(choices_[dim] - 1);
  return static_cast<std::uint16_t>(draw >= now ? draw + 1 : draw);
}

// Half a word a gene, so that the cost is one draw for two genes, and no logarithm: the same on every machine.
void Variation::mutate(Genome& genome, double rate, Rng& rng) const {
  const double chance = std::min(1.0, rate / static_cast<double>(choices_.size()));
  const auto threshold = static_cast<std::uint64_t>(chance * 0x1.0p32);
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < genome.genes.size(); ++i, word >>= 32) {
    if (i % 2 == 0) word = rng.next();
    if ((word & 0xffffffffULL) < threshold && choices_[i] > 1) {
      genome.genes[i] = other_choice(i, genome.genes[i], rng);
    }
  }
}

bool Variation::settle(Genome& genome, bool all_known, Rng& rng) {
  if (unconditional_) return true;  // the genes are choices, as those of the parents are
  std::vector<bool> active = space_->active(genome);
  if (!all_known) {
    for (bool changed = true; changed;) {  // ends: each round makes one more gene known
      changed = false;
      for (std::size_t i = 0; i < choices_.size(); ++i) {
        if (!active[i] || known_[i] != 0) continue;
        known_[i] = 1;
        genome.genes[i] = static_cast<std::uint16_t>(rng.below(choices_[i]));
        changed = true;
      }
      if (changed) active = space_->active(genome);
    }
  }
  if (!all(active)) genome = space_->normalise(std::move(genome));
  return !space_->violation(genome);
}

}  // namespace ridgeline
