#include "experiments/bench/learning_curve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <mutex>
#include <numeric>
#include <optional>

#include "experiments/evaluators/table.hpp"
#include "experiments/worker_pool.hpp"
#include "predictors/agreement.hpp"
#include "predictors/device_transfer.hpp"
#include "search/predicted/genome_features.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t first_drawn = 8;  // before deviations choose
constexpr std::size_t looked_at = 500;  // rows that deviations choose among
constexpr std::size_t growth = 8;       // an eighth more at a time

SearchSpace space_of(const Resources& resources, const std::string& description) {
  JsonDocument document = JsonDocument::load(description);
  JsonReader root = document.root();
  const std::string name = root.string("space");  // the rest is read by Table::load
  document.raise();
  return resources.load_space(name);
}

std::vector<std::size_t> columns_of(const Table& table, std::size_t objective, const std::vector<std::string>& from) {
  std::vector<std::size_t> columns;
  const auto add = [&](std::size_t column) {
    if (std::ranges::find(columns, column) == columns.end()) columns.push_back(column);
  };
  for (const std::string& name : from) {
    if (name != "others") {
      add(table.column(name));
      continue;
    }
    const std::string& unit = table.objective(objective).unit;
    for (std::size_t c = 0; c < table.value_names().size(); ++c) {
      if (c != objective && table.objective(c).unit == unit && !unit.empty()) add(c);
    }
  }
  if (std::ranges::find(columns, objective) != columns.end()) {
    throw ConfigError({"--from", "", "other values than the one that is predicted",
                       "'" + table.objective(objective).name + "'", "leave it out"});
  }
  if (!from.empty() && columns.empty()) {
    throw ConfigError({"--from", "", "values of the objective's unit", "no other", "name them"});
  }
  return columns;
}

// Rows as the predictor sees them, and as distances between them are taken.
struct Inputs {
  Eigen::MatrixXd features, places;
};

Eigen::MatrixXd standardised_logarithms(const Eigen::MatrixXd& positive) {
  Eigen::MatrixXd logs = positive.array().log();
  logs.rowwise() -= Eigen::RowVectorXd(logs.colwise().mean());
  for (Eigen::Index j = 0; j < logs.cols(); ++j) {
    const double deviation = std::sqrt(logs.col(j).squaredNorm() / static_cast<double>(logs.rows()));
    if (deviation > 1e-12) logs.col(j) /= deviation;
  }
  return logs;
}

Inputs inputs_of(const CurveData& data, const CurveOptions& options) {
  if (!data.from.empty()) return {data.others, standardised_logarithms(data.others)};
  const auto set = make_feature_set(options.by.features, *data.space, data.genomes, {options.costs});
  if (!set) {
    throw ConfigError({"--features", "", "features that '" + data.space->name() + "' has, and not too many",
                       name_of(options.by.features), "use genes"});
  }
  return {set->rows(data.genomes), GenomeFeatures(*data.space).rows(data.genomes)};
}

// Between natural values and what is fitted, which is minimised.
class Scale {
 public:
  Scale(CurveShape shape, bool maximised, const Eigen::VectorXd& samples) : shape_(shape), sign_(maximised ? -1 : 1) {
    if (shape == CurveShape::best) {
      const Eigen::VectorXd minimised = sign_ * samples;
      best_ = ValueShape::logarithmic({minimised.data(), static_cast<std::size_t>(minimised.size())});
    }
  }
  Eigen::VectorXd fitted(const Eigen::VectorXd& natural) const {
    if (shape_ == CurveShape::logarithm) return sign_ * natural.array().log();
    return natural.unaryExpr([this](double value) { return best_(sign_ * value); });
  }
  Eigen::VectorXd natural(const Eigen::VectorXd& fitted) const {
    if (shape_ == CurveShape::logarithm) return (sign_ * fitted.array()).exp();
    return fitted.unaryExpr([this](double value) { return sign_ * best_.inverse(value); });
  }

 private:
  CurveShape shape_;
  double sign_;
  ValueShape best_;
};

class Draws {
 public:
  Draws(const CurveData& data, const CurveOptions& options)
      : data_(data), options_(options), inputs_(inputs_of(data, options)), shape_(shape_of(data, options)) {
    if (!data.from.empty()) transfer_ = DeviceTransfer(data.others);
  }

  std::vector<PredictionAgreement> agreements(std::uint64_t seed) const {
    const std::vector<Eigen::Index> order = ordered(seed);
    std::vector<PredictionAgreement> all;
    for (const std::size_t samples : options_.samples) {
      const auto count = static_cast<std::ptrdiff_t>(samples);
      all.push_back(agreement({order.begin(), order.begin() + count}, {order.begin() + count, order.end()}));
    }
    return all;
  }

