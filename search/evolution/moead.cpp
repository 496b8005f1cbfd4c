#include "search/evolution/moead.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <unordered_map>

#include "search/blocks.hpp"
#include "search/evolution/variation.hpp"
#include "search/fronts/point_tree.hpp"
#include "search/fronts/population.hpp"
#include "search/fronts/ranking.hpp"
#include "search/fronts/reference_directions.hpp"
#include "search/searcher_base.hpp"

namespace ridgeline {
namespace {

constexpr int attempts = 16;  // at a child that is valid and no member, before any valid one will do

constexpr std::int64_t few = 1000;  // up to which all subproblems and members are looked at

bool many_subproblems(const SearcherSetup& setup) {
  const auto option = setup.options.find("population");
  return option != setup.options.end() && option->is_number_integer() && option->get<std::int64_t>() > few;
}

// The least and the greatest of numbers that change one at a time: a tree of the extremes of halves.
class Extremes {
 public:
  struct Ends {
    double least = std::numeric_limits<double>::infinity(), most = -std::numeric_limits<double>::infinity();
  };

  explicit Extremes(std::span<const Ends> numbers) : count_(numbers.size()), tree_(2 * numbers.size()) {
    std::ranges::copy(numbers, tree_.begin() + static_cast<std::ptrdiff_t>(count_));
    for (std::size_t i = count_; i-- > 1;) join(i);
  }
  void set(std::size_t at, Ends number) {
    at += count_;
    tree_[at] = number;
    while ((at /= 2) > 0) join(at);
  }
  const Ends& all() const { return tree_[1]; }  // with one number that one

 private:
  void join(std::size_t i) {
    tree_[i] = {std::min(tree_[2 * i].least, tree_[2 * i + 1].least),
                std::max(tree_[2 * i].most, tree_[2 * i + 1].most)};
  }

  std::size_t count_;
  std::vector<Ends> tree_;
};

class Moead final : public SearcherBase {
 public:
  Moead(const SearchSpace& space, const SearcherSetup& setup)
      : SearcherBase(space, setup, many_subproblems(setup) ? "moead/2" : "moead/1"),
        large_(many_subproblems(setup)),
        threads_(thread_count(setup.threads)),
        members_(space, setup),
        child_(space, setup),
        variations_(threads_, Variation(space)) {
    OptionsReader options(setup);
    const std::size_t population = options.count("population", 20, 1, 1'000'000);
    const std::size_t neighbours = options.count("neighbours", 6, 2, 1'000'000);
    near_ = options->number("near", {.fallback = 0.9, .least = 0.0, .most = 1.0});
    replaced_ = options.count("replace", 2, 1, 1'000'000);
    crossover_ = options->number("crossover", {.fallback = 0.5, .least = 0.0, .most = 1.0});
    mutation_ = options->number("mutation", {.fallback = 0.5, .least = 0.0, .most = 1e6});
    options.done();
    make_subproblems(population, neighbours);
  }

 private:
  // With one objective all subproblems are the same: a population in which neighbours breed.
  void make_subproblems(std::size_t population, std::size_t neighbours) {
    const std::size_t m = members_.objectives();
    weights_ = reference_directions(m, divisions_within(m, population));
    if (m == 1) weights_.assign(population, {1.0});
    const std::size_t count = weights_.size();
    neighbours_.resize(count);
    if (m == 1) {
      for (std::size_t i = 0; i < count; ++i) neighbours_[i] = beside(i, std::min(neighbours, count), count);
      return;
    }
    const PointTree tree(weights_);
    over_blocks(count, threads_, [&](std::size_t begin, std::size_t end, std::size_t) {
      for (std::size_t i = begin; i < end; ++i) neighbours_[i] = tree.nearest(weights_[i], neighbours);
    });
  }

  // The `wanted` nearest of `count` in a row, itself first, of two as near the lower one before.
  static std::vector<std::uint32_t> beside(std::size_t i, std::size_t wanted, std::size_t count) {
    std::vector<std::uint32_t> found{static_cast<std::uint32_t>(i)};
    for (std::size_t apart = 1; found.size() < wanted; ++apart) {
      if (apart <= i) found.push_back(static_cast<std::uint32_t>(i - apart));
      if (i + apart < count && found.size() < wanted) found.push_back(static_cast<std::uint32_t>(i + apart));
    }
    return found;
  }

