#include "search/evolution/map_elites.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "search/evolution/variation.hpp"
#include "search/fronts/population.hpp"
#include "search/searcher_base.hpp"

namespace ridgeline {
namespace {

constexpr int attempts = 16;  // at a valid child, before a random candidate will do
constexpr std::size_t most_cells = 1'000'000;

// Of one axis of the grid.
struct Descriptor {
  bool by_value = false;  // of an objective; else of a dimension
  std::size_t index = 0;  // of the objective or the dimension
  double from = 0, to = 0;
  std::size_t cells = 1;

  std::size_t cell(std::span<const std::uint16_t> genes, std::span<const double> values) const {
    if (!by_value) return genes[index];
    const double place = (values[index] - from) / (to - from) * static_cast<double>(cells);
    return static_cast<std::size_t>(std::clamp(std::floor(place), 0.0, static_cast<double>(cells - 1)));
  }
};

class MapElites final : public SearcherBase {
 public:
  MapElites(const SearchSpace& space, const SearcherSetup& setup)
      : SearcherBase(space, setup, "map-elites/1"), elites_(space, setup), told_one_(space, setup), variation_(space) {
    OptionsReader options(setup);
    const bool given = options->has("descriptors");
    for (JsonReader& one : options->array("descriptors", false)) read_descriptor(one, setup);
    if (!given) take_dimensions();
    double cells = 1;
    for (const Descriptor& descriptor : descriptors_) cells *= static_cast<double>(descriptor.cells);
    if (descriptors_.size() > 8 || cells > static_cast<double>(most_cells)) {
      options->note("descriptors", fmt::format("at most 8, of at most {} cells together", most_cells),
                    fmt::format("{} of {} cells", descriptors_.size(), cells));
    }
    initial_ = options.count("initial", 24, 1, 1'000'000);
    crossover_ = options->number("crossover", {.fallback = 0.5, .least = 0.0, .most = 1.0});
    mutation_ = options->number("mutation", {.fallback = 1.0, .least = 0.0, .most = 1e6});
    options.done();
    cells_ = static_cast<std::size_t>(cells);
  }

  Json notes() const override { return {{"cells", cells_}, {"filled", elites_.size()}}; }

 private:
  void read_descriptor(JsonReader& reader, const SearcherSetup& setup) {
    Descriptor descriptor;
    if (reader.has("dimension")) {
      const std::string name = reader.string("dimension");
      const auto found = std::ranges::find(space().dims(), name, &Dimension::name);
      if (found == space().dims().end()) {
        std::vector<std::string> known;
        for (const Dimension& dimension : space().dims()) known.push_back(dimension.name);
        reader.note("dimension", "a dimension of the space", "'" + name + "'", known_words(name, known));
        return;
      }
      descriptor.index = static_cast<std::size_t>(found - space().dims().begin());
      descriptor.cells = found->choices.size();
    } else {
      const std::string name = reader.string("objective");
      const auto found = std::ranges::find(setup.objectives, name, &Objective::name);
      if (found == setup.objectives.end()) {
        std::vector<std::string> known;
        for (const Objective& objective : setup.objectives) known.push_back(objective.name);
        reader.note("objective", "an objective of the study", "'" + name + "'", known_words(name, known));
        return;
      }
      descriptor.by_value = true;
      descriptor.index = static_cast<std::size_t>(found - setup.objectives.begin());
      descriptor.from = reader.number("from");
      descriptor.to = reader.number("to");
      descriptor.cells =
          static_cast<std::size_t>(reader.integer("cells", {.fallback = 10, .least = 1, .most = 100'000}));
      if (!(descriptor.from < descriptor.to)) reader.note("to", "more than \"from\"", std::to_string(descriptor.to));
      // Values are minimised: those of an objective that is maximised come with the other sign.
      if (found->direction == Direction::maximise) {
        descriptor.from = -std::exchange(descriptor.to, -descriptor.from);
      }
    }
    reader.finish();
    descriptors_.push_back(descriptor);
  }

  void take_dimensions() {
    for (std::size_t i = 0; i < space().dims().size() && descriptors_.size() < 2; ++i) {
      const std::size_t choices = space().dims()[i].choices.size();
      if (choices > 1) descriptors_.push_back({false, i, 0, 0, choices});
    }
  }

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
      const std::size_t cell = cell_of(trial.genome.genes, trial.values);
      const auto [place, fresh] = places_.try_emplace(cell, elites_.size());
      if (fresh) {
        elites_.add(told_one_, 0);
        cell_of_elite_.push_back(cell);
      } else if (better(place->second)) {
        elites_.replace(place->second, told_one_, 0);
      }
    }
  }

  std::size_t cell_of(std::span<const std::uint16_t> genes, std::span<const double> values) const {
    std::size_t cell = 0;
    for (const Descriptor& descriptor : descriptors_) {
      cell = cell * descriptor.cells + descriptor.cell(genes, values);
    }
    return cell;
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
    elites_.load(data, "elites", cells_);
    told_ = static_cast<std::size_t>(data.integer("told", {.fallback = {}, .least = 0}));
    places_.clear();
    cell_of_elite_.clear();
    for (const double cell : data.numbers("cells")) {
      const bool whole = cell >= 0 && cell < static_cast<double>(cells_) && cell == std::floor(cell);
      if (!whole || !places_.try_emplace(static_cast<std::size_t>(cell), cell_of_elite_.size()).second) {
        data.note("cells", fmt::format("different whole numbers below {}", cells_), fmt::to_string(cell));
        return;
      }
      cell_of_elite_.push_back(static_cast<std::size_t>(cell));
    }
    if (cell_of_elite_.size() != elites_.size()) {
      data.note("cells", fmt::format("one for each of {} candidates", elites_.size()),
                fmt::to_string(cell_of_elite_.size()));
    }
  }

  std::vector<Descriptor> descriptors_;
  std::size_t cells_ = 1;
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
