#include "search/evolution/moead.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "search/evolution/variation.hpp"
#include "search/fronts/population.hpp"
#include "search/fronts/reference_directions.hpp"
#include "search/searcher_base.hpp"

namespace ridgeline {
namespace {

constexpr int attempts = 16;  // at a child that is valid and no member, before any valid one will do

class Moead final : public SearcherBase {
 public:
  Moead(const SearchSpace& space, const SearcherSetup& setup)
      : SearcherBase(space, setup, "moead/1"), members_(space, setup), child_(space, setup), variation_(space) {
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
    for (std::size_t i = 0; i < count; ++i) {
      std::vector<std::uint32_t> order(count);
      std::iota(order.begin(), order.end(), 0U);
      const auto far = [&](std::uint32_t j) {
        double sum = 0;
        for (std::size_t k = 0; k < m; ++k)
          sum += (weights_[i][k] - weights_[j][k]) * (weights_[i][k] - weights_[j][k]);
        const double apart = i > j ? static_cast<double>(i - j) : static_cast<double>(j - i);
        return m == 1 ? apart : sum;
      };
      std::ranges::stable_sort(order, [&](std::uint32_t a, std::uint32_t b) { return far(a) < far(b); });
      order.resize(std::min(neighbours, count));
      neighbours_[i] = std::move(order);
    }
  }

  std::vector<Genome> propose(std::size_t n) override {
    if (first_generation_) n = std::min(n, weights_.size() - told_);
    std::vector<Genome> genomes;
    pools_.clear();
    for (std::size_t i = 0; i < n; ++i) {
      genomes.push_back(first_generation_ ? draw() : child((next_ + i) % weights_.size()));
    }
    return genomes;
  }

  Genome child(std::size_t subproblem) {
    pools_.push_back(rng().chance(near_));
    const auto parent = [&] {
      const std::size_t at = pools_.back() ? neighbours_[subproblem][rng().below(neighbours_[subproblem].size())]
                                           : rng().below(members_.size());
      return members_.genome(at);
    };
    std::optional<Genome> valid;
    for (int i = 0; i < attempts; ++i) {
      const Genome first = parent(), second = rng().chance(crossover_) ? parent() : first;
      std::optional<Genome> made = variation_.breed(first, second, mutation_, rng());
      if (!made) continue;
      if (!is_member(*made)) return std::move(*made);
      valid = std::move(made);
    }
    return valid ? std::move(*valid) : draw();
  }

  bool is_member(const Genome& genome) const {
    const std::uint64_t hash = hash_genes(genome.genes);
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (members_.hash(i) == hash) return true;
    }
    return false;
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
      if (child_.add(trials[i])) place(subproblem, pools_[i]);
    }
  }

  // Each subproblem takes the member that is best there; without any member the first generation is drawn again.
  void begin() {
    told_ = 0;
    if (members_.empty()) return;
    find_scale();
    std::vector<std::uint32_t> best(weights_.size(), 0);
    for (std::size_t i = 0; i < best.size(); ++i) {
      for (std::uint32_t member = 1; member < members_.size(); ++member) {
        if (better(members_, member, best[i], i)) best[i] = member;
      }
    }
    members_.keep(best);
    first_generation_ = false;
  }

  // The child takes the places of some of those that its parents came from.
  void place(std::size_t subproblem, bool near) {
    find_scale();
    std::vector<std::uint32_t> pool = neighbours_[subproblem];
    if (!near) {
      pool.resize(weights_.size());
      std::iota(pool.begin(), pool.end(), 0U);
    }
    rng().shuffle(std::span(pool));
    std::size_t left = replaced_;
    for (const std::uint32_t at : pool) {
      if (left == 0) return;
      if (!better(child_, 0, at, at)) continue;
      members_.replace(at, child_, 0);
      --left;
    }
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
    ideal_.assign(m, std::numeric_limits<double>::infinity());
    range_.assign(m, -std::numeric_limits<double>::infinity());
    for (const Population* some : {&members_, &child_}) {
      for (std::size_t i = 0; i < some->size(); ++i) {
        if (some->violation(i) > 0.0) continue;
        for (std::size_t k = 0; k < m; ++k) {
          ideal_[k] = std::min(ideal_[k], some->values(i)[k]);
          range_[k] = std::max(range_[k], some->values(i)[k]);
        }
      }
    }
    for (std::size_t k = 0; k < m; ++k) range_[k] = range_[k] > ideal_[k] ? range_[k] - ideal_[k] : 1.0;
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
    }
  }

  double near_ = 0, crossover_ = 0, mutation_ = 0;
  std::size_t replaced_ = 0;
  std::vector<std::vector<double>> weights_;            // by subproblem
  std::vector<std::vector<std::uint32_t>> neighbours_;  // by subproblem, itself first
  Population members_;                                  // by subproblem
  Population child_;                                    // the one told last
  bool first_generation_ = true;                        // after it there is one member for each subproblem
  std::vector<bool> pools_;                             // by asked child: its parents are neighbours
  std::size_t next_ = 0;                                // subproblem
  std::size_t told_ = 0;                                // trials of the first generation
  std::vector<double> ideal_, range_;
  Variation variation_;
};

}  // namespace

std::unique_ptr<Searcher> make_moead(const SearchSpace& space, const SearcherSetup& setup) {
  return std::make_unique<Moead>(space, setup);
}

}  // namespace ridgeline
