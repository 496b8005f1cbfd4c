#include "search/predicted/linas.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "search/predicted/out_of_sample.hpp"
#include "search/predicted/predicted_evolution.hpp"
#include "search/predicted/trial_memory.hpp"
#include "search/searcher_base.hpp"
#include "search/staged/held_front.hpp"

namespace ridgeline {
namespace {

constexpr int attempts = 16;  // at a random candidate that is new, before any will do

class Linas final : public SearcherBase {
 public:
  Linas(const SearchSpace& space, const SearcherSetup& setup)
      : SearcherBase(space, setup, "linas/3"), setup_(setup), text_(space), formats_(uniform_formats(space)) {
    OptionsReader options(setup);
    initial_ = options.count("initial", 24, 1, 1'000'000);
    round_ = options.count("round", 12, 1, 1'000'000);
    corners_ = options->number("corners", {.fallback = corners_, .least = 0.0, .most = 1.0});
    uniform_ = options->number("uniform", {.fallback = uniform_, .least = 0.0, .most = 1.0});
    evolution_.population = options.count("population", 60, 2, 1'000'000);
    evolution_.generations = options.count("generations", 40, 1, 1'000'000);
    evolution_.near = options->number("near", {.fallback = evolution_.near, .least = 0.0, .most = 1.0});
    prediction_ = read_prediction_options(*options, {}, {setup.costs});
    prediction_.shaped = options->boolean("shaped", false);
    memory_size_ = options.count("memory", 2000, 2, 1'000'000);
    options.done();
    memory_.emplace(space, setup, memory_size_);
    modelled_ = modelled_objectives(setup.objectives);
    for (std::size_t k = 0; k < modelled_.size(); ++k) errors_.emplace_back(memory_size_);
  }

  Json notes() const override {
    Json all = Json::array();
    for (std::size_t i = 0; i < modelled_.size(); ++i) {
      Json one = errors_[i].summary();
      one["objective"] = setup_.objectives[modelled_[i]].name;
      if (i < predicted_by_.size()) one["predicted_by"] = predicted_by_[i];
      all.push_back(std::move(one));
    }
    return {{"predictors", std::move(all)}};
  }

 private:
  std::vector<Genome> propose(std::size_t n) override {
    if (pending_.empty()) plan();
    n = std::min(n, pending_.size());
    return {pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(n)};
  }

  // The next round: pending_ and, where there is something to predict from, predicted_.
  void plan() {
    const std::size_t wanted = started_ ? round_ : initial_;
    std::vector<std::size_t> rows;
    for (std::size_t i = 0; i < memory_->size(); ++i) {
      if (memory_->trials()[i].has_values()) rows.push_back(i);
    }
    // A round without anything new has exhausted what evolution reaches: chance alone may still find something.
    const bool predicting = started_ && !stale_ && !rows.empty();
    stale_ = true;
    started_ = true;
    if (!predicting) {
      const bool first = memory_->size() == 0;
      while (first && begun_with() < warm().genomes.size() && pending_.size() < wanted) add_new(draw());
      if (first) add_corners();
      add_random(wanted, first ? uniform_ : 0.0);
      return;
    }
    make_given(prediction_, space());
    const PredictedObjectives models(space(), setup_, modelled_, prediction_, memory_->trials(), rows);
    pending_ = predicted_best(space(), setup_, models, *memory_, evolution_, rng().next(), wanted);
    add_random(wanted, 0.0);
    predicted_by_.clear();
    for (std::size_t k = 0; k < modelled_.size(); ++k) predicted_by_.push_back(models.predicted_by(k).text());
    predicted_.clear();
    const Eigen::MatrixXd values = models.predict(pending_);
    for (Eigen::Index i = 0; i < values.rows(); ++i) {
      for (Eigen::Index k = 0; k < values.cols(); ++k) predicted_.push_back(values(i, k));
    }
    // What cannot be told apart from a number must not enter the state.
    if (!std::all_of(predicted_.begin(), predicted_.end(), [](double v) { return std::isfinite(v); })) {
      predicted_.clear();
    }
  }

  // The first of the first candidates, by which predictors know both ends: every ordered dimension at its last or at
  // its first choice, in each number format throughout.
  void add_corners() {
    const auto architecture = [](const Dimension& dimension) {
      return dimension.ordered && dimension.group != GeneGroup::precision && dimension.choices.size() > 1;
    };
    if (std::ranges::none_of(space().dims(), architecture)) return;
    const auto most = static_cast<std::size_t>(corners_ * static_cast<double>(initial_));
    for (std::size_t i = 0; i < 2 * std::max<std::size_t>(formats_.size(), 1) && pending_.size() < most; ++i) {
      Genome corner;
      for (const Dimension& dimension : space().dims()) {
        const std::uint64_t choices = dimension.choices.size();
        const std::uint64_t end = i % 2 == 0 ? choices - 1 : 0;
        corner.genes.push_back(static_cast<std::uint16_t>(architecture(dimension) ? end : rng().below(choices)));
      }
      std::optional<Genome> made = formats_.empty() ? corner : in_format(space(), formats_[i / 2], corner);
      if (made && !space().violation(*made)) add_new(space().normalise(std::move(*made)));
    }
  }

