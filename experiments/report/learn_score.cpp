#include "experiments/report/learned_score.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

#include "experiments/report/report_explain.hpp"
#include "experiments/report/stored_study.hpp"
#include "experiments/study/study_parts.hpp"
#include "predictors/metrics.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t folds = 5;
constexpr std::size_t least_trials = 20;
constexpr std::size_t most_slow_trials = 600;  // for predictors whose time grows with the cube of the trials
constexpr double timing_budget_s = 2.0;

// Trials with a value of one objective.
struct Known {
  std::vector<Genome> genomes;
  Eigen::VectorXd values;  // natural
  bool maximised = false;
  ScoreSources sources{};
};

std::size_t objective_of(const StudyRecord& record, const std::string& name, const std::string& origin) {
  std::vector<std::string> known;
  for (const Objective& one : record.objectives) known.push_back(one.name);
  const auto found = std::ranges::find(known, name);
  if (found != known.end()) return static_cast<std::size_t>(found - known.begin());
  throw ConfigError(
      {origin, record.name, "an objective or a constraint of the study", "'" + name + "'", known_words(name, known)});
}

// Of the dearest fidelity that the study has, so that estimates are not mixed with measurements.
Known known_of(const Store& store, const StudyRecord& record, std::size_t objective) {
  const std::vector<Trial> trials = store.load(record.id);
  Fidelity dearest = Fidelity::analytic;
  for (const Trial& trial : trials) {
    if (trial.has_values()) dearest = std::max(dearest, trial.fidelity);
  }
  Known known;
  known.maximised = record.objectives[objective].direction == Direction::maximise;
  std::vector<double> values;
  for (const Trial& trial : trials) {
    if (!trial.has_values() || trial.fidelity != dearest) continue;
    known.genomes.push_back(trial.genome);
    values.push_back(natural(trial.values[objective], record.objectives[objective].direction));
  }
  known.values = Eigen::Map<const Eigen::VectorXd>(values.data(), static_cast<Eigen::Index>(values.size()));
  return known;
}

Known rows_of(const Known& all, std::span<const std::size_t> rows) {
  Known some;
  some.maximised = all.maximised;
  some.sources = all.sources;
  some.values.resize(static_cast<Eigen::Index>(rows.size()));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    some.genomes.push_back(all.genomes[rows[i]]);
    some.values[static_cast<Eigen::Index>(i)] = all.values[static_cast<Eigen::Index>(rows[i])];
  }
  return some;
}

// Those that the score can say something of.
Known predictable(const LearnedScore& score, const Known& all) {
  const Eigen::VectorXd predicted = score.predict(all.genomes);
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < all.genomes.size(); ++i) {
    if (std::isfinite(predicted[static_cast<Eigen::Index>(i)])) rows.push_back(i);
  }
  if (!rows.empty()) return rows_of(all, rows);
  throw ConfigError({score.study, score.objective, "trials that " + score.form.text() + " can predict", "none",
                     "name other devices, or another table"});
}

LearnedError error_of(const LearnedScore& score, const Known& all) {
  const Known judged = predictable(score, all);
  const Eigen::VectorXd& truth = judged.values;
  Prediction fitted = score.predict_fitted(judged.genomes);
  const Eigen::VectorXd predicted = score.form.logarithm ? Eigen::VectorXd(fitted.mean.array().exp()) : fitted.mean;
  const Eigen::ArrayXd off = (predicted - truth).array();
  LearnedError error{static_cast<std::size_t>(truth.size()),
                     std::sqrt(off.square().mean()),
                     off.abs().mean(),
                     truth.minCoeff(),
                     truth.maxCoeff(),
                     spearman({predicted.data(), static_cast<std::size_t>(predicted.size())},
                              {truth.data(), static_cast<std::size_t>(truth.size())})};
  if (score.form.logarithm && !(truth.minCoeff() > 0)) return error;
  const double sign = judged.maximised ? -1.0 : 1.0;
  const Eigen::VectorXd found = score.form.logarithm ? Eigen::VectorXd(truth.array().log()) : truth;
  fitted.mean *= sign;
  error.agreement = agreement_of(fitted, sign * found, predicted, truth);
  return error;
}

