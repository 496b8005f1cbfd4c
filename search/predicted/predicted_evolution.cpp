#include "search/predicted/predicted_evolution.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "predictors/gaussian_process.hpp"
#include "search/evolution/nsga2.hpp"
#include "search/evolution/variation.hpp"
#include "search/fronts/ranking.hpp"
#include "search/predicted/path_profile.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t children_each = 4;  // bred for each wanted of them
constexpr std::size_t attempts_each = 8;  // at a valid and new one for each child
constexpr std::size_t most_thinned = 4;   // times the wanted number: of longer fronts the loneliest are thinned

// What a quick fit may take: its cost is that of features times the square of the trials, or their cube.
constexpr std::size_t most_slow_trials = 600;

constexpr const char* ridge = "ridge";
constexpr const char* gaussian_process = "gp";

// What is tried where nothing is said. The networks' features are for sums over operators, which ridge has right.
std::span<const PredictedBy> tried() {
  static const std::vector<PredictedBy> all{{ridge, FeatureChoice::genes},
                                            {ridge, FeatureChoice::pairs},
                                            {ridge, FeatureChoice::network},
                                            {gaussian_process, FeatureChoice::genes},
                                            {gaussian_process, FeatureChoice::architecture},
                                            {gaussian_process, FeatureChoice::profile},
                                            {ridge, FeatureChoice::genes_costs},
                                            {gaussian_process, FeatureChoice::genes_costs}};
  return all;
}

// By the set of features, what is to be fitted on it.
std::map<FeatureChoice, std::vector<std::string>> candidates(const PredictionOptions& options) {
  const bool any_predictor = options.predictor == "auto", any_features = options.features == FeatureChoice::automatic;
  std::map<FeatureChoice, std::vector<std::string>> chosen;
  for (const PredictedBy& one : tried()) {
    if (!any_predictor && one.predictor != options.predictor) continue;
    if (any_features || one.features == options.features) chosen[one.features].push_back(one.predictor);
  }
  if (chosen.empty()) {
    chosen[any_features ? FeatureChoice::genes : options.features].push_back(any_predictor ? ridge : options.predictor);
  }
  return chosen;
}

// The `count` members of `front` that are left when the most crowded one is dropped again and again.
std::vector<std::uint32_t> thinned(const Population& all, std::span<const std::uint32_t> front, std::size_t count) {
  std::vector<std::uint32_t> left(front.begin(), front.end());
  Population members = all;
  members.keep(left);
  Ranking ranking;
  ranking.update(members, members.size());
  const auto keep = [&](std::vector<std::uint32_t> places) {
    for (std::size_t i = 0; i < places.size(); ++i) left[i] = left[places[i]];
    left.resize(places.size());
    members.keep(places);
    ranking.update(members, members.size());
  };
  if (left.size() > most_thinned * count) {
    const auto best = ranking.best(most_thinned * count);
    keep({best.begin(), best.end()});
  }
  while (left.size() > count) {
    std::uint32_t worst = 0;
    for (std::uint32_t i = 1; i < left.size(); ++i) worst = ranking.before(worst, i) ? i : worst;
    std::vector<std::uint32_t> rest(left.size());
    std::iota(rest.begin(), rest.end(), 0U);
    rest.erase(rest.begin() + worst);
    keep(std::move(rest));
  }
  return left;
}

std::vector<Genome> choose(const Population& found, std::size_t count) {
  Ranking ranking;
  ranking.update(found, found.size());
  std::vector<Genome> chosen;
  for (std::size_t rank = 0; rank < ranking.fronts() && chosen.size() < count; ++rank) {
    for (const std::uint32_t member : thinned(found, ranking.front(rank), count - chosen.size())) {
      chosen.push_back(found.genome(member));
    }
  }
  return chosen;
}

