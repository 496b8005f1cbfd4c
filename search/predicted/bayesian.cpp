#include "search/predicted/bayesian.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <unordered_set>

#include "search/evolution/variation.hpp"
#include "search/predicted/improvement.hpp"
#include "search/predicted/predicted_evolution.hpp"
#include "search/predicted/trial_memory.hpp"
#include "search/searcher_base.hpp"

namespace ridgeline {
namespace {

constexpr int attempts = 16;         // at a random candidate that is new, before any will do
constexpr std::size_t parents = 20;  // of the children that are looked at

// Values of the optimised objectives as they are predicted, in their shapes, each scaled so that the range told is 1.
class Scale {
 public:
  Scale(const PredictedObjectives& models, std::span<const std::size_t> modelled, std::span<const Trial> trials,
        std::span<const std::size_t> rows, std::span<const std::size_t> optimised) {
    for (const std::size_t k : optimised) {
      const auto column = static_cast<std::size_t>(std::ranges::find(modelled, k) - modelled.begin());
      axes_.push_back({k, static_cast<Eigen::Index>(column), &models.shape(column), 0.0, 1.0});
      double low = std::numeric_limits<double>::infinity(), high = -low;
      for (const std::size_t row : rows) {
        const double value = (*axes_.back().shape)(trials[row].values[k]);
        low = std::min(low, value);
        high = std::max(high, value);
      }
      axes_.back().least = low;
      if (high > low) axes_.back().range = high - low;
    }
  }

  Point told(const std::vector<double>& values) const {
    Point point;
    for (const Axis& axis : axes_) point.push_back(((*axis.shape)(values[axis.objective]) - axis.least) / axis.range);
    return point;
  }
  std::vector<Normal> predicted(const PredictedObjectives::Uncertain& of, Eigen::Index row) const {
    std::vector<Normal> values;
    for (const Axis& axis : axes_) {
      values.push_back(
          {(of.mean(row, axis.column) - axis.least) / axis.range, of.deviation(row, axis.column) / axis.range});
    }
    return values;
  }

 private:
  struct Axis {
    std::size_t objective = 0;
    Eigen::Index column = 0;  // of the predictions
    const ValueShape* shape = nullptr;
    double least = 0, range = 1;
  };
  std::vector<Axis> axes_;
};

// What a searcher of this kind is where its options do not say.
struct Kind {
  std::string signature;
  PredictionOptions prediction;
  std::string acquisition;
  std::int64_t initial;
};

class Bayesian final : public SearcherBase {
 public:
  Bayesian(const SearchSpace& space, const SearcherSetup& setup, const Kind& kind)
      : SearcherBase(space, setup, kind.signature), setup_(setup), variation_(space) {
    static const std::vector<std::string> acquisitions{"improvement", "parego", "thompson"};
    OptionsReader options(setup);
    prediction_ = read_prediction_options(*options, kind.prediction, {setup.costs});
    prediction_.shaped = options->boolean("shaped", true);
    const std::string acquisition = options->word("acquisition", acquisitions, kind.acquisition);
    parego_ = acquisition == "parego";
    thompson_ = acquisition == "thompson";
    noisy_ = options->boolean("noisy", false);
    initial_ = options.count("initial", kind.initial, 1, 1'000'000);
    pool_ = options.count("pool", 300, 2, 1'000'000);
    samples_ = options.count("samples", 64, 1, 1'000'000);
    const std::size_t memory = options.count("memory", 500, 2, 1'000'000);
    options.done();
    memory_.emplace(space, setup, memory);
    modelled_ = modelled_objectives(setup.objectives);
    for (std::size_t k = 0; k < setup.objectives.size(); ++k) {
      if (!setup.objectives[k].constraint_only) optimised_.push_back(k);
    }
  }

 private:
  std::vector<Genome> propose(std::size_t n) override {
    std::vector<std::size_t> rows;
    for (std::size_t i = 0; i < memory_->size(); ++i) {
      if (memory_->trials()[i].has_values()) rows.push_back(i);
    }
    asked_.clear();
    if (told_ < initial_) n = std::min(n, initial_ - told_);
    if (told_ < initial_ || rows.empty()) {
      std::vector<Genome> drawn(n);
      for (Genome& genome : drawn) genome = draw();
      return drawn;
    }
    return most_promising(n, rows);
  }

  Genome draw() {
    Genome genome;
    for (int i = 0; i < attempts; ++i) {
      genome = SearcherBase::draw();
      if (!memory_->knows(genome) && asked_.insert(hash_genes(genome.genes)).second) break;
    }
    return genome;
  }