  std::string predicted_by() const {
    if (!data_.from.empty()) return fmt::format("transfer from {} values", data_.from.size());
    static const std::vector<std::string> suffixes{"", "", ", of the logarithm", ", of the logarithm from the best"};
    return options_.by.text() + suffixes[static_cast<std::size_t>(shape_)];
  }

 private:
  static CurveShape shape_of(const CurveData& data, const CurveOptions& options) {
    const bool positive = data.values.minCoeff() > 0;
    if (!data.from.empty()) return CurveShape::logarithm;  // of its own
    if (options.shape == CurveShape::logarithm && !positive) {
      throw ConfigError({"--shape", "", "positive values of '" + data.objective + "'", "others", "use plain or best"});
    }
    if (options.shape != CurveShape::automatic) return options.shape;
    return positive && !data.maximised ? CurveShape::logarithm : CurveShape::best;
  }

  std::unique_ptr<Predictor> fitted(const std::vector<Eigen::Index>& rows, const Scale& scale) const {
    std::unique_ptr<Predictor> predictor;
    if (transfer_) {
      predictor = std::make_unique<DeviceTransfer>(*transfer_);
      predictor->fit(inputs_.features(rows, Eigen::all), data_.values(rows));
    } else {
      predictor = make_predictor(options_.by.predictor);
      predictor->fit(inputs_.features(rows, Eigen::all), scale.fitted(data_.values(rows)));
    }
    return predictor;
  }

  // In what is fitted. A transfer predicts natural values with deviations of their logarithm.
  Prediction predict(const Predictor& predictor, const std::vector<Eigen::Index>& rows) const {
    Prediction prediction = predictor.predict(inputs_.features(rows, Eigen::all));
    if (transfer_) {
      prediction.stddev = prediction.stddev.cwiseQuotient(prediction.mean);
      prediction.mean = prediction.mean.array().log();
    }
    return prediction;
  }

  PredictionAgreement agreement(const std::vector<Eigen::Index>& learnt,
                                const std::vector<Eigen::Index>& judged) const {
    const Scale scale(shape_, data_.maximised && !transfer_, data_.values(learnt));
    const Prediction prediction = predict(*fitted(learnt, scale), judged);
    const Eigen::VectorXd truth = data_.values(judged);
    return agreement_of(prediction, scale.fitted(truth), scale.natural(prediction.mean), truth);
  }

  // All rows, the samples first.
  std::vector<Eigen::Index> ordered(std::uint64_t seed) const {
    std::vector<Eigen::Index> order(data_.genomes.size());
    std::iota(order.begin(), order.end(), Eigen::Index{0});
    Rng rng(seed, "learning curve");
    rng.shuffle(std::span(order));
    const std::size_t most = *std::ranges::max_element(options_.samples);
    if (options_.choice == SampleChoice::spread) spread_first(order, most);
    if (options_.choice == SampleChoice::variance) uncertain_first(order, most);
    return order;
  }

  // Of rows that are equally far the first of the order, which is drawn.
  void spread_first(std::vector<Eigen::Index>& order, std::size_t most) const {
    std::vector<double> distance(order.size(), std::numeric_limits<double>::infinity());
    const Eigen::MatrixXd places = inputs_.places.transpose();
    for (std::size_t chosen = 1; chosen < most; ++chosen) {
      std::size_t farthest = chosen;
      for (std::size_t i = chosen; i < order.size(); ++i) {
        distance[i] = std::min(distance[i], (places.col(order[i]) - places.col(order[chosen - 1])).squaredNorm());
        if (distance[i] > distance[farthest]) farthest = i;
      }
      std::swap(order[chosen], order[farthest]);
      std::swap(distance[chosen], distance[farthest]);
    }
  }

  void uncertain_first(std::vector<Eigen::Index>& order, std::size_t most) const {
    const std::size_t pool = std::min(order.size(), std::max(looked_at, 2 * most));
    for (std::size_t chosen = std::min(first_drawn, most); chosen < most;) {
      const std::vector<Eigen::Index> known(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(chosen));
      const std::vector<Eigen::Index> open(order.begin() + static_cast<std::ptrdiff_t>(chosen),
                                           order.begin() + static_cast<std::ptrdiff_t>(pool));
      const Scale scale(shape_, data_.maximised && !transfer_, data_.values(known));
      const Eigen::VectorXd deviation = predict(*fitted(known, scale), open).stddev;
      std::vector<Eigen::Index> by(open.size());
      std::iota(by.begin(), by.end(), Eigen::Index{0});
      std::ranges::stable_sort(by, [&](Eigen::Index a, Eigen::Index b) { return deviation[a] > deviation[b]; });
      for (std::size_t i = 0; i < by.size(); ++i) order[chosen + i] = open[static_cast<std::size_t>(by[i])];
      chosen += std::max<std::size_t>(1, chosen / growth);
    }
  }