// At most `count` valid children of the `parents` best that were told, not remembered themselves.
std::vector<Genome> bred_from_best(const SearchSpace& space, const TrialMemory& memory, std::size_t parents,
                                   std::size_t count, std::uint64_t seed) {
  Variation variation(space);
  Rng rng(seed, "children of the best");
  std::vector<Genome> best;
  std::vector<std::vector<std::uint8_t>> active;
  for (const std::size_t i : memory.best(parents)) {
    best.push_back(memory.trials()[i].genome);
    active.push_back(variation.activity(best.back()));
  }
  std::vector<Genome> bred;
  const auto parent = [&]() -> Variation::Parent {
    const std::size_t i = rng.below(best.size());
    return {best[i].genes, active[i]};
  };
  for (std::size_t tried = 0; !best.empty() && tried < attempts_each * count && bred.size() < count; ++tried) {
    const Variation::Parent first = parent();
    const Variation::Parent second = rng.chance(0.5) ? parent() : Variation::Parent{};
    std::optional<Genome> child = variation.breed(first, second, 1.0, rng);
    if (child && !memory.knows(*child)) bred.push_back(std::move(*child));
  }
  return bred;
}

SearcherSetup inner_setup(const SearcherSetup& setup, const TrialMemory& memory, const PredictedEvolution& options,
                          std::uint64_t seed) {
  SearcherSetup inner;
  inner.seed = seed;
  inner.objectives = setup.objectives;
  Json begin = Json::array();
  // Half of the first generation, so that the other half is new blood.
  for (const std::size_t i : memory.best(options.population / 2)) begin.push_back(memory.trials()[i].genome.genes);
  inner.options = {{"population", options.population}, {"offspring", options.population}, {"begin_with", begin}};
  return inner;
}

}  // namespace

std::vector<std::size_t> modelled_objectives(std::span<const Objective> objectives) {
  std::vector<std::size_t> modelled;
  for (std::size_t k = 0; k < objectives.size(); ++k) {
    if (!objectives[k].constraint_only || objectives[k].limit) modelled.push_back(k);
  }
  return modelled;
}

PredictionOptions read_prediction_options(JsonReader& options, const PredictionOptions& fallback,
                                          const GivenFeatures& given) {
  std::vector<std::string> names{PredictionOptions{}.predictor};
  for (const PredictorEntry& entry : predictors()) names.push_back(entry.name);
  PredictionOptions read;
  read.predictor = options.word("predictor", names, fallback.predictor);
  const auto features = feature_choice_names();
  const std::string word = options.word("features", features, features[static_cast<std::size_t>(fallback.features)]);
  read.features = static_cast<FeatureChoice>(std::ranges::find(features, word) - features.begin());
  const bool looks = has_costs(read.features) || read.features == FeatureChoice::automatic;
  if (has_costs(read.features) && !given.costs) {
    options.note("features", "features of genes or networks", '"' + word + '"',
                 "costs are known to the searcher of a study alone, not to one within another");
  } else if (options.any("device") != nullptr && !(looks && given.costs)) {
    options.note("device", "no device, as nothing looks at its costs", describe(*options.any("device")),
                 "use \"features\": \"genes+costs\"");
  }
  read.given = given;
  return read;
}

void make_given(PredictionOptions& options, const SearchSpace& space) {
  GivenFeatures& given = options.given;
  switch (options.features) {
    case FeatureChoice::paths:
      if (!given.paths) given.paths = make_feature_set(FeatureChoice::paths, space, {});
      return;
    case FeatureChoice::automatic:
    case FeatureChoice::profile:
    case FeatureChoice::genes_profile:
      if (!given.profile) given.profile = std::make_shared<PathProfile>(space);
      return;
    default:
      return;
  }
}

std::string PredictedBy::text() const { return predictor + " on " + name_of(features); }

