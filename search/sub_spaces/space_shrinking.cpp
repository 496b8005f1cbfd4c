#include "search/sub_spaces/space_shrinking.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <set>
#include <stdexcept>

#include "search/fronts/population.hpp"
#include "search/fronts/ranking.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t most_draws = 4;  // for each candidate that is wanted

// Candidates, each once, with what is predicted of them.
class Judged {
 public:
  std::size_t add(Genome genome) {
    const auto [place, fresh] = places_.try_emplace(std::move(genome), genomes_.size());
    if (fresh) genomes_.push_back(place->first);
    return place->second;
  }
  void predict(const PredictedTrials& predicted) {
    const std::span<const Genome> fresh = std::span(genomes_).subspan(trials_.size());
    if (fresh.empty()) return;
    std::vector<Trial> trials = predicted(fresh);
    for (std::size_t i = 0; i < trials.size(); ++i) {
      trials[i].genome = fresh[i];
      trials_.push_back(std::move(trials[i]));
    }
  }
  const std::vector<Genome>& genomes() const { return genomes_; }
  const std::vector<Trial>& trials() const { return trials_; }

 private:
  std::map<Genome, std::size_t> places_;
  std::vector<Genome> genomes_;
  std::vector<Trial> trials_;
};

// The place of each in a ranking of all, from 1 for the best to 0 for the worst: candidates of one front share the
// middle of theirs, and what has no values comes last.
std::vector<double> merits(const SearchSpace& space, const std::vector<Objective>& objectives,
                           const std::vector<Trial>& trials) {
  SearcherSetup setup;
  setup.objectives = objectives;
  Population population(space, setup);
  std::map<std::pair<double, std::vector<double>>, std::size_t> members;  // equal values are one member
  std::vector<std::optional<std::size_t>> member_of(trials.size());
  std::vector<std::size_t> copies;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    if (!trials[i].has_values()) continue;
    std::vector<double> values;
    for (std::size_t k = 0; k < objectives.size(); ++k) {
      if (!objectives[k].constraint_only) values.push_back(trials[i].values[k]);
    }
    const auto [at, fresh] = members.try_emplace({trials[i].violation, std::move(values)}, population.size());
    if (fresh && !population.add(trials[i])) {
      members.erase(at);
      continue;
    }
    if (fresh) copies.push_back(0);
    member_of[i] = at->second;
    ++copies[at->second];
  }
  std::vector<double> merit(trials.size(), 0.0);
  if (population.empty()) return merit;
  Ranking ranking;
  ranking.update(population, population.size());
  std::vector<double> places(population.size());
  double before = 0.0;
  for (std::size_t front = 0; front < ranking.fronts(); ++front) {
    double size = 0.0;
    for (const std::uint32_t member : ranking.front(front)) size += static_cast<double>(copies[member]);
    for (const std::uint32_t member : ranking.front(front)) places[member] = before + (size - 1.0) / 2.0;
    before += size;
  }
  const double last = static_cast<double>(std::max<std::size_t>(trials.size(), 2) - 1);
  for (std::size_t i = 0; i < trials.size(); ++i) {
    if (member_of[i]) merit[i] = 1.0 - places[*member_of[i]] / last;
  }
  return merit;
}

// Distances of predicted values, each over its standard deviation among the first `count`, those that were drawn.
class Distances {
 public:
  Distances(const std::vector<Objective>& objectives, const std::vector<Trial>& trials, std::size_t count)
      : trials_(trials) {
    for (std::size_t k = 0; k < objectives.size(); ++k) {
      if (objectives[k].constraint_only) continue;
      double n = 0.0, sum = 0.0, squares = 0.0;
      for (std::size_t i = 0; i < count; ++i) {
        if (!trials[i].has_values()) continue;
        n += 1.0;
        sum += trials[i].values[k];
      }
      for (std::size_t i = 0; i < count; ++i) {
        if (trials[i].has_values()) squares += std::pow(trials[i].values[k] - sum / n, 2);
      }
      if (squares > 0.0) scales_.emplace_back(k, std::sqrt(squares / n));
    }
  }
  double operator()(std::size_t a, std::size_t b) const {
    if (!trials_[a].has_values() || !trials_[b].has_values()) return 0.0;
    double sum = 0.0;
    for (const auto& [k, deviation] : scales_) {
      sum += std::pow((trials_[a].values[k] - trials_[b].values[k]) / deviation, 2);
    }
    return std::sqrt(sum);
  }

