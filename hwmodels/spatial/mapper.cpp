#include "hwmodels/spatial/mapper.hpp"

#include <algorithm>

#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

// A list of loops of a mapping: of a level, in time or in space.
struct Place {
  std::size_t level = 0;
  bool spatial = false;
  std::vector<Loop>& in(Mapping& mapping) const { return spatial ? mapping[level].spatial : mapping[level].temporal; }
};

// Takes a factor of one loop to another place; or, with factor 0, a loop to an end of its own place.
struct Move {
  Place from{}, to{};
  LoopDimension dimension = LoopDimension::n;
  std::int64_t factor = 0;
  bool inwards = true;  // a loop that is new in its place becomes its innermost
};

void apply(const Move& move, Mapping& mapping) {
  std::vector<Loop>& from = move.from.in(mapping);
  const auto loop = std::ranges::find(from, move.dimension, &Loop::dimension);
  if (move.factor == 0) {
    const Loop moved = *loop;
    from.erase(loop);
    from.insert(move.inwards ? from.end() : from.begin(), moved);
    return;
  }
  loop->extent /= move.factor;
  if (loop->extent == 1) from.erase(loop);
  std::vector<Loop>& to = move.to.in(mapping);
  const auto there = std::ranges::find(to, move.dimension, &Loop::dimension);
  if (there != to.end()) {
    there->extent *= move.factor;
  } else {
    to.insert(move.inwards ? to.end() : to.begin(), Loop{move.dimension, move.factor});
  }
}

// In order, each as often as it divides.
std::vector<std::int64_t> prime_factors(std::int64_t number) {
  std::vector<std::int64_t> primes;
  for (std::int64_t prime = 2; prime * prime <= number; ++prime) {
    for (; number % prime == 0; number /= prime) primes.push_back(prime);
  }
  if (number > 1) primes.push_back(number);
  return primes;
}

std::vector<Place> places_of(const SpatialArchitecture& architecture) {
  std::vector<Place> places;
  for (std::size_t l = 0; l < architecture.levels.size(); ++l) {
    places.push_back({l, false});
    if (architecture.levels[l].fan_out > 1) places.push_back({l, true});
  }
  return places;
}

class MappingSearch {
 public:
  MappingSearch(const LoopWorkload& workload, const SpatialArchitecture& architecture, const MapperOptions& options)
      : workload_(workload),
        architecture_(architecture),
        options_(options),
        places_(places_of(architecture)),
        rng_(options.seed, "mapping", 0) {}

  std::optional<FoundMapping> run(const Mapping* given) {
    constexpr double anew = 0.4;
    if (given != nullptr) descend(*given);
    descend(outermost());
    while (best_ && left() > 0) {
      if (rng_.chance(anew)) {
        descend(filled());
      } else if (!jump()) {
        break;
      }
    }
    if (best_) best_->evaluations = evaluations_;
    return std::move(best_);
  }

 private:
  std::int64_t left() const { return options_.evaluations - evaluations_; }

  std::pair<double, double> value(const NestCost& cost) const {
    switch (options_.goal) {
      case MappingGoal::cycles:
        return {cost.cycles, cost.energy_pj};
      case MappingGoal::energy:
        return {cost.energy_pj, cost.cycles};
      default:
        return {cost.energy_pj * cost.cycles, cost.energy_pj};
    }
  }

  std::optional<NestCost> cost_of(const Mapping& mapping) {
    ++evaluations_;
    if (!misfit(workload_, architecture_, mapping).empty()) return std::nullopt;
    return evaluate(workload_, architecture_, mapping);
  }

  std::vector<Move> moves_from(Mapping& mapping) const {
    std::vector<Move> moves;
    for (const Place& from : places_) {
      const std::vector<Loop>& loops = from.in(mapping);
      for (const Loop& loop : loops) {
        if (!from.spatial && loop != loops.back()) moves.push_back({from, from, loop.dimension, 0, true});
        if (!from.spatial && loop != loops.front()) moves.push_back({from, from, loop.dimension, 0, false});
        std::int64_t last = 0;
        for (const std::int64_t prime : prime_factors(loop.extent)) {
          if (prime != last) add_moves_of(prime, loop, from, mapping, moves);
          last = prime;
        }
      }
    }
    return moves;
  }