[[noreturn]] void refuse_features(FeatureChoice features, const SearchSpace& space) {
  const bool pairs = features == FeatureChoice::pairs || features == FeatureChoice::pairs_costs;
  const std::string why = pairs                              ? "it has too many pairs of choices"
                          : features == FeatureChoice::paths ? "the paths of its networks are all alike"
                                                             : "every dimension of it is a number format";
  throw ConfigError({"--features", "", "features that '" + space.name() + "' has, and not too many", name_of(features),
                     why + ": use genes"});
}

std::vector<LearnedForm> forms_to_try(const SearchSpace& space, const PredictionOptions& options, const Known& known) {
  std::vector<LearnedForm> forms;
  const bool positive = known.values.minCoeff() > 0;
  if (known.sources.others) return {{{}, false, ScoreKind::transfer}};  // of logarithms of its own
  if (options.predictor == "graph") return {{{}, positive && !known.maximised, ScoreKind::graph}};
  std::vector<FeatureChoice> usable;
  for (const FeatureChoice features : {FeatureChoice::genes, FeatureChoice::architecture, FeatureChoice::pairs,
                                       FeatureChoice::paths, FeatureChoice::profile, FeatureChoice::genes_profile,
                                       FeatureChoice::costs, FeatureChoice::genes_costs, FeatureChoice::pairs_costs}) {
    const bool networks = features == FeatureChoice::paths || features == FeatureChoice::profile ||
                          features == FeatureChoice::genes_profile;
    if (networks && options.features != features) continue;  // they have to be built for each prediction
    if (make_feature_set(features, space, known.genomes, {known.sources.costs})) usable.push_back(features);
  }
  for (const PredictorEntry& entry : predictors()) {
    if (options.predictor != "auto" && options.predictor != entry.name) continue;
    for (const FeatureChoice features : usable) {
      const bool asked = options.features == features;
      if (options.features != FeatureChoice::automatic && !asked) continue;
      if (features == FeatureChoice::architecture && !asked) continue;  // formats say something of most objectives
      // Trees find products themselves, and a Gaussian process sees them in its distances.
      const bool pairs = features == FeatureChoice::pairs || features == FeatureChoice::pairs_costs;
      if (pairs && entry.name != "ridge" && !asked) continue;
      forms.push_back({{entry.name, features}, false});
      if (positive) forms.push_back({{entry.name, features}, true});
    }
  }
  if (forms.empty()) refuse_features(options.features, space);
  return forms;
}

// Mean squared error in natural units of every trial predicted by a fit of the other folds; infinite where the form
// does not suit so many trials.
double left_out_error(const std::shared_ptr<const SearchSpace>& space, const LearnedForm& form, const Known& known) {
  if (form.by.predictor == "gp" && known.genomes.size() > most_slow_trials) {
    return std::numeric_limits<double>::infinity();
  }
  double squares = 0;
  for (std::size_t fold = 0; fold < folds; ++fold) {
    std::vector<std::size_t> kept, left;
    for (std::size_t i = 0; i < known.genomes.size(); ++i) (i % folds == fold ? left : kept).push_back(i);
    const Known fitted = rows_of(known, kept), out = rows_of(known, left);
    LearnedScore score;
    score.form = form;
    score.sources = known.sources;
    score.fit(space, fitted.genomes, fitted.values);
    squares += (score.predict(out.genomes) - out.values).squaredNorm();
  }
  return squares / static_cast<double>(known.genomes.size());
}

LearnedForm best_form(const std::shared_ptr<const SearchSpace>& space, const Known& known,
                      const LearningOptions& options) {
  const std::vector<LearnedForm> forms = forms_to_try(*space, options.prediction, known);
  LearnedForm best = forms.front();
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < forms.size(); ++i) {
    if (options.progress) options.progress(i, forms.size() + 1);
    const double error = forms.size() > 1 ? left_out_error(space, forms[i], known) : 0.0;
    if (!(error < least)) continue;
    least = error;
    best = forms[i];
  }
  if (options.progress) options.progress(forms.size(), forms.size() + 1);
  return best;
}

// What candidates are predicted from beside their genes.
ScoreSources sources_of(const LearningOptions& options, const StudyConfig& config, const SearchSpace& space,
                        const Resources& resources) {
  ScoreSources sources;
  sources.resources = &resources;
  const bool transfer = options.prediction.predictor == "transfer";
  if (transfer) {
    sources.others = std::make_shared<const OtherCosts>(space, resources, options.from, config.precision);
  } else if (!options.from.names.empty()) {
    throw ConfigError({"--from", "", "no other costs, as this predictor does not look at them", options.from.text(),
                       "use --predictor transfer"});
  }
  if (options.prediction.predictor == "graph") {
    sources.precision = config.precision;
    sources.graph = options.graph;
  } else if (!transfer && (has_costs(options.prediction.features) || !options.devices.empty())) {
    const CostSource source{options.devices, config.precision};
    sources.costs = std::make_shared<const CostFeatures>(space, resources, source);
  }
  return sources;
}

}  // namespace

