#include "search/baselines/simulated_annealing.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "search/evolution/variation.hpp"
#include "search/fronts/population.hpp"
#include "search/fronts/reference_directions.hpp"
#include "search/searcher_base.hpp"

namespace ridgeline {
namespace {

constexpr int attempts = 16;  // at a valid mutation, before a random candidate will do

class SimulatedAnnealing final : public SearcherBase {
 public:
  SimulatedAnnealing(const SearchSpace& space, const SearcherSetup& setup)
      : SearcherBase(space, setup, "simulated-annealing/1"),
        walkers_(space, setup),
        next_step_(space, setup),
        variation_(space) {
    const std::size_t m = walkers_.objectives();
    OptionsReader options(setup);
    start_ = options->number("start", {.fallback = 0.3, .least = 1e-9, .most = 1e9});
    end_ = options->number("end", {.fallback = 0.01, .least = 1e-9, .most = 1e9});
    if (end_ > start_) options->note("end", "no more than \"start\"", std::to_string(end_));
    steps_ = options.count("steps", 200, 1, 1'000'000'000);
    const std::size_t walkers = options.count("walkers", m == 1 ? 1 : 8, 1, 100'000);
    options.done();
    weights_ = reference_directions(m, divisions_within(m, walkers));
    if (m == 1) weights_.assign(walkers, {1.0});
    mean_.assign(m, 0.0);
    squares_.assign(m, 0.0);
    best_.assign(m, std::numeric_limits<double>::infinity());
  }

 private:
  bool begun() const { return walkers_.size() == weights_.size(); }

  std::vector<Genome> propose(std::size_t n) override {
    n = std::min(n, begun() ? weights_.size() : weights_.size() - walkers_.size());
    std::vector<Genome> genomes;
    for (std::size_t i = 0; i < n; ++i) {
      genomes.push_back(begun() ? step_from(walkers_.genome((next_ + i) % walkers_.size())) : draw());
    }
    return genomes;
  }

  Genome step_from(const Genome& at) {
    for (int i = 0; i < attempts; ++i) {
      if (std::optional<Genome> made = variation_.mutate_one(at, rng())) return std::move(*made);
    }
    return draw();
  }

  void learn(std::span<const Trial> trials) override {
    for (const Trial& trial : trials) {
      if (!begun()) {  // one that failed is drawn again
        if (walkers_.add(trial)) count(walkers_, walkers_.size() - 1);
        continue;
      }
      const std::size_t walker = next_;
      next_ = (next_ + 1) % walkers_.size();
      ++told_;
      next_step_.clear();
      if (!next_step_.add(trial)) continue;
      count(next_step_, 0);
      if (taken(walker)) walkers_.replace(walker, next_step_, 0);
    }
  }

  bool taken(std::size_t walker) {
    const double now = walkers_.violation(walker), then = next_step_.violation(0);
    if (then != now) return then < now;
    if (then > 0.0) return true;
    const double loss = distance(next_step_.values(0), walker) - distance(walkers_.values(walker), walker);
    return loss <= 0.0 || rng().uniform() < std::exp(-loss / temperature());
  }

  double temperature() const {
    const std::size_t each = told_ / walkers_.size();
    return start_ * std::pow(end_ / start_, static_cast<double>(each % steps_) / static_cast<double>(steps_));
  }

  double distance(std::span<const double> values, std::size_t walker) const {
    double most = -std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < values.size(); ++k) {
      const double deviation = std::sqrt(squares_[k] / std::max(1.0, counted_));
      const double off = (values[k] - best_[k]) / (deviation > 0 ? deviation : 1.0);
      most = std::max(most, std::max(weights_[walker][k], 1e-3) * off);
    }
    return most;
  }

  // Mean and sum of squares about it of the feasible values told so far (Welford, 1962).
  void count(const Population& population, std::size_t i) {
    if (population.violation(i) > 0.0) return;
    counted_ += 1.0;
    for (std::size_t k = 0; k < mean_.size(); ++k) {
      const double value = population.values(i)[k], off = value - mean_[k];
      mean_[k] += off / counted_;
      squares_[k] += off * (value - mean_[k]);
      best_[k] = std::min(best_[k], value);
    }
  }

  void write(Json& data) const override {
    data["walkers"] = walkers_.save();
    data["next"] = next_;
    data["told"] = told_;
    data["counted"] = counted_;
    data["mean"] = mean_;
    data["squares"] = squares_;
    data["best"] = counted_ > 0 ? best_ : std::vector<double>(best_.size(), 0.0);
  }

  void read(JsonReader& data) override {
    walkers_.load(data, "walkers", weights_.size());
    next_ = static_cast<std::size_t>(
        data.integer("next", {.fallback = {}, .least = 0, .most = static_cast<std::int64_t>(weights_.size()) - 1}));
    told_ = static_cast<std::size_t>(data.integer("told", {.fallback = {}, .least = 0}));
    counted_ = data.number("counted", {.fallback = {}, .least = 0.0});
    read_row(data, "mean", mean_);
    read_row(data, "squares", squares_);
    read_row(data, "best", best_);
    if (counted_ == 0.0) best_.assign(best_.size(), std::numeric_limits<double>::infinity());
    if (std::ranges::any_of(squares_, [](double sum) { return sum < 0.0; })) {
      data.note("squares", "sums of squares", "a negative one");
    }
  }

  static void read_row(JsonReader& data, const std::string& key, std::vector<double>& row) {
    const std::vector<double> read = data.numbers(key);
    if (read.size() == row.size()) {
      row = read;
    } else {
      data.note(key, std::to_string(row.size()) + " numbers", std::to_string(read.size()));
    }
  }

  double start_ = 0, end_ = 0;
  std::size_t steps_ = 0;
  std::vector<std::vector<double>> weights_;  // by walker
  Population walkers_;
  Population next_step_;  // the one told last
  std::size_t next_ = 0;  // walker
  std::size_t told_ = 0;  // trials since all walkers are there
  double counted_ = 0;
  std::vector<double> mean_, squares_, best_;  // of the counted, by objective
  Variation variation_;
};

}  // namespace

std::unique_ptr<Searcher> make_simulated_annealing(const SearchSpace& space, const SearcherSetup& setup) {
  return std::make_unique<SimulatedAnnealing>(space, setup);
}

}  // namespace ridgeline
