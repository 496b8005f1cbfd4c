#include "search/sub_spaces/space_evolution.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <stdexcept>

#include "search/evolution/nsga2.hpp"
#include "search/fronts/population.hpp"
#include "spaces/config_error.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t start_effort = 4;

// {minimised quality, cost}
struct Met {
  double quality, cost;
};

std::uint64_t hash_of(const KeptGenes& kept) {
  Hasher hasher;
  for (const auto& genes : kept) {
    hasher.add(static_cast<std::uint64_t>(genes.size()));
    for (const std::uint16_t gene : genes) hasher.add(std::uint64_t{gene});
  }
  return hasher.value();
}

std::uint16_t nearest(const std::vector<std::uint16_t>& kept, std::uint16_t gene) {
  std::size_t best = 0;
  const auto distance = [&](std::size_t i) { return std::abs(int{kept[i]} - int{gene}); };
  for (std::size_t i = 1; i < kept.size(); ++i) best = distance(i) < distance(best) ? i : best;
  return static_cast<std::uint16_t>(best);
}

class Scorer {
 public:
  Scorer(const SubSpaces& sub_spaces, const PredictedTrials& predicted, const SpaceEvolutionSetup& setup)
      : sub_spaces_(&sub_spaces), predicted_(&predicted), setup_(&setup), targets_(setup.targets) {
    std::sort(targets_.begin(), targets_.end());
    targets_.erase(std::unique(targets_.begin(), targets_.end()), targets_.end());
    begin();
  }

  const std::vector<double>& targets() const { return targets_; }

  // What the front of the starting space uses, and what its best within each target do.
  std::vector<KeptGenes> around_front() const {
    std::vector<Genome> all, best;
    for (const auto& [quality, genome] : front_) all.push_back(genome);
    for (const double target : targets_) {
      const auto beyond = std::ranges::upper_bound(front_costs_, target);
      if (beyond != front_costs_.begin())
        best.push_back(all[static_cast<std::size_t>(beyond - front_costs_.begin()) - 1]);
    }
    return {sub_spaces_->around(all), sub_spaces_->around(best)};
  }

  ScoredSpace start() const { return scored(sub_spaces_->whole(), best_met_, least_cost_); }

  ScoredSpace score(const KeptGenes& kept) {
    std::vector<Met> met;
    const SearchSpace narrowed = start_space().keeping(kept);
    const std::vector<Genome> first = moved(narrowed, kept);
    const std::uint64_t seed = Rng::derive(setup_->seed, "sub-space", hash_of(kept));
    evolve(narrowed, kept, first, seed, setup_->generations, [&](const Genome&, Met one) { met.push_back(one); });
    std::vector<std::optional<double>> best = best_at_targets(met);
    for (std::size_t i = 0; i < best.size(); ++i) improve(best_met_[i], best[i]);
    const double least = least_cost(met);
    least_cost_ = std::min(least_cost_, least);
    return scored(kept, std::move(best), least);
  }

 private:
  const SearchSpace& start_space() const { return sub_spaces_->space(); }

  // The starting space: its front, and the targets where none are given.
  void begin() {
    struct Found {
      Met met;
      Genome genome;
    };
    std::vector<Found> all;
    const std::vector<Genome> first(
        setup_->known.begin(),
        setup_->known.begin() + static_cast<std::ptrdiff_t>(std::min(setup_->known.size(), setup_->candidates / 2)));
    evolve(start_space(), sub_spaces_->whole(), first, Rng::derive(setup_->seed, "starting space", 0),
           start_effort * setup_->generations, [&](const Genome& genome, Met met) {
             all.push_back({met, genome});
           });
    std::stable_sort(all.begin(), all.end(), [](const Found& a, const Found& b) {
      return a.met.cost != b.met.cost ? a.met.cost < b.met.cost : a.met.quality < b.met.quality;
    });
    std::vector<Met> met;
    for (Found& one : all) {
      met.push_back(one.met);
      if (!front_.empty() && one.met.quality >= front_.back().first) continue;
      front_costs_.push_back(one.met.cost);
      front_.emplace_back(one.met.quality, std::move(one.genome));
    }
    if (front_.empty()) {
      throw ConfigError({"", "", "candidates with a predicted cost above 0 that keep every limit", "none",
                         "widen the study's limits, or search longer first"});
    }
    if (targets_.empty()) targets_ = spread_targets(front_costs_, setup_->target_count);
    best_met_ = best_at_targets(met);
    least_cost_ = least_cost(met);
  }