  std::vector<Genome> propose(std::size_t n) override {
    pools_.assign(n, 0);
    if (first_generation_) n = std::min(n, weights_.size() - told_);
    std::vector<Genome> genomes(n);
    if (first_generation_) {
      for (Genome& genome : genomes) genome = draw();
    } else if (large_) {  // each child has random numbers of its own
      const std::uint64_t key = rng().next();
      over_blocks(n, threads_, [&](std::size_t begin, std::size_t end, std::size_t worker) {
        for (std::size_t i = begin; i < end; ++i) {
          Rng stream(mix64(key + i));
          genomes[i] = child(i, stream, variations_[worker]);
        }
      });
    } else {
      for (std::size_t i = 0; i < n; ++i) genomes[i] = child(i, rng(), variations_[0]);
    }
    return genomes;
  }

  // The `place`-th of this batch.
  Genome child(std::size_t place, Rng& rng, Variation& variation) {
    const std::vector<std::uint32_t>& near = neighbours_[(next_ + place) % weights_.size()];
    pools_[place] = rng.chance(near_) ? 1 : 0;
    const auto parent = [&] {
      return members_.genome(pools_[place] != 0 ? near[rng.below(near.size())] : rng.below(members_.size()));
    };
    std::optional<Genome> valid;
    for (int i = 0; i < attempts; ++i) {
      const Genome first = parent(), second = rng.chance(crossover_) ? parent() : first;
      std::optional<Genome> made = variation.breed(first, second, mutation_, rng);
      if (!made) continue;
      if (!counts_.contains(hash_genes(made->genes))) return std::move(*made);
      valid = std::move(made);
    }
    return valid ? std::move(*valid) : space().normalise(space().sample(rng));
  }

  void learn(std::span<const Trial> trials) override {
    if (first_generation_) {
      for (const Trial& trial : trials) members_.add(trial);
      told_ += trials.size();
      if (told_ == weights_.size()) begin();
      return;
    }
    for (std::size_t i = 0; i < trials.size(); ++i) {
      const std::size_t subproblem = next_;
      next_ = (next_ + 1) % weights_.size();
      child_.clear();
      if (child_.add(trials[i])) place(subproblem, pools_[i] != 0);
    }
  }

  // Each subproblem takes the member that is best there; without any member the first generation is drawn again.
  void begin() {
    told_ = 0;
    if (members_.empty()) return;
    find_first_scale();
    const std::vector<std::uint32_t> candidates = possible_best();
    std::vector<std::uint32_t> best(weights_.size());
    over_blocks(best.size(), large_ ? threads_ : 1, [&](std::size_t from, std::size_t end, std::size_t) {
      for (std::size_t i = from; i < end; ++i) {
        best[i] = candidates[0];
        for (const std::uint32_t member : candidates) {
          if (better(members_, member, best[i], i)) best[i] = member;
        }
      }
    });
    members_.keep(best);
    first_generation_ = false;
    know_members();
  }

  // All members; of many the first front, in which there is one that is best for every subproblem.
  std::vector<std::uint32_t> possible_best() const {
    std::vector<std::uint32_t> all(members_.size());
    std::iota(all.begin(), all.end(), 0U);
    if (!large_) return all;
    Ranking ranking;
    ranking.update(members_, members_.size(), threads_);
    all.assign(ranking.front(0).begin(), ranking.front(0).end());
    std::ranges::sort(all);
    return all;
  }

  // What is kept beside the members: how often each genome is there, the extremes of each objective.
  void know_members() {
    counts_.clear();
    extremes_.clear();
    for (std::size_t i = 0; i < members_.size(); ++i) ++counts_[members_.hash(i)];
    std::vector<Extremes::Ends> ends(members_.size());
    for (std::size_t k = 0; k < members_.objectives(); ++k) {
      for (std::size_t i = 0; i < ends.size(); ++i) ends[i] = ends_of(members_, i, k);
      extremes_.emplace_back(ends);
    }
  }

  static Extremes::Ends ends_of(const Population& population, std::size_t i, std::size_t k) {
    if (population.violation(i) > 0.0) return {};
    return {population.values(i)[k], population.values(i)[k]};
  }

  void replace(std::size_t at) {
    const auto count = counts_.find(members_.hash(at));
    if (--count->second == 0) counts_.erase(count);
    members_.replace(at, child_, 0);
    ++counts_[members_.hash(at)];
    for (std::size_t k = 0; k < extremes_.size(); ++k) extremes_[k].set(at, ends_of(members_, at, k));
  }

  // The child takes the places of some of those that its parents came from, in random order.
  void place(std::size_t subproblem, bool near) {
    find_scale();
    if (near || !large_) {
      std::vector<std::uint32_t> pool = neighbours_[subproblem];
      if (!near) {
        pool.resize(weights_.size());
        std::iota(pool.begin(), pool.end(), 0U);
      }
      rng().shuffle(std::span(pool));
      std::size_t left = replaced_;
      for (std::size_t i = 0; i < pool.size() && left > 0; ++i) left -= take_place(pool[i]);
      return;
    }
    // Of many only as many are drawn as are looked at, and put back.
    if (order_.empty()) {
      order_.resize(weights_.size());
      std::iota(order_.begin(), order_.end(), 0U);
    }
    drawn_.clear();
    std::size_t left = replaced_;
    for (std::size_t i = 0; i < order_.size() && left > 0; ++i) {
      drawn_.push_back(i + rng().below(order_.size() - i));
      std::swap(order_[i], order_[drawn_.back()]);
      left -= take_place(order_[i]);
    }
    while (!drawn_.empty()) {
      std::swap(order_[drawn_.size() - 1], order_[drawn_.back()]);
      drawn_.pop_back();
    }
  }