  const CurveData& data_;
  const CurveOptions& options_;
  Inputs inputs_;
  CurveShape shape_;
  std::optional<DeviceTransfer> transfer_;
};

std::vector<std::pair<std::string, double>> figures_of(const PredictionAgreement& one) {
  std::vector<std::pair<std::string, double>> figures{
      {"spearman", one.spearman}, {"kendall", one.kendall}, {"recall", one.recall}};
  if (one.relative) {
    figures.emplace_back("percentage_error", one.relative->percentage_error);
    figures.emplace_back("within_5", one.relative->within_5);
    figures.emplace_back("within_10", one.relative->within_10);
  }
  for (std::size_t i = 0; i < one.coverage.size(); ++i) {
    figures.emplace_back(fmt::format("coverage_{:.0f}", 100 * PredictionAgreement::levels[i]), one.coverage[i]);
  }
  figures.emplace_back("standardised_square", one.standardised_square);
  return figures;
}

void check(const CurveData& data, const CurveOptions& options) {
  for (const std::size_t samples : options.samples) {
    if (samples >= 2 && samples + 2 <= data.genomes.size()) continue;
    throw ConfigError({"--samples", "", fmt::format("from 2 to {}, so that rows are left", data.genomes.size() - 2),
                       std::to_string(samples), ""});
  }
  if (options.samples.empty() || options.draws == 0) {
    throw ConfigError({"--samples", "", "at least one number of samples, and one draw", "none", ""});
  }
}

}  // namespace

std::span<const std::string> sample_choice_names() {
  static const std::vector<std::string> names{"random", "spread", "variance"};
  return names;
}

std::span<const std::string> curve_shape_names() {
  static const std::vector<std::string> names{"auto", "plain", "logarithm", "best"};
  return names;
}

CurveData curve_data(const Resources& resources, const std::string& table, const std::string& objective,
                     const std::vector<std::string>& from) {
  const std::string path = resources.table(table);
  CurveData data;
  data.space = std::make_shared<const SearchSpace>(space_of(resources, path));
  const Table rows = Table::load(path, resources, *data.space);
  const std::size_t column = rows.column(objective);
  const std::vector<std::size_t> others = columns_of(rows, column, from);
  data.table = rows.name();
  data.objective = objective;
  data.unit = rows.objective(column).unit;
  data.maximised = rows.objective(column).direction == Direction::maximise;
  data.genomes = rows.genomes();
  const auto count = static_cast<Eigen::Index>(data.genomes.size());
  data.values.resize(count);
  data.others.resize(count, static_cast<Eigen::Index>(others.size()));
  for (const std::size_t other : others) data.from.push_back(rows.objective(other).name);
  for (Eigen::Index i = 0; i < count; ++i) {
    const Genome& genome = data.genomes[static_cast<std::size_t>(i)];
    data.values[i] = rows.value(genome, column).value();
    for (std::size_t k = 0; k < others.size(); ++k) {
      data.others(i, static_cast<Eigen::Index>(k)) = rows.value(genome, others[k]).value();
    }
  }
  if (!others.empty() && !(std::min(data.values.minCoeff(), data.others.minCoeff()) > 0)) {
    throw ConfigError({"--from", "", "positive values, of the objective too", "others", "name costs alone"});
  }
  return data;
}

LearningCurve learning_curve(const CurveData& data, const CurveOptions& options) {
  check(data, options);
  const Draws draws(data, options);
  std::vector<std::vector<PredictionAgreement>> all(options.draws);
  std::mutex mutex;
  std::size_t done = 0;
  WorkerPool pool(options.threads);
  pool.for_each(options.draws, [&](std::size_t i) {
    if (options.stop != nullptr && *options.stop) return;
    all[i] = draws.agreements(options.first_seed + i);
    const std::lock_guard lock(mutex);
    if (options.progress) options.progress(++done, options.draws);
  });
  std::erase_if(all, [](const auto& one) { return one.empty(); });
  LearningCurve curve{draws.predicted_by(), all.size(), {}};
  for (std::size_t s = 0; s < options.samples.size() && !all.empty(); ++s) {
    CurvePoint point{options.samples[s], {}};
    const auto names = figures_of(all.front()[s]);
    for (std::size_t f = 0; f < names.size(); ++f) {
      std::vector<double> values;
      for (const auto& one : all) values.push_back(figures_of(one[s])[f].second);
      point.figures.push_back({names[f].first, mean_interval(values)});
    }
    curve.points.push_back(std::move(point));
  }
  return curve;
}

}  // namespace ridgeline
