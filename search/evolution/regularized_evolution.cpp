#include "search/evolution/regularized_evolution.hpp"

#include <algorithm>
#include <limits>

#include "search/evolution/variation.hpp"
#include "search/fronts/population.hpp"
#include "search/searcher_base.hpp"

namespace ridgeline {
namespace {

constexpr int attempts = 16;  // at a child that is valid and new to the queue, before any valid one will do

class RegularizedEvolution final : public SearcherBase {
 public:
  RegularizedEvolution(const SearchSpace& space, const SearcherSetup& setup)
      : SearcherBase(space, setup, "regularized-evolution/1"), queue_(space, setup), variation_(space) {
    OptionsReader options(setup);
    capacity_ = options.count("population", 30, 2, 1'000'000);
    tournament_ = options.count("tournament", 15, 1, 1'000'000);
    options.done();
  }

 private:
  std::vector<Genome> propose(std::size_t n) override {
    const std::size_t missing = capacity_ - std::min(capacity_, queue_.size());
    if (missing > 0) n = std::min(n, missing);  // the first children wait for the whole first population
    std::vector<Genome> genomes;
    genomes.reserve(n);
    while (genomes.size() < n) {
      genomes.push_back(missing > 0 ? draw() : child());
    }
    return genomes;
  }

  Genome child() {
    std::optional<Genome> valid;
    for (int i = 0; i < attempts; ++i) {
      std::optional<Genome> made = variation_.mutate_one(queue_.genome(winner()), rng());
      if (!made) continue;
      if (!is_member(*made)) return std::move(*made);
      valid = std::move(made);
    }
    return valid ? std::move(*valid) : draw();
  }

  std::size_t winner() {
    draw_weights();
    std::size_t best = rng().below(queue_.size());
    for (std::size_t i = 1; i < tournament_; ++i) {
      const std::size_t other = rng().below(queue_.size());
      if (before(other, best)) best = other;
    }
    return best;
  }

  bool before(std::size_t i, std::size_t j) const {
    if (queue_.violation(i) != queue_.violation(j)) return queue_.violation(i) < queue_.violation(j);
    return queue_.violation(i) == 0.0 && score(i) < score(j);
  }

  double score(std::size_t i) const {
    double sum = 0.0;
    for (std::size_t k = 0; k < weights_.size(); ++k) sum += weights_[k] * queue_.values(i)[k];
    return sum;
  }

  // Uniform over the weights of sum 1 (the gaps between sorted uniform numbers), over each value's range in the queue.
  void draw_weights() {
    const std::size_t m = queue_.objectives();
    weights_.assign(m, 1.0);
    if (m == 1) return;
    for (std::size_t k = 0; k + 1 < m; ++k) weights_[k] = rng().uniform();
    std::sort(weights_.begin(), weights_.end());
    for (std::size_t k = m - 1; k > 0; --k) weights_[k] -= weights_[k - 1];
    for (std::size_t k = 0; k < m; ++k) {
      const double range = range_of(k);
      weights_[k] = range > 0.0 ? weights_[k] / range : 0.0;
    }
  }

  double range_of(std::size_t k) const {  // over the feasible members
    double low = std::numeric_limits<double>::infinity();
    double high = -low;
    for (std::size_t i = 0; i < queue_.size(); ++i) {
      if (queue_.violation(i) > 0.0) continue;
      low = std::min(low, queue_.values(i)[k]);
      high = std::max(high, queue_.values(i)[k]);
    }
    return high - low;
  }

  bool is_member(const Genome& genome) const {
    const std::uint64_t hash = hash_genes(genome.genes);
    for (std::size_t i = 0; i < queue_.size(); ++i) {
      if (queue_.hash(i) == hash) return true;
    }
    return false;
  }

  void learn(std::span<const Trial> trials) override {
    for (const Trial& trial : trials) queue_.add(trial);
    if (queue_.size() > capacity_) queue_.erase_first(queue_.size() - capacity_);
  }

  void write(Json& data) const override { data["queue"] = queue_.save(); }
  void read(JsonReader& data) override { queue_.load(data, "queue", capacity_); }

  std::size_t capacity_;
  std::size_t tournament_;
  Population queue_;  // the oldest first
  Variation variation_;
  std::vector<double> weights_;  // of the current tournament, by objective
};

}  // namespace

std::unique_ptr<Searcher> make_regularized_evolution(const SearchSpace& space, const SearcherSetup& setup) {
  return std::make_unique<RegularizedEvolution>(space, setup);
}

}  // namespace ridgeline
