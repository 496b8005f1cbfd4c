#include "search/predicted/boshnas.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <unordered_set>

#include "search/predicted/confidence_descent.hpp"
#include "search/predicted/nearest_genomes.hpp"
#include "search/predicted/predicted_evolution.hpp"
#include "search/predicted/trial_memory.hpp"
#include "search/predicted/value_shape.hpp"
#include "search/searcher_base.hpp"

namespace ridgeline {
namespace {

constexpr int attempts = 16;  // at a random candidate that is new, before any will do

std::vector<Eigen::Index> hidden_units(JsonReader& options) {
  const std::vector<Eigen::Index> fallback{32, 32};
  if (!options.has("hidden")) return fallback;
  std::vector<Eigen::Index> hidden;
  for (const double units : options.numbers("hidden")) {
    if (!(units >= 1 && units <= 10'000 && std::floor(units) == units)) {
      options.note("hidden", "whole numbers of units from 1 to 10,000", "others");
      return fallback;
    }
    hidden.push_back(static_cast<Eigen::Index>(units));
  }
  if (!hidden.empty()) return hidden;
  options.note("hidden", "at least one layer", "none");
  return fallback;
}

// An objective's values as they are learnt: shaped, then from 0 to 1 over the range told.
struct Scale {
  ValueShape shape;
  double least = 0, range = 1;
  double operator()(double value) const { return (shape(value) - least) / range; }
};

class Boshnas final : public SearcherBase {
 public:
  Boshnas(const SearchSpace& space, const SearcherSetup& setup)
      : SearcherBase(space, setup, "boshnas/1"), objectives_(setup.objectives), nearest_(space) {
    OptionsReader options(setup);
    initial_ = options.count("initial", 10, 1, 1'000'000);
    aleatoric_ = options->number("aleatoric", {.fallback = aleatoric_, .least = 0.0, .most = 1e6});
    epistemic_ = options->number("epistemic", {.fallback = epistemic_, .least = 0.0, .most = 1e6});
    starts_ = options.count("starts", 8, 1, 100'000);
    near_ = options.count("near", 8, 1, 100'000);
    descent_.steps = options.count("steps", 30, 1, 1'000'000);
    descent_.rate = options->number("rate", {.fallback = descent_.rate, .least = 1e-6, .most = 1.0});
    descent_.second_order = options->boolean("second_order", true);
    uncertain_ = options->number("uncertain", {.fallback = uncertain_, .least = 0.0, .most = 1.0});
    random_ = options->number("random", {.fallback = random_, .least = 0.0, .most = 1.0});
    networks_.members = options.count("members", 4, 1, 1'000);
    networks_.most_epochs = options.count("epochs", 150, 1, 1'000'000);
    networks_.hidden = hidden_units(*options);
    networks_.variances = true;
    networks_.seed = Rng::derive(setup.seed, "boshnas networks", 0);
    shaped_ = options->boolean("shaped", true);
    const std::size_t memory = options.count("memory", 500, 2, 1'000'000);
    options.done();
    memory_.emplace(space, setup, memory);
    modelled_ = modelled_objectives(setup.objectives);
  }

 private:
  struct Model {
    std::vector<MlpEnsemble> networks;  // one a modelled objective
    std::vector<ConfidenceBounds::Value> values;
  };

  std::vector<Genome> propose(std::size_t n) override {
    std::vector<std::size_t> rows;
    for (std::size_t i = 0; i < memory_->size(); ++i) {
      if (memory_->trials()[i].has_values()) rows.push_back(i);
    }
    asked_.clear();
    if (told_ < initial_) n = std::min(n, initial_ - told_);
    std::vector<Genome> proposed(n);
    if (told_ < initial_ || rows.empty()) {
      for (Genome& genome : proposed) genome = draw();
      return proposed;
    }
    const Model model = fitted(rows);
    const ConfidenceBounds bounds(model.values, aleatoric_, epistemic_);
    for (Genome& genome : proposed) genome = rng().chance(random_) ? draw() : descend(bounds);
    return proposed;
  }

  Genome draw() {
    Genome genome;
    for (int i = 0; i < attempts; ++i) {
      genome = SearcherBase::draw();
      if (is_new(genome)) break;
    }
    asked_.insert(hash_genes(genome.genes));
    return genome;
  }

  bool is_new(const Genome& genome) const {
    return !memory_->knows(genome) && !asked_.contains(hash_genes(genome.genes));
  }

  Model fitted(std::span<const std::size_t> rows) const {
    std::vector<Genome> genomes;
    for (const std::size_t row : rows) genomes.push_back(memory_->trials()[row].genome);
    const Eigen::MatrixXd inputs = nearest_.features().rows(genomes);
    Model model;
    model.networks.assign(modelled_.size(), MlpEnsemble(networks_));
    for (std::size_t k = 0; k < modelled_.size(); ++k) {
      const Objective& objective = objectives_[modelled_[k]];
      Eigen::VectorXd y(inputs.rows());
      for (std::size_t i = 0; i < rows.size(); ++i) {
        y[static_cast<Eigen::Index>(i)] = memory_->trials()[rows[i]].values[modelled_[k]];
      }
      const Scale scale = scale_of(y);
      model.networks[k].fit(inputs, y.unaryExpr([&](double value) { return scale(value); }));
      ConfidenceBounds::Value value{&model.networks[k], !objective.constraint_only};
      if (objective.limit) value.limit = scale(minimised(*objective.limit, objective.direction));
      model.values.push_back(value);
    }
    return model;
  }

  Scale scale_of(const Eigen::VectorXd& y) const {
    Scale scale;
    if (shaped_) scale.shape = ValueShape::logarithmic({y.data(), static_cast<std::size_t>(y.size())});
    const Eigen::VectorXd shaped = y.unaryExpr([&](double value) { return scale.shape(value); });
    scale.least = shaped.minCoeff();
    const double range = shaped.maxCoeff() - scale.least;
    if (range > 0) scale.range = range;
    return scale;
  }

  Aim next_aim() {
    const auto optimised = std::ranges::count(objectives_, false, &Objective::constraint_only);
    Aim aim{std::vector<double>(static_cast<std::size_t>(optimised)), rng().chance(uncertain_)};
    double sum = 0;
    for (double& weight : aim.weights) sum += weight = -std::log(1.0 - rng().uniform());  // uniform on the simplex
    for (double& weight : aim.weights) weight /= sum;
    return aim;
  }

  // Of the candidates around the ends of all descents the one that the bounds like best.
  Genome descend(const ConfidenceBounds& bounds) {
    const std::vector<Aim> aims(starts_, next_aim());
    const Eigen::MatrixXd ends = descended(bounds, nearest_.features().rows(starts()), aims, descent_, rng());
    std::vector<Genome> around;
    std::unordered_set<std::uint64_t> met;
    for (Eigen::Index i = 0; i < ends.rows(); ++i) {
      for (Genome& genome : nearest_.near(ends.row(i), near_, [&](const Genome& one) { return is_new(one); })) {
        if (met.insert(hash_genes(genome.genes)).second) around.push_back(std::move(genome));
      }
    }
    if (around.empty()) return draw();
    const std::vector<Aim> same(around.size(), aims.front());
    const Eigen::VectorXd worth = bounds(nearest_.features().rows(around), same);
    Eigen::Index best = 0;
    worth.minCoeff(&best);
    Genome chosen = around[static_cast<std::size_t>(best)];
    asked_.insert(hash_genes(chosen.genes));
    return chosen;
  }

  std::vector<Genome> starts() {
    std::vector<Genome> begun;
    for (const std::size_t i : memory_->best((starts_ + 1) / 2)) begun.push_back(memory_->trials()[i].genome);
    while (begun.size() < starts_) begun.push_back(space().normalise(space().sample(rng())));
    return begun;
  }

  void learn(std::span<const Trial> trials) override {
    memory_->add(trials);
    told_ += trials.size();
  }

  void write(Json& data) const override {
    data["told"] = told_;
    data["memory"] = memory_->save();
  }
  void read(JsonReader& data) override {
    told_ = static_cast<std::size_t>(data.integer("told", {.fallback = {}, .least = 0}));
    memory_->load(data, "memory");
  }

  std::vector<Objective> objectives_;
  NearestGenomes nearest_;
  std::size_t initial_ = 0, starts_ = 0, near_ = 0;
  double aleatoric_ = 0.5, epistemic_ = 1.0, uncertain_ = 0.1, random_ = 0.1;
  InputDescentOptions descent_;
  MlpOptions networks_;
  bool shaped_ = true;
  std::vector<std::size_t> modelled_;
  std::optional<TrialMemory> memory_;
  std::size_t told_ = 0;
  std::unordered_set<std::uint64_t> asked_;  // of this batch
};

}  // namespace

std::unique_ptr<Searcher> make_boshnas(const SearchSpace& space, const SearcherSetup& setup) {
  return std::make_unique<Boshnas>(space, setup);
}

}  // namespace ridgeline