LearnedScore learn_score(const Store& store, const Resources& resources, const LearningOptions& options) {
  if (options.prediction.features == FeatureChoice::network) {
    throw ConfigError({"--features", "", "genes, architecture or pairs", "network",
                       "a network's operators are only known once it is decoded, which a proxy saves"});
  }
  const StudyRecord record = find_study(store, options.study);
  const std::size_t objective = objective_of(record, options.objective, store.path());
  const StudyConfig config = parse_study(JsonDocument::parse(record.config, "stored configuration of " + record.name));
  const auto space = std::make_shared<const SearchSpace>(stored_space(record, config, resources));
  Known known = known_of(store, record, objective);
  known.sources = sources_of(options, config, *space, resources);
  if (known.genomes.size() < least_trials) {
    throw ConfigError({store.path(), record.name, fmt::format("{} trials or more with values", least_trials),
                       std::to_string(known.genomes.size()), "search on: ridgeline resume " + record.name});
  }
  std::vector<std::size_t> order(known.genomes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  Rng rng(options.seed, "held out");
  rng.shuffle(std::span(order));
  const auto held = std::max<std::size_t>(
      1, static_cast<std::size_t>(std::lround(options.held_out * static_cast<double>(order.size()))));
  const Known judged = rows_of(known, std::span(order).first(held));
  const Known learnt = rows_of(known, std::span(order).subspan(held));

  LearnedScore score;
  score.study = record.name;
  score.space_name = record.space_name;
  score.space_fingerprint = record.space_fingerprint;
  score.objective = options.objective;
  score.unit = record.objectives[objective].unit;
  score.sources = known.sources;
  score.form = best_form(space, learnt, options);
  score.fit(space, learnt.genomes, learnt.values);
  score.held_out = error_of(score, judged);
  score.held_out.least = known.values.minCoeff();
  score.held_out.most = known.values.maxCoeff();
  score.fit(space, known.genomes, known.values);
  return score;
}

LearnedError judge_score(const LearnedScore& score, const Store& store, const StudyRecord& study) {
  const Known known = known_of(store, study, objective_of(study, score.objective, store.path()));
  if (known.genomes.empty()) {
    throw ConfigError(
        {store.path(), study.name, "trials with values", "none", "search on: ridgeline resume " + study.name});
  }
  return error_of(score, known);
}

LearnedSpeed time_score(const LearnedScore& score, const Store& store, const Resources& resources,
                        const std::string& study) {
  const StudyRecord record = find_study(store, study);
  const std::size_t objective = objective_of(record, score.objective, store.path());
  JsonDocument document = JsonDocument::parse(record.config, "stored configuration of " + study);
  const StudyConfig config = read_study(document);
  StudyParts parts = make_parts(config, resources, document);
  document.raise();
  using Clock = std::chrono::steady_clock;
  const auto seconds = [](Clock::time_point from) {
    return std::chrono::duration<double>(Clock::now() - from).count();
  };
  Rng rng(record.seed, "timing of a learned score");
  LearnedSpeed speed;
  std::vector<Genome> genomes;
  while (speed.evaluator_s < timing_budget_s && genomes.size() < 1'000) {
    genomes.push_back(parts.space->sample(rng));
    const Design design = decode_for(config, *parts.space, genomes.back());
    const Candidate candidate{static_cast<std::int64_t>(genomes.size()), &genomes.back(), &design, 0};
    Score value;
    const auto start = Clock::now();
    parts.from[objective]->evaluate(std::span(&candidate, 1), std::span(&value, 1));
    speed.evaluator_s += seconds(start);
  }
  speed.candidates = genomes.size();
  std::size_t predicted = 0;
  const auto start = Clock::now();
  do {
    score.predict(genomes);
    predicted += genomes.size();
    speed.score_s = seconds(start);
  } while (speed.score_s < 0.1);
  speed.score_s /= static_cast<double>(predicted);
  speed.evaluator_s /= static_cast<double>(speed.candidates);
  return speed;
}

}  // namespace ridgeline