 private:
  const std::vector<Trial>& trials_;
  std::vector<std::pair<std::size_t, double>> scales_;  // objective, standard deviation
};

bool lies_in(const SearchSpace& space, const KeptGenes& kept, const Genome& genome) {
  const std::vector<bool> active = space.active(genome);
  for (std::size_t dim = 0; dim < kept.size(); ++dim) {
    if (active[dim] && !std::ranges::binary_search(kept[dim], genome.genes[dim])) return false;
  }
  return true;
}

// Candidates of the sub-space: known ones, and what is drawn.
void draw(const SearchSpace& space, const KeptGenes& kept, const SpaceShrinkingSetup& setup, Judged& judged) {
  for (const Genome& genome : setup.known) {
    if (lies_in(space, kept, genome)) judged.add(space.normalise(genome));
  }
  std::uint64_t left = 0;
  for (const auto& genes : kept) left += genes.size();
  const SearchSpace narrowed = space.keeping(kept);
  Rng rng(setup.seed, "space shrinking", left);
  const std::size_t wanted = judged.genomes().size() + setup.candidates;
  for (std::size_t i = 0; i < most_draws * setup.candidates && judged.genomes().size() < wanted; ++i) {
    judged.add(in_whole_space(space, kept, narrowed.sample(rng)));
  }
}

// A context, with every choice of a dimension in turn: places in Judged, none where that is not valid.
struct Exchange {
  std::size_t dim;
  std::vector<std::optional<std::size_t>> with;  // one a kept gene
};

std::vector<Exchange> exchanges(const SearchSpace& space, const KeptGenes& kept, const SpaceShrinkingSetup& setup,
                                std::span<const std::size_t> best_first, Judged& judged) {
  std::vector<Exchange> made;
  for (std::size_t dim = 0; dim < kept.size(); ++dim) {
    if (kept[dim].size() <= setup.least) continue;
    std::set<Genome> seen;  // contexts that differ in this dimension alone are one
    for (const std::size_t i : best_first) {
      if (seen.size() >= setup.contexts) break;
      Genome context = judged.genomes()[i];
      const std::vector<bool> active = space.active(context);
      if (!active[dim]) continue;
      // Where another choice makes a dimension matter, it has its first one that is left.
      for (std::size_t other = 0; other < kept.size(); ++other) {
        if (!active[other]) context.genes[other] = kept[other].front();
      }
      Exchange exchange{dim, {}};
      std::optional<Genome> first;
      for (const std::uint16_t gene : kept[dim]) {
        Genome genome = context;
        genome.genes[dim] = gene;
        genome = space.normalise(std::move(genome));
        const bool valid = !space.violation(genome) && lies_in(space, kept, genome);
        if (!first) first = genome;
        exchange.with.push_back(valid ? std::optional(judged.add(std::move(genome))) : std::nullopt);
      }
      if (seen.insert(*first).second) made.push_back(std::move(exchange));
    }
  }
  return made;
}

// Sums over the exchanges of one dimension, by kept gene.
struct Sums {
  std::vector<double> quality, times, distance, pairs;
  explicit Sums(std::size_t n) : quality(n), times(n), distance(n), pairs(n) {}
};

void check(const SpaceShrinkingSetup& setup) {
  if (setup.rounds < 1 || setup.candidates < 2 || setup.contexts < 1 || setup.least < 1 ||
      !(setup.diversity >= 0.0 && setup.diversity <= 1.0)) {
    throw std::invalid_argument("shrink_space: a setup out of range");
  }
}

double log10_of(const SearchSpace& space, const KeptGenes& kept) { return space.keeping(kept).log10_size(); }

// Drops the lowest, at most one of a dimension, until the size is reached; false: nothing could be dropped.
bool pass(const SearchSpace& space, const PredictedTrials& predicted, const SpaceShrinkingSetup& setup, double target,
          KeptGenes& kept, ShrinkingRound& round) {
  std::vector<ScoredChoice> scores = choice_scores(space, kept, predicted, setup);
  std::ranges::stable_sort(scores, {}, &ScoredChoice::score);
  std::set<std::size_t> changed;
  for (const ScoredChoice& one : scores) {
    if (round.log10_after <= target) break;
    if (changed.contains(one.dim) || kept[one.dim].size() <= setup.least) continue;
    KeptGenes fewer = kept;
    std::erase(fewer[one.dim], one.gene);
    if (!has_candidates(space.keeping(fewer), setup.seed)) continue;
    kept = std::move(fewer);
    changed.insert(one.dim);
    round.dropped.push_back(one);
    round.log10_after = log10_of(space, kept);
  }
  return !changed.empty();
}

}  // namespace

