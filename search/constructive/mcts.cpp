#include "search/constructive/mcts.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_set>

#include "search/constructive/choice_tree.hpp"
#include "search/fronts/population.hpp"
#include "search/fronts/reference_directions.hpp"
#include "search/searcher_base.hpp"

namespace ridgeline {
namespace {

constexpr int walks_at_most = 64;  // that end in nothing valid, before a random candidate will do
constexpr int new_at_most = 4;     // walks to a candidate that the batch has not, before one that it has will do

// How often each choice stands in the candidates of a warm start, with one more of every choice: 1 where all choices
// are as frequent.
std::vector<double> frequencies(const SearchSpace& space, const WarmStart& warm) {
  std::vector<std::vector<bool>> active;
  for (const Genome& genome : warm.genomes) active.push_back(space.active(genome));
  std::vector<double> all;
  for (std::size_t i = 0; i < space.dims().size(); ++i) {
    const std::size_t choices = space.dims()[i].choices.size();
    std::vector<double> counts(choices, 1.0);
    auto sum = static_cast<double>(choices);
    for (std::size_t g = 0; g < warm.genomes.size(); ++g) {
      if (!active[g][i]) continue;
      counts[warm.genomes[g].genes[i]] += 1.0;
      sum += 1.0;
    }
    for (const double count : counts) all.push_back(count / sum * static_cast<double>(choices));
  }
  return all;
}

class Mcts final : public SearcherBase {
 public:
  Mcts(const SearchSpace& space, const SearcherSetup& setup)
      : SearcherBase(space, setup, "mcts/1"),
        decisions_(space),
        told_one_(space, setup),
        tree_(decisions_, told_one_.objectives()),
        by_choice_(told_one_.objectives()),
        seen_(told_one_.objectives()) {
    OptionsReader options(setup);
    exploration_ = options->number("exploration", {.fallback = 0.2, .least = 0.0, .most = 1e6});
    shared_ = options->number("shared", {.fallback = 0.0, .least = 0.0, .most = 1e6});
    static const std::vector<std::string> rollouts = {"means", "random"};
    by_means_ = options->word("rollout", rollouts, "means") == "means";
    temperature_ = options->number("temperature", {.fallback = 0.1, .least = 1e-6, .most = 1e6});
    const std::size_t directions = options.count("directions", 8, 1, 100'000);
    most_nodes_ = options.count("nodes", 2000, 10, 1'000'000);
    options.done();
    const std::size_t m = told_one_.objectives();
    directions_ = reference_directions(m, divisions_within(m, std::max(directions, m)));
    for (const Dimension& dimension : space.dims()) {
      first_choice_.push_back(choices_);
      choices_ += dimension.choices.size();
    }
    by_choice_.append(choices_);
    frequencies_ = prior_ = frequencies(space, warm());
  }

  Json notes() const override { return {{"nodes", tree_.size()}, {"depth", tree_.depth()}}; }

 private:
  bool prepared() const { return !warm().genomes.empty(); }

  std::vector<Genome> propose(std::size_t n) override {
    pending_.assign(tree_.size(), 0);
    fade_prior();
    std::vector<Genome> genomes;
    std::unordered_set<std::uint64_t> asked;
    while (genomes.size() < n) {
      const bool given = begun_with() < warm().genomes.size();
      const std::span<const double> weights = directions_[(told_ + genomes.size()) % directions_.size()];
      Genome genome = given ? draw() : walk(weights);
      for (int i = 0; i < new_at_most && asked.contains(hash_genes(genome.genes)); ++i) genome = walk(weights);
      asked.insert(hash_genes(genome.genes));
      genomes.push_back(std::move(genome));
    }
    return genomes;
  }

  void fade_prior() {
    if (!prepared()) return;
    const auto given = static_cast<double>(warm().genomes.size());
    const double reliance = warm().similarity * given / (given + static_cast<double>(told_));
    for (std::size_t i = 0; i < prior_.size(); ++i) prior_[i] = std::pow(frequencies_[i], reliance);
  }

  // From the root to a candidate.
  Genome walk(std::span<const double> weights) {
    for (int i = 0; i < walks_at_most && !tree_.closed(0); ++i) {
      if (std::optional<Genome> genome = walk_once(weights)) return std::move(*genome);
    }
    return draw();
  }

  // nullopt where it ended in something not valid or known, which is closed then.
  std::optional<Genome> walk_once(std::span<const double> weights) {
    std::vector<std::size_t> path = {0};
    Genome genome = decisions_.nothing_decided();
    while (!tree_.is_candidate(path.back())) {
      const std::size_t node = path.back(), place = tree_.place(node);
      const std::optional<std::uint16_t> choice = pick(node, decisions_.choices(genome, place), weights);
      if (!choice) {
        tree_.close(node);
        return std::nullopt;
      }
      genome.genes[decisions_.dimension(place)] = *choice;
      if (const auto child = tree_.child(node, *choice)) {
        path.push_back(*child);
        continue;
      }
      path.push_back(tree_.expand(node, *choice));
      pending_.resize(tree_.size(), 0);
      const auto outcome = decisions_.complete(genome, place + 1, chooser(weights), rng());
      if (outcome == Decisions::Outcome::impossible) tree_.close(path.back());
      if (outcome != Decisions::Outcome::found) return std::nullopt;
      return walked(path, std::move(genome));
    }
    if (!space().violation(genome)) return walked(path, std::move(genome));
    tree_.close(path.back());
    return std::nullopt;
  }

  Genome walked(std::span<const std::size_t> path, Genome genome) {
    for (const std::size_t node : path) ++pending_[node];
    return genome;
  }

  // The choice of the highest bound among those that are not closed; nullopt where all are.
  std::optional<std::uint16_t> pick(std::size_t node, std::size_t choices, std::span<const double> weights) {
    bounds_.clear();
    double total = 0;
    const std::uint32_t dimension = decisions_.dimension(tree_.place(node));
    for (std::uint16_t choice = 0; choice < choices; ++choice) {
      const auto child = tree_.child(node, choice);
      if (child && tree_.closed(*child)) continue;
      Bound bound{choice, 0, 0};
      double gain = 0;
      if (child && tree_.tallies().visits(*child) > 0) {
        bound.visits = static_cast<double>(tree_.tallies().visits(*child));
        gain = bound.visits * (1.0 - tree_.tallies().cost(*child, weights, seen_));
      }
      if (child) bound.visits += static_cast<double>(pending_[*child]);
      const std::size_t row = first_choice_[dimension] + choice;
      const double elsewhere = std::min(shared_, static_cast<double>(by_choice_.visits(row)));
      if (elsewhere > 0) gain += elsewhere * (1.0 - by_choice_.cost(row, weights, seen_));
      bound.visits += elsewhere;
      // What was never chosen is tried first, unless a warm start says what to try.
      if (bound.visits == 0.0 && prepared()) bound.visits = gain = 1.0;
      bound.mean = bound.visits > 0.0 ? gain / bound.visits : 0.0;
      total += bound.visits;
      bounds_.push_back(bound);
    }
    return highest(dimension, total);
  }

  std::optional<std::uint16_t> highest(std::uint32_t dimension, double total) {
    std::optional<std::uint16_t> best;
    double most = 0;
    std::uint64_t equal = 0;
    for (const Bound& bound : bounds_) {
      const double exploration = exploration_ * prior_[first_choice_[dimension] + bound.choice];
      const double value = upper_confidence(bound.mean, bound.visits, total, exploration);
      if (best && value < most) continue;
      equal = best && value == most ? equal + 1 : 1;
      if (equal == 1 || rng().below(equal) == 0) best = bound.choice;
      most = value;
    }
    return best;
  }

  Decisions::Choose chooser(std::span<const double> weights) {
    return [this, weights](std::uint32_t dimension) -> std::uint16_t {
      const std::size_t choices = space().dims()[dimension].choices.size();
      if (!by_means_ && !prepared()) return static_cast<std::uint16_t>(rng().below(choices));
      chances_.assign(choices, 0.0);
      double sum = 0;
      for (std::size_t i = 0; i < choices; ++i) {
        const std::size_t row = first_choice_[dimension] + i;
        double gain = 1.0;  // the best there may be, where the choice was never seen
        if (by_choice_.visits(row) > 0) gain = 1.0 - by_choice_.cost(row, weights, seen_);
        chances_[i] = prior_[row] * (by_means_ ? std::exp((gain - 1.0) / temperature_) : 1.0);
        sum += chances_[i];
      }
      if (!(sum > 0.0)) return static_cast<std::uint16_t>(rng().below(choices));
      double left = rng().uniform() * sum;
      std::size_t chosen = 0;
      while (chosen + 1 < choices && left >= chances_[chosen]) left -= chances_[chosen++];
      return static_cast<std::uint16_t>(chosen);
    };
  }

  void learn(std::span<const Trial> trials) override {
    for (const Trial& trial : trials) learn_one(trial);
    told_ += trials.size();
    tree_.prune(most_nodes_);
  }

  void learn_one(const Trial& trial) {
    told_one_.clear();
    const bool compared = told_one_.add(trial);
    const bool feasible = compared && told_one_.violation(0) == 0.0;
    if (feasible) seen_.count(told_one_.values(0));
    const auto count = [&](Tallies& tallies, std::size_t row) {
      if (feasible) {
        tallies.add_feasible(row, told_one_.values(0));
      } else {
        tallies.add_other(row, compared ? std::optional(told_one_.violation(0)) : std::nullopt);
      }
    };
    const std::vector<std::uint32_t> path = tree_.path(trial.genome);
    for (const std::uint32_t node : path) count(tree_.tallies(), node);
    if (tree_.is_candidate(path.back())) tree_.close(path.back());
    const std::vector<bool> active = space().active(trial.genome);
    for (std::size_t i = 0; i < active.size(); ++i) {
      if (active[i]) count(by_choice_, first_choice_[i] + trial.genome.genes[i]);
    }
  }

  void write(Json& data) const override {
    data["tree"] = tree_.save();
    data["choices"] = by_choice_.save();
    data["seen"] = seen_.save();
    data["told"] = told_;
  }

  void read(JsonReader& data) override {
    tree_.load(data, "tree", most_nodes_);
    by_choice_.load(data, "choices", choices_);
    seen_.load(data, "seen");
    told_ = static_cast<std::size_t>(data.integer("told", {.fallback = {}, .least = 0}));
  }

  struct Bound {
    std::uint16_t choice;
    double visits, mean;
  };

  double exploration_ = 0, shared_ = 0, temperature_ = 0;
  bool by_means_ = true;
  std::size_t most_nodes_ = 0;
  std::vector<std::vector<double>> directions_;
  Decisions decisions_;
  Population told_one_;  // the one told last
  ChoiceTree tree_;
  Tallies by_choice_;  // a row for each choice of each dimension
  SeenValues seen_;
  std::vector<std::size_t> first_choice_;  // by dimension: its first row
  std::size_t choices_ = 0;                // of all dimensions
  std::vector<double> frequencies_;        // by row of by_choice_: in the warm start
  std::vector<double> prior_;              // the same, as far as it is relied on now
  std::size_t told_ = 0;
  std::vector<std::uint32_t> pending_;  // by node: walks of this batch
  std::vector<Bound> bounds_;
  std::vector<double> chances_;
};

}  // namespace

double upper_confidence(double mean, double visits, double total, double exploration) {
  if (visits == 0.0) return std::numeric_limits<double>::infinity();
  return mean + exploration * std::sqrt(std::log(total) / visits);
}

std::unique_ptr<Searcher> make_mcts(const SearchSpace& space, const SearcherSetup& setup) {
  return std::make_unique<Mcts>(space, setup);
}

}  // namespace ridgeline
