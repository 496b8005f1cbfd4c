#include "search/constructive/ant_colony.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "search/constructive/decisions.hpp"
#include "search/constructive/seen_values.hpp"
#include "search/fronts/population.hpp"
#include "search/fronts/ranking.hpp"
#include "search/fronts/reference_directions.hpp"
#include "search/searcher_base.hpp"

namespace ridgeline {
namespace {

constexpr int attempts = 8;  // at a candidate that the round has not, before one that it has will do

class AntColony final : public SearcherBase {
 public:
  AntColony(const SearchSpace& space, const SearcherSetup& setup)
      : SearcherBase(space, setup, "ant-colony/1"),
        decisions_(space),
        archive_(space, setup),
        round_(space, setup),
        seen_(archive_.objectives()) {
    OptionsReader options(setup);
    ants_ = options.count("ants", 5, 1, 1'000'000);
    evaporation_ = options->number("evaporation", {.fallback = 0.4, .least = 1e-6, .most = 1.0});
    const double sure = options->number("sure", {.fallback = 0.5, .least = 1e-9, .most = 1.0});
    const std::size_t colonies = options.count("colonies", 5, 1, 1000);
    capacity_ = options.count("archive", 100, 1, 100'000);
    patience_ = options.count("patience", 20, 1, 1'000'000'000);
    options.done();
    const std::size_t m = archive_.objectives();
    directions_ = reference_directions(m, divisions_within(m, std::max(colonies, m)));
    double open = 0, choices = 0;
    for (const Dimension& dimension : space.dims()) {
      first_choice_.push_back(rows_);
      rows_ += dimension.choices.size();
      if (dimension.choices.size() == 1) continue;
      open += 1.0;
      choices += static_cast<double>(dimension.choices.size());
    }
    least_ = open > 0 ? least_pheromone(sure, open, choices / open) : 1.0;
    pheromone_.assign(directions_.size(), std::vector<double>(rows_, 1.0));
  }

  Json notes() const override { return {{"archive", archive_.size()}, {"restarts", restarts_}}; }

 private:
  std::vector<Genome> propose(std::size_t n) override {
    n = std::min(n, ants_ - told_);
    std::vector<Genome> genomes;
    while (genomes.size() < n) {
      if (begun_with() < warm().genomes.size()) {
        genomes.push_back(draw());
        continue;
      }
      const std::vector<double>& pheromone = pheromone_[(told_ + genomes.size()) % directions_.size()];
      Genome genome = build(pheromone);
      for (int i = 1; i < attempts && in_round(genome, genomes); ++i) genome = build(pheromone);
      genomes.push_back(std::move(genome));
    }
    return genomes;
  }

  bool in_round(const Genome& genome, std::span<const Genome> batch) const {
    const std::uint64_t hash = hash_genes(genome.genes);
    for (std::size_t i = 0; i < round_.size(); ++i) {
      if (round_.hash(i) == hash) return true;
    }
    return std::ranges::find(batch, genome) != batch.end();
  }

  Genome build(const std::vector<double>& pheromone) {
    Genome genome = decisions_.nothing_decided();
    const auto choose = [&](std::uint32_t dimension) -> std::uint16_t {
      const std::size_t first = first_choice_[dimension], choices = space().dims()[dimension].choices.size();
      double sum = 0;
      for (std::size_t i = 0; i < choices; ++i) sum += pheromone[first + i];
      double left = rng().uniform() * sum;
      std::size_t chosen = 0;
      while (chosen + 1 < choices && left >= pheromone[first + chosen]) left -= pheromone[first + chosen++];
      return static_cast<std::uint16_t>(chosen);
    };
    return decisions_.complete(genome, 0, choose, rng()) == Decisions::Outcome::found ? genome : draw();
  }

  void learn(std::span<const Trial> trials) override {
    for (const Trial& trial : trials) {
      if (round_.add(trial) && round_.violation(round_.size() - 1) == 0.0)
        seen_.count(round_.values(round_.size() - 1));
    }
    told_ += trials.size();
    if (told_ < ants_) return;
    told_ = 0;
    ++rounds_;
    unchanged_ = take_into_archive() ? 0 : unchanged_ + 1;
    for (std::size_t colony = 0; colony < directions_.size(); ++colony) lay(colony);
    if (unchanged_ >= patience_) {
      for (std::vector<double>& pheromone : pheromone_) pheromone.assign(rows_, 1.0);
      unchanged_ = 0;
      ++restarts_;
    }
    round_.clear();
  }

  // Whether the archive has changed.
  bool take_into_archive() {
    bool changed = false;
    for (std::size_t i = 0; i < round_.size(); ++i) {
      archive_.add(round_, i);
      const std::size_t last = archive_.size() - 1;
      std::vector<std::uint32_t> stay;
      bool taken = true;
      for (std::uint32_t k = 0; k < last && taken; ++k) taken = !archive_.beats(k, last) && !archive_.equals(k, last);
      for (std::uint32_t k = 0; k < last; ++k) {
        if (!taken || !archive_.beats(last, k)) stay.push_back(k);
      }
      if (taken) stay.push_back(static_cast<std::uint32_t>(last));
      archive_.keep(stay);
      changed = changed || taken;
    }
    if (archive_.size() > capacity_) {
      ranking_.update(archive_, archive_.size());
      const auto best = ranking_.best(capacity_);
      archive_.keep(std::vector<std::uint32_t>(best.begin(), best.end()));
    }
    return changed;
  }

  void lay(std::size_t colony) {
    const Population& from = rounds_ % 2 == 0 && round_has_feasible() ? round_ : archive_;
    if (from.empty()) return;
    std::size_t best = 0;
    for (std::size_t i = 1; i < from.size(); ++i) {
      if (better(from, i, best, directions_[colony])) best = i;
    }
    std::vector<double>& pheromone = pheromone_[colony];
    const Genome genome = from.genome(best);
    const std::vector<bool> active = space().active(genome);
    for (std::size_t dimension = 0; dimension < active.size(); ++dimension) {
      if (!active[dimension]) continue;  // says nothing of its choices
      for (std::size_t i = 0; i < space().dims()[dimension].choices.size(); ++i) {
        double& tau = pheromone[first_choice_[dimension] + i];
        tau = (1.0 - evaporation_) * tau + (genome.genes[dimension] == i ? evaporation_ : 0.0);
        tau = std::clamp(tau, least_, 1.0);
      }
    }
  }

  bool round_has_feasible() const {
    for (std::size_t i = 0; i < round_.size(); ++i) {
      if (round_.violation(i) == 0.0) return true;
    }
    return false;
  }

  bool better(const Population& from, std::size_t i, std::size_t j, std::span<const double> weights) const {
    if (from.violation(i) != from.violation(j)) return from.violation(i) < from.violation(j);
    if (from.violation(i) > 0.0) return false;
    // With one objective by the values themselves, which scaling may press together.
    if (from.objectives() == 1) return from.values(i)[0] < from.values(j)[0];
    return seen_.cost(from.values(i), weights) < seen_.cost(from.values(j), weights);
  }

  void write(Json& data) const override {
    data["pheromone"] = Json::array();
    for (const std::vector<double>& table : pheromone_) data["pheromone"].push_back(table);
    data["archive"] = archive_.save();
    data["round"] = round_.save();
    data["seen"] = seen_.save();
    data["told"] = told_;
    data["rounds"] = rounds_;
    data["unchanged"] = unchanged_;
    data["restarts"] = restarts_;
  }

  void read(JsonReader& data) override {
    read_pheromone(data);
    archive_.load(data, "archive", capacity_);
    round_.load(data, "round", ants_);
    seen_.load(data, "seen");
    const auto count = [&](const char* key, std::size_t most) {
      return static_cast<std::size_t>(
          data.integer(key, {.fallback = {}, .least = 0, .most = static_cast<std::int64_t>(most)}));
    };
    constexpr std::size_t any = std::size_t{1} << 53;
    told_ = count("told", ants_ - 1);
    rounds_ = count("rounds", any);
    unchanged_ = count("unchanged", patience_ - 1);
    restarts_ = count("restarts", any);
    if (round_.size() > told_) {
      data.note("told", "at least the members of the round", fmt::format("{} of {}", told_, round_.size()));
    }
  }

  void read_pheromone(JsonReader& data) {
    const Json* tables = data.any("pheromone", true);
    const auto bad = [&](const Json& table) {
      return !table.is_array() || table.size() != rows_ || std::ranges::any_of(table, [&](const Json& tau) {
        return !tau.is_number_float() || !(tau.get<double>() >= least_ && tau.get<double>() <= 1.0);
      });
    };
    if (tables == nullptr) return;
    if (!tables->is_array() || tables->size() != pheromone_.size() || std::ranges::any_of(*tables, bad)) {
      data.note("pheromone", fmt::format("{} tables of {} numbers from {} to 1", pheromone_.size(), rows_, least_),
                describe(*tables), "resume with the options it was written with");
      return;
    }
    for (std::size_t i = 0; i < pheromone_.size(); ++i) pheromone_[i] = (*tables)[i].get<std::vector<double>>();
  }

  std::size_t ants_ = 0, capacity_ = 0, patience_ = 0;
  double evaporation_ = 0, least_ = 0;
  std::vector<std::vector<double>> directions_;  // by colony
  Decisions decisions_;
  std::vector<std::size_t> first_choice_;  // by dimension: its first row
  std::size_t rows_ = 0;
  std::vector<std::vector<double>> pheromone_;  // by colony, a number for each choice of each dimension
  Population archive_, round_;
  SeenValues seen_;
  Ranking ranking_;
  std::size_t told_ = 0;  // of this round
  std::size_t rounds_ = 0, unchanged_ = 0, restarts_ = 0;
};

}  // namespace

double least_pheromone(double sure, double dimensions, double choices) {
  const double each = std::pow(sure, 1.0 / dimensions);
  return std::min(1.0, (1.0 - each) / ((choices - 1.0) * each));
}

std::unique_ptr<Searcher> make_ant_colony(const SearchSpace& space, const SearcherSetup& setup) {
  return std::make_unique<AntColony>(space, setup);
}

}  // namespace ridgeline