  std::size_t take_place(std::size_t at) {
    if (!better(child_, 0, at, at)) return 0;
    replace(at);
    return 1;
  }

  // Than a member, for a subproblem.
  bool better(const Population& population, std::size_t i, std::size_t member, std::size_t subproblem) const {
    if (population.violation(i) != members_.violation(member)) {
      return population.violation(i) < members_.violation(member);
    }
    return population.violation(i) == 0.0 &&
           distance(population.values(i), subproblem) < distance(members_.values(member), subproblem);
  }

  double distance(std::span<const double> values, std::size_t subproblem) const {
    double most = -std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < values.size(); ++k) {
      const double weight = std::max(weights_[subproblem][k], 1e-6);
      most = std::max(most, weight * (values[k] - ideal_[k]) / range_[k]);
    }
    return most;
  }

  // The best value of each objective, and its range, among the feasible members and the child.
  void find_scale() {
    const std::size_t m = members_.objectives();
    ideal_.resize(m);
    range_.resize(m);
    for (std::size_t k = 0; k < m; ++k) {
      const Extremes::Ends &all = extremes_[k].all(), own = ends_of(child_, 0, k);
      set_scale(k, std::min(all.least, own.least), std::max(all.most, own.most));
    }
  }

  void find_first_scale() {
    const std::size_t m = members_.objectives();
    ideal_.resize(m);
    range_.resize(m);
    for (std::size_t k = 0; k < m; ++k) {
      Extremes::Ends all;
      for (std::size_t i = 0; i < members_.size(); ++i) {
        const Extremes::Ends own = ends_of(members_, i, k);
        all = {std::min(all.least, own.least), std::max(all.most, own.most)};
      }
      set_scale(k, all.least, all.most);
    }
  }

  void set_scale(std::size_t k, double least, double most) {
    ideal_[k] = least;
    range_[k] = most > least ? most - least : 1.0;
  }

  void write(Json& data) const override {
    data["members"] = members_.save();
    data["first_generation"] = first_generation_;
    data["next"] = next_;
    data["told"] = told_;
  }

  void read(JsonReader& data) override {
    const auto count = static_cast<std::int64_t>(weights_.size());
    members_.load(data, "members", weights_.size());
    first_generation_ = data.boolean("first_generation");
    next_ = static_cast<std::size_t>(data.integer("next", {.fallback = {}, .least = 0, .most = count - 1}));
    told_ = static_cast<std::size_t>(data.integer("told", {.fallback = {}, .least = 0, .most = count - 1}));
    const bool good =
        first_generation_ ? members_.size() <= told_ && next_ == 0 : members_.size() == weights_.size() && told_ == 0;
    if (!good) {
      data.note("members", "one for each subproblem, or those of the first generation told so far",
                std::to_string(members_.size()));
      return;
    }
    if (!first_generation_) know_members();
  }

  bool large_;  // each child has random numbers of its own
  std::size_t threads_;
  double near_ = 0, crossover_ = 0, mutation_ = 0;
  std::size_t replaced_ = 0;
  std::vector<std::vector<double>> weights_;            // by subproblem
  std::vector<std::vector<std::uint32_t>> neighbours_;  // by subproblem, itself first
  Population members_;                                  // by subproblem
  Population child_;                                    // the one told last
  bool first_generation_ = true;                        // after it there is one member for each subproblem
  std::vector<std::uint8_t> pools_;                     // by asked child: its parents are neighbours
  std::size_t next_ = 0;                                // subproblem
  std::size_t told_ = 0;                                // trials of the first generation
  std::vector<double> ideal_, range_;
  std::unordered_map<std::uint64_t, std::uint32_t> counts_;  // members by the hash of their genes
  std::vector<Extremes> extremes_;                           // of the members, by objective
  std::vector<std::uint32_t> order_;                         // all subproblems, in order but while a child is placed
  std::vector<std::size_t> drawn_;
  std::vector<Variation> variations_;  // by thread
};

}  // namespace

std::unique_ptr<Searcher> make_moead(const SearchSpace& space, const SearcherSetup& setup) {
  return std::make_unique<Moead>(space, setup);
}

}  // namespace ridgeline
