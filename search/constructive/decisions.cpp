#include "search/constructive/decisions.hpp"

#include <numeric>

namespace ridgeline {
namespace {

constexpr int attempts = 12;     // at a valid completion by choice
constexpr int most_tried = 600;  // completions in random order

}  // namespace

Decisions::Decisions(const SearchSpace& space) : space_(&space) {
  const std::size_t dims = space.dims().size();
  std::vector<bool> placed(dims, false);
  const std::function<void(std::uint32_t)> place = [&](std::uint32_t dimension) {
    if (placed[dimension]) return;
    placed[dimension] = true;
    const auto reads = space.condition_reads(dimension);
    conditional_ = conditional_ || !reads.empty();
    for (const std::uint32_t read : reads) place(read);
    order_.push_back(dimension);
  };
  for (std::uint32_t i = 0; i < dims; ++i) place(i);
}

std::size_t Decisions::choices(const Genome& prefix, std::size_t place) const {
  const std::uint32_t dimension = order_[place];
  const std::size_t all = space_->dims()[dimension].choices.size();
  if (all == 1 || space_->condition_reads(dimension).empty()) return all;
  try {
    return space_->active(prefix)[dimension] ? all : 1;
  } catch (const ConfigError&) {  // a later condition has no value for this prefix; its own dimension decides nothing
    return all;
  }
}

std::size_t Decisions::next_open(const Genome& prefix, std::size_t place) const {
  while (place < size() && choices(prefix, place) == 1) ++place;
  return place;
}

Decisions::Outcome Decisions::complete(Genome& genome, std::size_t place, const Choose& choose, Rng& rng) const {
  const Genome prefix = genome;
  for (int i = 0; i < attempts; ++i) {
    genome = prefix;
    for (std::size_t at = place; at < size(); ++at) {
      if (choices(genome, at) > 1) genome.genes[order_[at]] = choose(order_[at]);
    }
    if (conditional_) genome = space_->normalise(std::move(genome));
    if (!space_->violation(genome)) return Outcome::found;
    if (next_open(prefix, place) == size()) break;  // there is no other
  }
  genome = prefix;
  int left = most_tried;
  if (search(genome, place, left, rng)) return Outcome::found;  // normalised: inactive places were passed over
  genome = prefix;
  return left > 0 ? Outcome::impossible : Outcome::given_up;
}

// Depth first, every choice of a place in random order; `left` whole candidates may still be looked at.
bool Decisions::search(Genome& genome, std::size_t place, int& left, Rng& rng) const {
  place = next_open(genome, place);
  if (place == size()) return left-- > 0 && !space_->violation(genome);
  std::vector<std::uint16_t> choices_here(choices(genome, place));
  std::iota(choices_here.begin(), choices_here.end(), std::uint16_t{0});
  rng.shuffle(std::span(choices_here));
  for (const std::uint16_t choice : choices_here) {
    genome.genes[order_[place]] = choice;
    if (search(genome, place + 1, left, rng)) return true;
    if (left <= 0) return false;
  }
  genome.genes[order_[place]] = 0;
  return false;
}

}  // namespace ridgeline