  void add_moves_of(std::int64_t prime, const Loop& loop, const Place& from, Mapping& mapping,
                    std::vector<Move>& moves) const {
    for (const Place& to : places_) {
      if (to.level == from.level && to.spatial == from.spatial) continue;
      moves.push_back({from, to, loop.dimension, prime, true});
      const std::vector<Loop>& there = to.in(mapping);
      const bool known = std::ranges::find(there, loop.dimension, &Loop::dimension) != there.end();
      if (!known && !to.spatial && !there.empty()) moves.push_back({from, to, loop.dimension, prime, false});
    }
  }

  Mapping outermost() const {
    Mapping mapping(architecture_.levels.size());
    for (std::size_t d = 0; d < loop_dimensions; ++d) {
      if (workload_.extent[d] > 1) mapping[0].temporal.push_back({static_cast<LoopDimension>(d), workload_.extent[d]});
    }
    return mapping;
  }

  // The arrays and a random half of the inner memories, in random order, take loops from the outermost level, one after
  // the other in random order, as far as it fits: from a full place no single move leads to another full one.
  Mapping filled() {
    Mapping mapping = outermost();
    std::vector<Place> places;
    for (const Place& place : places_) {
      if (place.spatial || (place.level > 0 && rng_.chance(0.5))) places.push_back(place);
    }
    rng_.shuffle(std::span(places));
    for (const Place& place : places) fill(place, mapping);
    return mapping;
  }

  void fill(const Place& place, Mapping& mapping) {
    std::vector<Loop> loops = mapping[0].temporal;
    rng_.shuffle(std::span(loops));
    for (const Loop& loop : loops) {
      std::vector<std::int64_t> primes = prime_factors(loop.extent);
      rng_.shuffle(std::span(primes));
      for (const std::int64_t prime : primes) {
        Mapping next = mapping;
        apply({{0, false}, place, loop.dimension, prime, rng_.chance(0.5)}, next);
        if (misfit(workload_, architecture_, next).empty()) mapping = std::move(next);
      }
    }
  }

  // Begins again some random moves away from the best. False: there are no moves.
  bool jump() {
    constexpr int moves_away = 4;
    Mapping begin = best_->mapping;
    for (int i = 0; i < moves_away; ++i) {
      const std::vector<Move> moves = moves_from(begin);
      if (moves.empty()) return false;
      apply(moves[static_cast<std::size_t>(rng_.below(moves.size()))], begin);
    }
    descend(std::move(begin));
    return true;
  }

  // First improvement over all moves in random order, until there is none.
  void descend(Mapping at) {
    std::optional<NestCost> cost = cost_of(at);
    if (!cost) return;
    bool better = true;
    while (better && left() > 0) {
      better = false;
      std::vector<Move> moves = moves_from(at);
      rng_.shuffle(std::span(moves));
      for (const Move& move : moves) {
        if (left() <= 0) break;
        Mapping next = at;
        apply(move, next);
        const std::optional<NestCost> moved = cost_of(next);
        if (!moved || value(*moved) >= value(*cost)) continue;
        at = std::move(next);
        cost = moved;
        better = true;
        break;
      }
    }
    if (!best_ || value(*cost) < value(best_->cost)) best_ = FoundMapping{std::move(at), std::move(*cost), 0};
  }

  const LoopWorkload& workload_;
  const SpatialArchitecture& architecture_;
  const MapperOptions& options_;
  std::vector<Place> places_;
  Rng rng_;
  std::int64_t evaluations_ = 0;
  std::optional<FoundMapping> best_;
};

}  // namespace

std::span<const std::string> mapping_goal_names() {
  static const std::vector<std::string> names{"energy-delay", "energy", "cycles"};
  return names;
}

std::optional<FoundMapping> find_mapping(const LoopWorkload& workload, const SpatialArchitecture& architecture,
                                         const MapperOptions& options, const Mapping* given) {
  return MappingSearch(workload, architecture, options).run(given);
}

}  // namespace ridgeline