  // Random ones; a share of them, spread evenly, has one number format throughout.
  void add_random(std::size_t wanted, double uniform) {
    while (pending_.size() < wanted) {
      const auto so_far = static_cast<double>(pending_.size());
      const bool one_format = !formats_.empty() && std::floor((so_far + 1) * uniform) > std::floor(so_far * uniform);
      Genome genome;
      bool added = false;
      for (int i = 0; i < attempts && !added; ++i) {
        genome = space().normalise(space().sample(rng()));
        if (one_format) {
          const UniformFormat& format = formats_[rng().below(formats_.size())];
          genome = in_format(space(), format, genome).value_or(genome);
        }
        added = add_new(genome);
      }
      if (!added) pending_.push_back(std::move(genome));
    }
  }

  // False, and nothing done, for a candidate that is known or in this round already.
  bool add_new(Genome genome) {
    if (memory_->knows(genome) || std::ranges::find(pending_, genome) != pending_.end()) return false;
    pending_.push_back(std::move(genome));
    return true;
  }

  void learn(std::span<const Trial> trials) override {
    const std::size_t width = predicted_.empty() ? 0 : modelled_.size();
    std::vector<Trial> untried;
    for (std::size_t i = 0; i < trials.size(); ++i) {
      const Trial& trial = trials[i];
      stale_ = stale_ && memory_->knows(trial.genome);
      if (trial.genome != pending_[i]) {  // another was tried in its place: it must not be proposed again and again
        untried.emplace_back();
        untried.back().genome = pending_[i];
        untried.back().status = Status::failed;
        continue;
      }
      if (!trial.has_values()) continue;
      for (std::size_t k = 0; k < width; ++k) {
        errors_[k].add(predicted_[i * width + k], trial.values[modelled_[k]]);
      }
    }
    memory_->add(trials);
    memory_->add(untried);
    const auto told = static_cast<std::ptrdiff_t>(trials.size());
    pending_.erase(pending_.begin(), pending_.begin() + told);
    predicted_.erase(predicted_.begin(), predicted_.begin() + told * static_cast<std::ptrdiff_t>(width));
    if (!pending_.empty()) return;
    for (OutOfSampleErrors& errors : errors_) errors.end_round();
  }

  void write(Json& data) const override {
    data["started"] = started_;
    data["stale"] = stale_;
    data["told"] = memory_->save();
    Json pending = Json::array();
    for (const Genome& genome : pending_) pending.push_back(text_.write(genome.genes));
    data["left"] = pending_.size();
    data["pending"] = std::move(pending);
    data["predicted"] = predicted_;
    data["predicted_by"] = predicted_by_;
    Json errors = Json::array();
    for (const OutOfSampleErrors& one : errors_) errors.push_back(one.save());
    data["errors"] = std::move(errors);
  }

  void read(JsonReader& data) override {
    started_ = data.boolean("started");
    stale_ = data.boolean("stale");
    memory_->load(data, "told");
    pending_.clear();
    const auto most = static_cast<std::int64_t>(started_ ? std::max(initial_, round_) : 0);
    const std::int64_t left = data.integer("left", {.fallback = {}, .least = 0, .most = most});
    for (const std::string& text : data.strings("pending")) {
      if (auto genome = text_.read(text, data, "pending")) pending_.push_back(std::move(*genome));
    }
    if (static_cast<std::int64_t>(pending_.size()) != left) {
      data.note("pending", fmt::format("{} genomes", left), fmt::to_string(pending_.size()));
    }
    predicted_ = data.numbers("predicted");
    if (!predicted_.empty() && predicted_.size() != pending_.size() * modelled_.size()) {
      data.note("predicted", fmt::format("{} numbers a pending candidate, or none", modelled_.size()),
                fmt::format("{} for {}", predicted_.size(), pending_.size()));
    }
    predicted_by_ = data.strings("predicted_by");
    for (const std::string& text : predicted_by_) {
      if (!PredictedBy::parse(text)) data.note("predicted_by", "'ridge on genes' or the like", "'" + text + "'");
    }
    if (!predicted_by_.empty() && predicted_by_.size() != modelled_.size()) {
      data.note("predicted_by", fmt::format("{} texts, or none", modelled_.size()),
                fmt::to_string(predicted_by_.size()));
    }
    std::vector<JsonReader> errors = data.array("errors");
    if (errors.size() != errors_.size()) {
      data.note("errors", fmt::format("those of {} objectives", errors_.size()), fmt::to_string(errors.size()));
    }
    for (std::size_t i = 0; i < std::min(errors.size(), errors_.size()); ++i) {
      if (!errors[i].value().is_object()) errors[i].note("", "an object", describe(errors[i].value()));
      errors_[i].load(errors[i]);
      errors[i].finish();
    }
  }

  SearcherSetup setup_;
  std::size_t initial_, round_, memory_size_;
  PredictedEvolution evolution_;
  PredictionOptions prediction_;
  GenomeText text_;
  double corners_ = 0.25, uniform_ = 0.5;
  std::vector<UniformFormat> formats_;
  std::vector<std::size_t> modelled_;      // the objectives that are predicted
  std::vector<std::string> predicted_by_;  // by what each of them was predicted in the latest round, for notes()
  std::vector<OutOfSampleErrors> errors_;  // of each
  std::optional<TrialMemory> memory_;
  std::vector<Genome> pending_;    // the rest of this round
  std::vector<double> predicted_;  // pending_.size() x modelled_.size(), minimised; empty where nothing was predicted
  bool started_ = false;
  bool stale_ = false;  // nothing told in this round was new
};

}  // namespace

std::unique_ptr<Searcher> make_linas(const SearchSpace& space, const SearcherSetup& setup) {
  return std::make_unique<Linas>(space, setup);
}

}  // namespace ridgeline