std::optional<PredictedBy> PredictedBy::parse(const std::string& text) {
  for (const PredictorEntry& entry : predictors()) {
    for (std::size_t i = 1; i < feature_choice_names().size(); ++i) {
      PredictedBy one{entry.name, static_cast<FeatureChoice>(i)};
      if (one.text() == text) return one;
    }
  }
  return std::nullopt;
}

PredictedObjectives::PredictedObjectives(const SearchSpace& space, const SearcherSetup& setup,
                                         std::span<const std::size_t> modelled, const PredictionOptions& options,
                                         std::span<const Trial> trials, std::span<const std::size_t> rows)
    : setup_(&setup),
      modelled_(modelled.begin(), modelled.end()),
      shaped_(options.shaped),
      by_(modelled.size()),
      shapes_(modelled.size()),
      unexplained_(modelled.size(), std::numeric_limits<double>::infinity()),
      predictors_(modelled.size()) {
  for (const auto& [choice, names] : candidates(options)) fit(space, choice, options.given, names, trials, rows);
  const std::string plain = ridge;
  if (sets_.empty()) fit(space, FeatureChoice::genes, {}, {&plain, 1}, trials, rows);
}

// Where the set has something to say, the objectives that it predicts better than those before it are its own.
void PredictedObjectives::fit(const SearchSpace& space, FeatureChoice choice, const GivenFeatures& given,
                              std::span<const std::string> names, std::span<const Trial> trials,
                              std::span<const std::size_t> rows) {
  const bool many = choice == FeatureChoice::pairs || choice == FeatureChoice::pairs_costs;
  if (many) rows = rows.last(std::min(most_slow_trials, rows.size()));
  std::vector<Genome> known;
  for (const std::size_t row : rows) known.push_back(trials[row].genome);
  std::shared_ptr<const FeatureSet> set = make_feature_set(choice, space, known, given);
  if (!set) return;
  const Eigen::MatrixXd inputs = set->rows(known);
  Eigen::VectorXd y(inputs.rows());
  GaussianProcess shared;  // what one fit found out of the inputs, for the others
  for (std::size_t k = 0; k < modelled_.size(); ++k) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      y[static_cast<Eigen::Index>(i)] = trials[rows[i]].values[modelled_[k]];
    }
    std::vector<ValueShape> shapes(1);
    if (shaped_) shapes.push_back(ValueShape::logarithmic({y.data(), static_cast<std::size_t>(y.size())}));
    for (const std::string& name : names) {
      for (const ValueShape& shape : shapes) fit_shape(inputs, y, shape, {name, choice}, k, shared);
    }
  }
  sets_.emplace(choice, std::move(set));
}

void PredictedObjectives::fit_shape(const Eigen::MatrixXd& inputs, const Eigen::VectorXd& values,
                                    const ValueShape& shape, const PredictedBy& by, std::size_t k,
                                    GaussianProcess& known) {
  const Eigen::Index last = by.predictor == gaussian_process
                                ? std::min(values.size(), static_cast<Eigen::Index>(most_slow_trials))
                                : values.size();
  const Eigen::VectorXd y = values.unaryExpr([&](double value) { return shape(value); });
  auto predictor = make_predictor(by.predictor);
  auto* const process = dynamic_cast<GaussianProcess*>(predictor.get());
  if (process != nullptr) process->share(known);
  predictor->fit(inputs.bottomRows(last), y.tail(last));
  if (process != nullptr) known.share(*process);
  const double variance = (y.array() - y.mean()).square().mean();
  const double unexplained = predictor->left_out_error() / std::max(variance, std::numeric_limits<double>::min());
  if (predictors_[k] && !(unexplained < unexplained_[k])) return;
  predictors_[k] = std::move(predictor);
  by_[k] = by;
  shapes_[k] = shape;
  unexplained_[k] = unexplained;
}