  std::vector<Genome> most_promising(std::size_t n, std::span<const std::size_t> rows) {
    const std::span<const Trial> trials = memory_->trials();
    make_given(prediction_, space());
    if (prediction_.features == FeatureChoice::paths && !prediction_.given.paths) {
      prediction_.features = FeatureChoice::genes;  // all networks are alike
    }
    const PredictedObjectives models(space(), setup_, modelled_, prediction_, trials, rows);
    const Scale scale(models, modelled_, trials, rows, optimised_);
    std::vector<Point> front = front_of(models, scale, rows);
    std::vector<Genome> chosen;
    while (chosen.size() < n) {
      const Goal goal = next_goal(front);
      std::vector<Looked> looked = look(models, scale, goal, begin(), front.empty());
      std::vector<Genome> best;
      for (std::size_t i = 0; i < std::min(parents, looked.size()); ++i) best.push_back(looked[i].genome);
      for (Looked& one : look(models, scale, goal, children(best), front.empty())) looked.push_back(std::move(one));
      const auto most = std::ranges::min_element(looked, before);
      if (most == looked.end()) {  // nothing new was found, nor would be for the rest of the batch
        while (chosen.size() < n) chosen.push_back(draw());
        break;
      }
      asked_.insert(hash_genes(most->genome.genes));
      chosen.push_back(most->genome);
      front.push_back(most->point);  // believed
      front = non_dominated_of(front);
    }
    return chosen;
  }

  // What improvement is measured by: the front, or one number with weights of its own for each proposal.
  struct Goal {
    std::vector<double> weights;  // empty: the front's hypervolume
    HypervolumeImprovement improvement;
  };

  Goal next_goal(const std::vector<Point>& front) {
    const std::size_t m = optimised_.size();
    if ((parego_ && m > 1) || thompson_) {
      std::vector<double> weights(m);
      double sum = 0;
      for (double& weight : weights) sum += weight = -std::log(1.0 - rng().uniform());  // uniform on the simplex
      for (double& weight : weights) weight /= sum;
      if (thompson_) return {weights, HypervolumeImprovement({}, {1.0})};  // which is not looked at
      std::vector<Point> least;
      for (const Point& point : front) least.push_back({scalarised(point, weights)});
      return {weights, HypervolumeImprovement(non_dominated_of(least), {10.0})};
    }
    Point reference(m, front.empty() ? 1.1 : -std::numeric_limits<double>::infinity());
    for (const Point& point : front) {
      for (std::size_t k = 0; k < m; ++k) reference[k] = std::max(reference[k], point[k] + 0.1);
    }
    return {{}, HypervolumeImprovement(front, reference, samples_)};
  }

  // The augmented Tchebycheff function.
  static double scalarised(const Point& point, const std::vector<double>& weights) {
    double most = -std::numeric_limits<double>::infinity(), sum = 0;
    for (std::size_t k = 0; k < point.size(); ++k) {
      most = std::max(most, weights[k] * point[k]);
      sum += weights[k] * point[k];
    }
    return most + 0.05 * sum;
  }

  static std::vector<Point> non_dominated_of(const std::vector<Point>& points) {
    std::vector<Point> kept;
    for (const std::size_t i : non_dominated(points)) kept.push_back(points[i]);
    return kept;
  }

  std::vector<Point> front_of(const PredictedObjectives& models, const Scale& scale,
                              std::span<const std::size_t> rows) const {
    std::vector<Genome> feasible;
    std::vector<Point> points;
    for (const std::size_t row : rows) {
      const Trial& trial = memory_->trials()[row];
      if (trial.status != Status::ok) continue;
      feasible.push_back(trial.genome);
      points.push_back(scale.told(trial.values));
    }
    if (noisy_ && !feasible.empty()) {
      const PredictedObjectives::Uncertain predicted = models.predict_uncertain(feasible);
      for (std::size_t i = 0; i < points.size(); ++i) {
        points[i] = means(scale.predicted(predicted, static_cast<Eigen::Index>(i)));
      }
    }
    return points.empty() ? points : non_dominated_of(points);
  }

  static Point means(const std::vector<Normal>& values) {
    Point point;
    for (const Normal& value : values) point.push_back(value.mean);
    return point;
  }

  std::vector<Genome> begin() {
    std::vector<Genome> best;
    for (const std::size_t i : memory_->best(parents)) best.push_back(memory_->trials()[i].genome);
    std::vector<Genome> pool = children(best);
    std::unordered_set<std::uint64_t> met;
    for (const Genome& genome : pool) met.insert(hash_genes(genome.genes));
    for (std::size_t tried = 0; tried < 4 * pool_ && pool.size() < pool_; ++tried) {
      Genome genome = space().normalise(space().sample(rng()));
      if (is_new(genome, met)) pool.push_back(std::move(genome));
    }
    return pool;
  }

  // Half a pool.
  std::vector<Genome> children(const std::vector<Genome>& best) {
    std::vector<Genome> made;
    std::unordered_set<std::uint64_t> met;
    for (std::size_t tried = 0; !best.empty() && tried < 4 * pool_ && made.size() < pool_ / 2; ++tried) {
      const Genome& first = best[rng().below(best.size())];
      const Genome& second = rng().chance(0.5) ? best[rng().below(best.size())] : first;
      auto child = variation_.breed(first, second, 1.0, rng());
      if (child && is_new(*child, met)) made.push_back(std::move(*child));
    }
    return made;
  }

