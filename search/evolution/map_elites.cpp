#include "search/evolution/map_elites.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_map>

#include "search/evolution/elite_grid.hpp"
#include "search/evolution/variation.hpp"
#include "search/fronts/population.hpp"
#include "search/searcher_base.hpp"

namespace ridgeline {
namespace {

constexpr int attempts = 16;  // at a valid child, before a random candidate will do
class MapElites final : public SearcherBase {
 public:
  MapElites(const SearchSpace& space, const SearcherSetup& setup)
      : SearcherBase(space, setup, "map-elites/1"), elites_(space, setup), told_one_(space, setup), variation_(space) {
    OptionsReader options(setup);
    grid_.emplace(*options, space, setup.objectives);
    initial_ = options.count("initial", 24, 1, 1'000'000);
    crossover_ = options->number("crossover", {.fallback = 0.5, .least = 0.0, .most = 1.0});
    mutation_ = options->number("mutation", {.fallback = 1.0, .least = 0.0, .most = 1e6});
    options.done();
  }

  Json notes() const override { return {{"cells", grid_->cells()}, {"filled", elites_.size()}}; }

 private:
  std::vector<Genome> propose(std::size_t n) override {
    std::vector<Genome> genomes;
    for (std::size_t i = 0; i < n; ++i) {
      genomes.push_back(told_ + i < initial_ || elites_.empty() ? draw() : child());
    }
    return genomes;
  }

  Genome child() {
    for (int i = 0; i < attempts; ++i) {
      const Genome first = elites_.genome(rng().below(elites_.size()));
      const bool two = rng().chance(crossover_);
      const Genome second = two ? elites_.genome(rng().below(elites_.size())) : first;
      if (auto made = variation_.breed(first, second, mutation_, rng())) {
        return std::move(*made);
      }
    }
    return draw();
  }

  void learn(std::span<const Trial> trials) override {
    for (const Trial& trial : trials) {
      ++told_;
      told_one_.clear();
      if (!trial.has_values() || !told_one_.add(trial)) continue;
      const std::size_t cell = grid_->cell(trial.genome.genes, trial.values);
      const auto [place, fresh] = places_.try_emplace(cell, elites_.size());
      if (fresh) {
        elites_.add(told_one_, 0);
        cell_of_elite_.push_back(cell);
      } else if (better(place->second)) {
        elites_.replace(place->second, told_one_, 0);
      }
    }
  }

  bool better(std::size_t elite) const {  // the one told last
    if (told_one_.violation(0) != elites_.violation(elite)) return told_one_.violation(0) < elites_.violation(elite);
    return told_one_.violation(0) == 0.0 && told_one_.values(0)[0] < elites_.values(elite)[0];
  }

  void write(Json& data) const override {
    data["elites"] = elites_.save();
    data["cells"] = std::vector<double>(cell_of_elite_.begin(), cell_of_elite_.end());
    data["told"] = told_;
  }

  void read(JsonReader& data) override {
    elites_.load(data, "elites", grid_->cells());
    told_ = static_cast<std::size_t>(data.integer("told", {.fallback = {}, .least = 0}));
    places_.clear();
    cell_of_elite_.clear();
    for (const double cell : data.numbers("cells")) {
      const bool whole = cell >= 0 && cell < static_cast<double>(grid_->cells()) && cell == std::floor(cell);
      if (!whole || !places_.try_emplace(static_cast<std::size_t>(cell), cell_of_elite_.size()).second) {
        data.note("cells", fmt::format("different whole numbers below {}", grid_->cells()), fmt::to_string(cell));
        return;
      }
      cell_of_elite_.push_back(static_cast<std::size_t>(cell));
    }
    if (cell_of_elite_.size() != elites_.size()) {
      data.note("cells", fmt::format("one for each of {} candidates", elites_.size()),
                fmt::to_string(cell_of_elite_.size()));
    }
  }

  std::optional<EliteGrid> grid_;  // there once made
  std::size_t initial_ = 0;
  double crossover_ = 0, mutation_ = 0;
  Population elites_;
  Population told_one_;
  std::vector<std::size_t> cell_of_elite_;               // by elite
  std::unordered_map<std::size_t, std::size_t> places_;  // the elite of a cell
  std::size_t told_ = 0;
  Variation variation_;
};

}  // namespace

std::unique_ptr<Searcher> make_map_elites(const SearchSpace& space, const SearcherSetup& setup) {
  return std::make_unique<MapElites>(space, setup);
}

}  // namespace ridgeline