std::vector<ScoredChoice> choice_scores(const SearchSpace& space, const KeptGenes& kept,
                                        const PredictedTrials& predicted, const SpaceShrinkingSetup& setup) {
  Judged judged;
  draw(space, kept, setup, judged);
  judged.predict(predicted);
  const std::size_t drawn = judged.genomes().size();
  std::vector<std::size_t> best_first(drawn);
  std::iota(best_first.begin(), best_first.end(), std::size_t{0});
  const std::vector<double> first = merits(space, setup.objectives, judged.trials());
  std::ranges::stable_sort(best_first, std::greater{}, [&](std::size_t i) { return first[i]; });
  const std::vector<Exchange> all = exchanges(space, kept, setup, best_first, judged);
  judged.predict(predicted);
  const std::vector<double> merit = merits(space, setup.objectives, judged.trials());
  const Distances distance(setup.objectives, judged.trials(), drawn);
  std::map<std::size_t, Sums> sums;
  for (const Exchange& one : all) {
    Sums& sum = sums.try_emplace(one.dim, one.with.size()).first->second;
    for (std::size_t a = 0; a < one.with.size(); ++a) {
      if (!one.with[a]) continue;
      sum.quality[a] += merit[*one.with[a]];
      sum.times[a] += 1.0;
      for (std::size_t b = 0; b < one.with.size(); ++b) {
        if (a == b || !one.with[b]) continue;
        sum.distance[a] += distance(*one.with[a], *one.with[b]);
        sum.pairs[a] += 1.0;
      }
    }
  }
  std::vector<ScoredChoice> scores;
  double largest = 0.0;
  for (const auto& [dim, sum] : sums) {
    for (std::size_t a = 0; a < sum.times.size(); ++a) {
      ScoredChoice scored{dim, kept[dim][a], 0, 0, 0};  // valid in no context: nothing speaks for it
      if (sum.times[a] > 0.0) scored.quality = sum.quality[a] / sum.times[a];
      if (sum.pairs[a] > 0.0) scored.diversity = sum.distance[a] / sum.pairs[a];
      largest = std::max(largest, scored.diversity);
      scores.push_back(scored);
    }
  }
  for (ScoredChoice& one : scores) {
    if (largest > 0.0) one.diversity /= largest;
    one.score = (1.0 - setup.diversity) * one.quality + setup.diversity * one.diversity;
  }
  return scores;
}

SpaceShrinking shrink_space(const SearchSpace& space, const PredictedTrials& predicted,
                            const SpaceShrinkingSetup& setup) {
  check(setup);
  SpaceShrinking shrinking;
  for (const Dimension& dimension : space.dims()) {
    shrinking.kept.emplace_back(dimension.choices.size());
    std::iota(shrinking.kept.back().begin(), shrinking.kept.back().end(), std::uint16_t{0});
  }
  const double whole = space.log10_size(), end = setup.log10_size.value_or(whole / 2);
  if (!(end >= 0.0 && end < whole)) {
    throw ConfigError({"--to", "", fmt::format("a size between 0 and that of the space, {:.2f}", whole),
                       fmt::format("{:.4g}", end), "it is the log10 of the number of candidates"});
  }
  if (setup.progress) setup.progress(0, setup.rounds);
  for (std::size_t r = 0; r < setup.rounds; ++r) {
    ShrinkingRound round;
    round.log10_before = round.log10_after = log10_of(space, shrinking.kept);
    const double share = static_cast<double>(r + 1) / static_cast<double>(setup.rounds);
    const double target = whole + share * (end - whole) + 1e-9;
    while (round.log10_after > target && pass(space, predicted, setup, target, shrinking.kept, round)) {
    }
    shrinking.reached = round.log10_after <= end + 1e-9;
    shrinking.rounds.push_back(std::move(round));
    if (setup.progress) setup.progress(r + 1, setup.rounds);
  }
  return shrinking;
}

}  // namespace ridgeline