  // The front of the starting space with every gene moved to the nearest that is kept; at most half a generation,
  // spread over the front, so that the other half is new blood.
  std::vector<Genome> moved(const SearchSpace& narrowed, const KeptGenes& kept) const {
    std::vector<Genome> genomes;
    std::set<Genome> seen;
    const std::size_t wanted = std::min(front_.size(), setup_->candidates / 2);
    for (std::size_t i = 0; i < wanted; ++i) {
      const Genome& from = front_[wanted == 1 ? 0 : i * (front_.size() - 1) / (wanted - 1)].second;
      Genome genome;
      for (std::size_t dim = 0; dim < kept.size(); ++dim) genome.genes.push_back(nearest(kept[dim], from.genes[dim]));
      genome = narrowed.normalise(std::move(genome));
      if (!narrowed.violation(genome) && seen.insert(genome).second) genomes.push_back(std::move(genome));
    }
    return genomes;
  }

  // Candidates of the sub-space as predicted trials; `meet` sees every one that may count.
  template <typename Meet>
  std::vector<Trial> judged(const std::vector<Genome>& genomes, const KeptGenes& kept, const Meet& meet) const {
    std::vector<Genome> whole;
    for (const Genome& genome : genomes) whole.push_back(in_whole_space(start_space(), kept, genome));
    std::vector<Trial> trials = (*predicted_)(whole);
    for (std::size_t i = 0; i < trials.size(); ++i) {
      Trial& trial = trials[i];
      trial.genome = genomes[i];
      if (trial.status == Status::ok && !(trial.values[1] > 0.0)) {  // further out than a prediction means anything
        trial.status = Status::failed;
        trial.values.clear();
      }
      if (trial.status == Status::ok) meet(whole[i], Met{trial.values[0], trial.values[1]});
    }
    return trials;
  }

  // NSGA-II on predicted values, begun with `first`. Where chance finds nothing valid these are all there is.
  template <typename Meet>
  void evolve(const SearchSpace& space, const KeptGenes& kept, const std::vector<Genome>& first, std::uint64_t seed,
              std::size_t generations, const Meet& meet) const {
    if (!has_candidates(space, seed)) {
      judged(first, kept, meet);
      return;
    }
    SearcherSetup inner;
    inner.seed = seed;
    inner.objectives = {{"quality", "", Direction::maximise, {}, false}, {"cost", "", Direction::minimise, {}, false}};
    Json genomes = Json::array();
    for (const Genome& genome : first) genomes.push_back(genome.genes);
    inner.options = {{"population", setup_->candidates}, {"offspring", setup_->candidates}, {"begin_with", genomes}};
    const auto searcher = make_nsga2(space, inner);
    for (std::size_t generation = 0; generation <= generations; ++generation) {
      searcher->tell(judged(searcher->ask(setup_->candidates), kept, meet));
    }
  }

  std::vector<std::optional<double>> best_at_targets(const std::vector<Met>& met) const {
    std::vector<std::optional<double>> best(targets_.size());
    for (const Met& one : met) {
      for (std::size_t i = 0; i < targets_.size(); ++i) {
        if (one.cost <= targets_[i]) improve(best[i], natural(one.quality, Direction::maximise));
      }
    }
    return best;
  }

  static double least_cost(const std::vector<Met>& met) {
    double least = std::numeric_limits<double>::infinity();
    for (const Met& one : met) least = std::min(least, one.cost);
    return least;
  }

  static void improve(std::optional<double>& best, const std::optional<double>& quality) {
    if (quality && (!best || *quality > *best)) best = quality;
  }

  ScoredSpace scored(const KeptGenes& kept, std::vector<std::optional<double>> quality, double least) const {
    ScoredSpace space{kept, std::move(quality), 0.0, least};
    for (const auto& one : space.quality) space.score += one.value_or(setup_->worst_quality);
    space.score /= static_cast<double>(space.quality.size());
    return space;
  }

  const SubSpaces* sub_spaces_;
  const PredictedTrials* predicted_;
  const SpaceEvolutionSetup* setup_;
  std::vector<double> targets_;
  std::vector<std::pair<double, Genome>> front_;  // of the starting space, by cost: minimised quality, candidate
  std::vector<double> front_costs_;               // of its members, ascending
  std::vector<std::optional<double>> best_met_;   // at each target, in the starting space and every sub-space
  double least_cost_ = 0.0;                       // there too
};

// Where nothing meets a target all scores are alike: what is nearer to meeting one leads there.
bool better(const ScoredSpace& a, const ScoredSpace& b) {
  return a.score != b.score ? a.score > b.score : a.least_cost < b.least_cost;
}