Eigen::MatrixXd PredictedObjectives::predict(std::span<const Genome> genomes) const {
  Eigen::MatrixXd values(static_cast<Eigen::Index>(genomes.size()), static_cast<Eigen::Index>(predictors_.size()));
  for (const auto& [choice, set] : sets_) {
    if (std::ranges::find(by_, choice, &PredictedBy::features) == by_.end()) continue;
    const Eigen::MatrixXd rows = set->rows(genomes);
    for (std::size_t k = 0; k < predictors_.size(); ++k) {
      if (by_[k].features != choice) continue;
      values.col(static_cast<Eigen::Index>(k)) =
          predictors_[k]->predict_mean(rows).unaryExpr([&](double value) { return shapes_[k].inverse(value); });
    }
  }
  return values;
}

PredictedObjectives::Uncertain PredictedObjectives::predict_uncertain(std::span<const Genome> genomes) const {
  Uncertain values;
  values.mean.resize(static_cast<Eigen::Index>(genomes.size()), static_cast<Eigen::Index>(predictors_.size()));
  values.deviation = values.mean;
  for (const auto& [choice, set] : sets_) {
    if (std::ranges::find(by_, choice, &PredictedBy::features) == by_.end()) continue;
    const Eigen::MatrixXd rows = set->rows(genomes);
    for (std::size_t k = 0; k < predictors_.size(); ++k) {
      if (by_[k].features != choice) continue;
      Prediction prediction = predictors_[k]->predict(rows);
      values.mean.col(static_cast<Eigen::Index>(k)) = prediction.mean;
      values.deviation.col(static_cast<Eigen::Index>(k)) = prediction.stddev;
    }
  }
  return values;
}

std::vector<Trial> PredictedObjectives::trials(std::span<const Genome> genomes) const {
  const Eigen::MatrixXd values = predict(genomes);
  std::vector<Trial> made(genomes.size());
  for (std::size_t i = 0; i < genomes.size(); ++i) {
    Trial& trial = made[i];
    trial.genome = genomes[i];
    const auto row = values.row(static_cast<Eigen::Index>(i));
    if (!row.allFinite()) {
      trial.status = Status::failed;
      continue;
    }
    trial.values.assign(setup_->objectives.size(), 0.0);
    for (std::size_t k = 0; k < modelled_.size(); ++k) {
      const Objective& objective = setup_->objectives[modelled_[k]];
      const double value = row[static_cast<Eigen::Index>(k)];
      trial.values[modelled_[k]] = value;
      trial.violation += limit_excess(objective, natural(value, objective.direction));
    }
    if (trial.violation > 0.0) trial.status = Status::infeasible;
  }
  return made;
}

std::vector<Genome> predicted_best(const SearchSpace& space, const SearcherSetup& setup,
                                   const PredictedObjectives& models, const TrialMemory& memory,
                                   const PredictedEvolution& options, std::uint64_t seed, std::size_t count) {
  std::unordered_set<std::uint64_t> met;
  const auto meet = [&](Population& found, std::span<const Trial> trials) {
    for (const Trial& trial : trials) {
      if (!memory.knows(trial.genome) && met.insert(hash_genes(trial.genome.genes)).second) found.add(trial);
    }
  };
  Population children(space, setup);
  const auto near = static_cast<std::size_t>(options.near * static_cast<double>(count));
  if (near > 0) meet(children, models.trials(bred_from_best(space, memory, count, children_each * near, seed)));
  std::vector<Genome> chosen = choose(children, near);
  met.clear();
  for (const Genome& genome : chosen) met.insert(hash_genes(genome.genes));
  const auto evolution = make_nsga2(space, inner_setup(setup, memory, options, seed));
  Population found(space, setup);
  for (std::size_t generation = 0; generation <= options.generations; ++generation) {
    const std::vector<Trial> trials = models.trials(evolution->ask(options.population));
    meet(found, trials);
    evolution->tell(trials);
  }
  for (Genome& genome : choose(found, count - chosen.size())) chosen.push_back(std::move(genome));
  return chosen;
}

}  // namespace ridgeline