  bool is_new(const Genome& genome, std::unordered_set<std::uint64_t>& met) const {
    const std::uint64_t hash = hash_genes(genome.genes);
    return !memory_->knows(genome) && !asked_.contains(hash) && met.insert(hash).second;
  }

  struct Looked {
    Genome genome;
    Point point;  // predicted
    double worth = 0;
    double excess = 0;  // over the limits, of drawn values
  };
  static bool before(const Looked& a, const Looked& b) {
    return a.excess != b.excess ? a.excess < b.excess : a.worth > b.worth;
  }

  // The most promising first.
  std::vector<Looked> look(const PredictedObjectives& models, const Scale& scale, const Goal& goal,
                           std::vector<Genome> genomes, bool nothing_feasible) {
    std::vector<Looked> looked;
    if (genomes.empty()) return looked;
    const PredictedObjectives::Uncertain predicted = models.predict_uncertain(genomes);
    for (std::size_t i = 0; i < genomes.size(); ++i) {
      const std::vector<Normal> values = scale.predicted(predicted, static_cast<Eigen::Index>(i));
      if (thompson_) {
        const double excess = drawn_excess(models, predicted, static_cast<Eigen::Index>(i));
        const double worth = -scalarised(drawn_values(values), goal.weights);
        if (std::isfinite(worth)) looked.push_back({std::move(genomes[i]), means(values), worth, excess});
        continue;
      }
      const double feasible = probability_feasible(models, predicted, static_cast<Eigen::Index>(i));
      const double worth = nothing_feasible ? feasible : feasible * improvement_of(goal, values);
      if (std::isfinite(worth)) looked.push_back({std::move(genomes[i]), means(values), worth});
    }
    std::ranges::stable_sort(looked, before);
    return looked;
  }

  double drawn_value(double mean, double deviation) { return mean + deviation * rng().normal(); }

  Point drawn_values(const std::vector<Normal>& values) {
    Point point;
    for (const Normal& value : values) point.push_back(drawn_value(value.mean, value.deviation));
    return point;
  }

  // How far drawn values are beyond their limits, in their deviations.
  double drawn_excess(const PredictedObjectives& models, const PredictedObjectives::Uncertain& predicted,
                      Eigen::Index row) {
    double excess = 0;
    for (std::size_t k = 0; k < modelled_.size(); ++k) {
      const Objective& objective = setup_.objectives[modelled_[k]];
      if (!objective.limit) continue;
      const auto column = static_cast<Eigen::Index>(k);
      const double deviation = predicted.deviation(row, column);
      const double drawn = drawn_value(predicted.mean(row, column), deviation);
      const double over = drawn - models.shape(k)(minimised_limit(objective));
      if (over > 0) excess += over / std::max(deviation, std::numeric_limits<double>::min());
    }
    return excess;
  }

  static double minimised_limit(const Objective& objective) {
    return objective.direction == Direction::maximise ? -*objective.limit : *objective.limit;
  }

  static double improvement_of(const Goal& goal, const std::vector<Normal>& values) {
    if (goal.weights.empty()) return goal.improvement.expected(values);
    double variance = 0;
    for (std::size_t k = 0; k < values.size(); ++k) {
      variance += std::pow(goal.weights[k] * values[k].deviation, 2);
    }
    const Normal one{scalarised(means(values), goal.weights), std::sqrt(variance)};
    return goal.improvement.expected({&one, 1});
  }

  double probability_feasible(const PredictedObjectives& models, const PredictedObjectives::Uncertain& predicted,
                              Eigen::Index row) const {
    double all = 1.0;
    for (std::size_t k = 0; k < modelled_.size(); ++k) {
      const Objective& objective = setup_.objectives[modelled_[k]];
      if (!objective.limit) continue;
      const auto column = static_cast<Eigen::Index>(k);
      const double limit = models.shape(k)(minimised_limit(objective));
      all *= probability_below(limit, {predicted.mean(row, column), predicted.deviation(row, column)});
    }
    return all;
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

  SearcherSetup setup_;
  PredictionOptions prediction_;
  bool parego_ = false, thompson_ = false, noisy_ = false;
  std::size_t initial_ = 0, pool_ = 0, samples_ = 0;
  std::vector<std::size_t> modelled_, optimised_;
  std::optional<TrialMemory> memory_;
  std::size_t told_ = 0;
  std::unordered_set<std::uint64_t> asked_;  // of this batch
  Variation variation_;
};

}  // namespace

std::unique_ptr<Searcher> make_bayesian(const SearchSpace& space, const SearcherSetup& setup) {
  const Kind kind{"bayesian/1", {"gp", FeatureChoice::genes_profile}, "improvement", 8};
  return std::make_unique<Bayesian>(space, setup, kind);
}

std::unique_ptr<Searcher> make_bananas(const SearchSpace& space, const SearcherSetup& setup) {
  const Kind kind{"bananas/1", {"mlp", FeatureChoice::paths}, "thompson", 10};
  return std::make_unique<Bayesian>(space, setup, kind);
}

}  // namespace ridgeline