// Which sub-space is scored next: those to begin with, random ones until there is a population, and then children.
class Aging {
 public:
  Aging(const SubSpaces& sub_spaces, const SpaceEvolutionSetup& setup, std::vector<KeptGenes> first)
      : sub_spaces_(&sub_spaces), setup_(&setup), first_(std::move(first)), rng_(setup.seed, "space evolution") {
    std::ranges::reverse(first_);
  }

  KeptGenes next(const std::vector<ScoredSpace>& scored) {
    while (!first_.empty()) {
      KeptGenes one = std::move(first_.back());
      first_.pop_back();
      if (seen_.insert(one).second) return one;
    }
    constexpr int attempts = 32;  // at a child that is new, before chance decides
    for (int i = 0; i < attempts && scored.size() >= setup_->population; ++i) {
      KeptGenes child = scored[parent(scored)].kept;
      if (rng_.chance(setup_->crossover)) child = sub_spaces_->crossed(child, scored[parent(scored)].kept, rng_);
      child = sub_spaces_->mutated(std::move(child), rng_);
      if (seen_.insert(child).second) return child;
    }
    while (true) {  // ends: there are more sub-spaces than are scored
      KeptGenes drawn = sub_spaces_->random(rng_);
      if (seen_.insert(drawn).second) return drawn;
    }
  }

 private:
  // The best of a tournament among the latest, which are the population: the oldest dies with every birth.
  std::size_t parent(const std::vector<ScoredSpace>& scored) {
    const std::size_t oldest = scored.size() - setup_->population;
    std::size_t best = oldest + rng_.below(setup_->population);
    for (std::size_t i = 1; i < setup_->tournament; ++i) {
      const std::size_t other = oldest + rng_.below(setup_->population);
      if (better(scored[other], scored[best])) best = other;
    }
    return best;
  }

  const SubSpaces* sub_spaces_;
  const SpaceEvolutionSetup* setup_;
  std::vector<KeptGenes> first_;  // the next one last
  Rng rng_;
  std::set<KeptGenes> seen_;
};

void check(const SpaceEvolutionSetup& setup) {
  const bool targets = std::ranges::all_of(setup.targets, [](double t) { return std::isfinite(t) && t > 0.0; });
  if (setup.spaces < 1 || setup.population < 1 || setup.tournament < 1 || setup.candidates < 2 || !targets ||
      (setup.targets.empty() && setup.target_count < 1) || !std::isfinite(setup.worst_quality)) {
    throw std::invalid_argument("evolve_space: a setup out of range");
  }
}

}  // namespace

std::vector<double> spread_targets(std::span<const double> front_costs, std::size_t count) {
  const auto [least, greatest] = std::minmax_element(front_costs.begin(), front_costs.end());
  if (!(*least < *greatest)) return {*greatest};
  const double begin = std::log(*least), end = std::log(*greatest);
  std::vector<double> targets;
  for (std::size_t i = 1; i < count; ++i) {
    targets.push_back(std::exp(begin + static_cast<double>(i) / static_cast<double>(count) * (end - begin)));
  }
  targets.push_back(*greatest);
  return targets;
}

SpaceEvolution evolve_space(const SubSpaces& sub_spaces, const PredictedTrials& predicted,
                            const SpaceEvolutionSetup& setup) {
  check(setup);
  SpaceEvolution result;
  result.sub_spaces = sub_spaces.count();
  const bool all = result.sub_spaces <= static_cast<double>(setup.spaces);
  const std::size_t total = all ? static_cast<std::size_t>(result.sub_spaces) : setup.spaces;
  if (setup.progress) setup.progress(0, total);
  Scorer scorer(sub_spaces, predicted, setup);
  Aging aging(sub_spaces, setup, scorer.around_front());
  while (result.scored.size() < total) {
    result.scored.push_back(scorer.score(all ? sub_spaces.at(result.scored.size()) : aging.next(result.scored)));
    if (setup.progress) setup.progress(result.scored.size(), total);
  }
  result.targets = scorer.targets();
  result.start = scorer.start();
  std::stable_sort(result.scored.begin(), result.scored.end(), better);
  const bool met = std::ranges::any_of(result.scored, [](const ScoredSpace& one) {
    return std::ranges::any_of(one.quality, [](const auto& quality) { return quality.has_value(); });
  });
  if (met) return result;
  throw ConfigError({"--target", "", "a cost that a candidate of some sub-space is predicted to keep",
                     fmt::format("at most {:.4g}", result.targets.back()), "give a higher one, or keep more choices"});
}

}  // namespace ridgeline
