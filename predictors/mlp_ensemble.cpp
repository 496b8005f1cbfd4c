#include "predictors/mlp_ensemble.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "predictors/row_checks.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

constexpr const char* signature = "mlp/1";
constexpr double least_error = std::numeric_limits<double>::min();
constexpr double least_variance = 1e-12;  // of standardised values

// Which rows a member leaves out: every members-th of a shuffled order, the same for all members.
std::vector<std::size_t> fold_of_rows(std::size_t rows, std::size_t folds, std::uint64_t seed) {
  std::vector<std::size_t> fold(rows);
  for (std::size_t i = 0; i < rows; ++i) fold[i] = i % folds;
  Rng rng(seed, "mlp folds");
  rng.shuffle(std::span(fold));
  return fold;
}

class Adam {
 public:
  Adam(Eigen::Index size, double rate, double decay)
      : first_(Eigen::ArrayXd::Zero(size)), second_(first_), rate_(rate), decay_(decay) {}

  void step(Eigen::VectorXd& parameters, const Eigen::VectorXd& gradient) {
    first_ += (1.0 - beta_1) * (gradient.array() - first_);
    second_ += (1.0 - beta_2) * (gradient.array().square() - second_);
    power_1_ *= beta_1;
    power_2_ *= beta_2;
    parameters.array() *= 1.0 - rate_ * decay_;
    parameters.array() -= rate_ * (first_ / (1.0 - power_1_)) / ((second_ / (1.0 - power_2_)).sqrt() + 1e-8);
  }

 private:
  static constexpr double beta_1 = 0.9, beta_2 = 0.999;
  Eigen::ArrayXd first_, second_;
  double rate_, decay_, power_1_ = 1, power_2_ = 1;
};

Json to_json(const Eigen::VectorXd& values) {
  return Json(std::vector<double>(values.data(), values.data() + values.size()));
}

Eigen::VectorXd to_vector(const std::vector<double>& values) {
  return Eigen::Map<const Eigen::VectorXd>(values.data(), static_cast<Eigen::Index>(values.size()));
}

}  // namespace

MlpEnsemble::MlpEnsemble(MlpOptions options) : options_(std::move(options)) {
  const auto units = [](Eigen::Index count) { return count >= 1; };
  if (options_.members == 0 || options_.hidden.empty() || !std::ranges::all_of(options_.hidden, units) ||
      options_.most_epochs == 0 || options_.patience == 0 || options_.batch == 0 || !(options_.learning_rate > 0) ||
      !std::isfinite(options_.learning_rate) || !(options_.weight_decay >= 0) ||
      !(options_.learning_rate * options_.weight_decay < 1)) {
    throw std::invalid_argument(
        "mlp: counts from 1, a positive learning rate, a weight decay from 0 that leaves weights their sign");
  }
}

std::unique_ptr<Predictor> MlpEnsemble::make(JsonReader options) {
  MlpOptions chosen;
  const auto count = [&](const char* key, std::size_t& value, std::int64_t most) {
    const auto fallback = static_cast<std::int64_t>(value);
    value = static_cast<std::size_t>(options.integer(key, {.fallback = fallback, .least = 1, .most = most}));
  };
  count("members", chosen.members, 1'000);
  count("most_epochs", chosen.most_epochs, 1'000'000);
  count("patience", chosen.patience, 1'000'000);
  count("batch", chosen.batch, 1'000'000);
  if (options.has("hidden")) {
    chosen.hidden.clear();
    for (const double units : options.numbers("hidden")) {
      if (!(units >= 1 && units <= 10'000 && std::floor(units) == units)) {
        options.note("hidden", "whole numbers of units from 1 to 10,000", "others");
        break;
      }
      chosen.hidden.push_back(static_cast<Eigen::Index>(units));
    }
    if (chosen.hidden.empty()) {
      options.note("hidden", "at least one layer", "none");
      chosen.hidden = MlpOptions{}.hidden;
    }
  }
  chosen.learning_rate =
      options.number("learning_rate", {.fallback = chosen.learning_rate, .least = 1e-6, .most = 1.0});
  chosen.weight_decay = options.number("weight_decay", {.fallback = chosen.weight_decay, .least = 0.0, .most = 0.99});
  chosen.variances = options.boolean("variances", chosen.variances);
  chosen.seed = static_cast<std::uint64_t>(
      options.integer("seed", {.fallback = static_cast<std::int64_t>(chosen.seed), .least = 0}));
  options.finish();
  return std::make_unique<MlpEnsemble>(std::move(chosen));
}

Eigen::MatrixXd MlpEnsemble::columns(const Eigen::Ref<const Eigen::MatrixXd>& X) const {
  return ((X.rowwise() - centre_.transpose()) * scale_.cwiseInverse().asDiagonal()).transpose();
}

void MlpEnsemble::fit(const Eigen::Ref<const Eigen::MatrixXd>& X, const Eigen::Ref<const Eigen::VectorXd>& y) {
  check_fit("mlp", X, y);
  const auto scale_of = [](const Eigen::ArrayXd& values) {
    const double deviation = std::sqrt((values - values.mean()).square().mean());
    // What never changes is left at its rounding errors, not blown up by them.
    return deviation > 1e-12 * values.abs().maxCoeff() ? deviation : 1.0;
  };
  centre_ = X.colwise().mean().transpose();
  scale_.resize(X.cols());
  for (Eigen::Index j = 0; j < X.cols(); ++j) scale_[j] = scale_of(X.col(j).array());
  mean_ = y.mean();
  deviation_ = scale_of(y.array());
  shape_ = options_.hidden;
  variances_ = options_.variances;
  const Eigen::MatrixXd inputs = columns(X);
  const Eigen::VectorXd values = (y.array() - mean_) / deviation_;
  const Perceptron network(X.cols(), shape_);
  members_.clear();
  for (std::size_t m = 0; m < options_.members; ++m) members_.push_back(train(network, m, inputs, values));
  judge(inputs, values);
}

// Where no row can be left out, the rows that it learns from decide when to stop.
Eigen::VectorXd MlpEnsemble::train(const Perceptron& network, std::size_t member, const Eigen::MatrixXd& columns,
                                   const Eigen::VectorXd& y) const {
  const auto rows = static_cast<std::size_t>(y.size());
  const std::vector<std::size_t> fold = fold_of_rows(rows, options_.members, options_.seed);
  std::vector<Eigen::Index> kept, left;
  for (std::size_t i = 0; i < rows; ++i) (fold[i] == member ? left : kept).push_back(static_cast<Eigen::Index>(i));
  if (kept.empty()) kept = left;
  if (left.empty()) left = kept;
  const Eigen::MatrixXd left_columns = columns(Eigen::all, left);
  const Eigen::VectorXd left_values = y(left);

  Rng rng(options_.seed, "mlp member", member);
  Eigen::VectorXd parameters = network.initial(rng), best = parameters, gradient;
  Adam adam(network.size(), options_.learning_rate, options_.weight_decay);
  double least = std::numeric_limits<double>::infinity();
  std::size_t since = 0;
  for (std::size_t epoch = 0; epoch < options_.most_epochs && since < options_.patience; ++epoch, ++since) {
    rng.shuffle(std::span(kept));
    for (std::size_t first = 0; first < kept.size(); first += options_.batch) {
      const std::vector<Eigen::Index> batch(
          kept.begin() + static_cast<std::ptrdiff_t>(first),
          kept.begin() + static_cast<std::ptrdiff_t>(std::min(first + options_.batch, kept.size())));
      network.loss(parameters, columns(Eigen::all, batch), y(batch), variances_, &gradient);
      adam.step(parameters, gradient);
    }
    const double loss = network.loss(parameters, left_columns, left_values, variances_);
    if (!(loss < least)) continue;  // also where training went astray and the loss is not a number
    least = loss;
    best = parameters;
    since = 0;
  }
  return best;
}

// A left-out row is judged by the one member that has not seen it, with the variance that the ensemble gives it.
void MlpEnsemble::judge(const Eigen::MatrixXd& columns, const Eigen::VectorXd& y) {
  const Perceptron network(columns.rows(), shape_);
  const std::vector<std::size_t> fold =
      fold_of_rows(static_cast<std::size_t>(y.size()), options_.members, options_.seed);
  std::vector<Eigen::ArrayXd> means;
  for (const Eigen::VectorXd& member : members_) means.push_back(network.outputs(member, columns).mean);
  Eigen::ArrayXd squares(y.size());
  for (Eigen::Index i = 0; i < y.size(); ++i) {
    const double off = means[fold[static_cast<std::size_t>(i)]][i] - y[i];
    squares[i] = off * off;
  }
  noise_ = std::max(squares.mean(), least_variance);
  factor_ = std::max((squares / spread(columns).variance).mean(), least_variance);
  left_out_ = std::max(squares.mean() * deviation_ * deviation_, least_error);
}

MlpEnsemble::Spread MlpEnsemble::spread(const Eigen::MatrixXd& columns) const {
  const Perceptron network(columns.rows(), shape_);
  const auto count = static_cast<double>(members_.size());
  Eigen::ArrayXd sum = Eigen::ArrayXd::Zero(columns.cols()), squares = sum, expected = sum;
  for (const Eigen::VectorXd& member : members_) {
    const Perceptron::Outputs one = network.outputs(member, columns);
    sum += one.mean;
    squares += one.mean.square();
    if (variances_) expected += one.log_variance.exp();
  }
  Spread spread{sum / count, (squares / count - (sum / count).square()).max(0.0)};
  spread.variance += variances_ ? Eigen::ArrayXd(expected / count) : Eigen::ArrayXd::Constant(sum.size(), noise_);
  return spread;
}

Eigen::VectorXd MlpEnsemble::predict_mean(const Eigen::Ref<const Eigen::MatrixXd>& X) const {
  check_predict("mlp", !members_.empty(), X, centre_.size());
  return spread(columns(X)).mean * deviation_ + mean_;
}

MlpEnsemble::Parts MlpEnsemble::parts(const Eigen::Ref<const Eigen::MatrixXd>& X, PartSlopes* slopes) const {
  check_predict("mlp", !members_.empty(), X, centre_.size());
  const Perceptron network(X.cols(), shape_);
  const Eigen::MatrixXd inputs = columns(X);
  const auto count = static_cast<double>(members_.size());
  Eigen::ArrayXd sum = Eigen::ArrayXd::Zero(X.rows()), squares = sum, expected = sum;
  Eigen::ArrayXXd d_sum = Eigen::ArrayXXd::Zero(X.cols(), X.rows()), d_squares = d_sum, d_expected = d_sum;
  for (const Eigen::VectorXd& member : members_) {
    Perceptron::InputSlopes one;
    const Perceptron::Outputs outputs = network.outputs(member, inputs, slopes != nullptr ? &one : nullptr);
    const Eigen::ArrayXd variance = outputs.log_variance.exp();
    sum += outputs.mean;
    squares += outputs.mean.square();
    expected += variance;
    if (slopes == nullptr) continue;
    d_sum += one.mean.array();
    d_squares += one.mean.array().rowwise() * (2.0 * outputs.mean.transpose());
    d_expected += one.log_variance.array().rowwise() * variance.transpose();
  }
  const Eigen::ArrayXd mean = sum / count, apart = squares / count - mean.square();
  const Eigen::ArrayXd noise =
      variances_ ? Eigen::ArrayXd(expected / count) : Eigen::ArrayXd::Constant(X.rows(), noise_);
  const auto deviation = [&](const Eigen::ArrayXd& variance) -> Eigen::ArrayXd {
    return (factor_ * variance.max(least_variance)).sqrt();
  };
  Parts parts{mean * deviation_ + mean_, deviation(noise) * deviation_, deviation(apart) * deviation_};
  if (slopes == nullptr) return parts;
  // By a feature as it is given, which is scale_ times the one that the network sees.
  const auto finished = [&](const Eigen::ArrayXXd& by_inputs) -> Eigen::MatrixXd {
    return deviation_ * (by_inputs.matrix().transpose() * scale_.cwiseInverse().asDiagonal());
  };
  const auto of_deviation = [&](const Eigen::ArrayXXd& of_variance, const Eigen::ArrayXd& variance) {
    const Eigen::ArrayXd by = (variance > least_variance).select(0.5 * factor_ / deviation(variance), 0.0);
    return finished(of_variance.rowwise() * by.transpose());
  };
  slopes->mean = finished(d_sum / count);
  slopes->epistemic = of_deviation(d_squares / count - ((2.0 / count) * d_sum).rowwise() * mean.transpose(), apart);
  slopes->aleatoric = variances_ ? of_deviation(d_expected / count, noise) : Eigen::MatrixXd::Zero(X.rows(), X.cols());
  return parts;
}

Prediction MlpEnsemble::predict(const Eigen::Ref<const Eigen::MatrixXd>& X) const {
  check_predict("mlp", !members_.empty(), X, centre_.size());
  const Spread both = spread(columns(X));
  return {both.mean * deviation_ + mean_, (both.variance * factor_).sqrt() * deviation_};
}

MlpEnsemble::Layers MlpEnsemble::layers() const {
  if (members_.empty()) throw std::logic_error("mlp: no fit yet");
  const Perceptron network(centre_.size(), shape_);
  const double share = deviation_ / static_cast<double>(members_.size());
  Layers all;
  all.straight = Eigen::VectorXd::Zero(centre_.size());
  all.intercept = mean_;
  for (const Eigen::VectorXd& parameters : members_) {
    Perceptron::Parts parts = network.parts(parameters);
    std::vector<Layer> layers;
    for (std::size_t k = 0; k < parts.weights.size(); ++k) layers.push_back({parts.weights[k], parts.biases[k]});
    layers.front().weights = (layers.front().weights * scale_.cwiseInverse().asDiagonal()).eval();
    layers.front().biases -= layers.front().weights * centre_;
    layers.push_back({share * parts.mean_weights.transpose(), Eigen::VectorXd::Constant(1, share * parts.mean_bias)});
    all.members.push_back(std::move(layers));
    all.straight += share * parts.straight.cwiseQuotient(scale_);
  }
  all.intercept -= all.straight.dot(centre_);
  return all;
}

double MlpEnsemble::left_out_error() const {
  if (members_.empty()) throw std::logic_error("mlp: no fit yet");
  return left_out_;
}

Json MlpEnsemble::save() const {
  if (members_.empty()) throw std::logic_error("mlp: save before fit");
  Json members = Json::array();
  for (const Eigen::VectorXd& member : members_) members.push_back(to_json(member));
  return {
      {"signature", signature}, {"hidden", shape_},        {"centre", to_json(centre_)},   {"scale", to_json(scale_)},
      {"mean", mean_},          {"deviation", deviation_}, {"variances", variances_},      {"noise", noise_},
      {"factor", factor_},      {"left_out", left_out_},   {"members", std::move(members)}};
}

void MlpEnsemble::load(const Json& state) {
  JsonDocument document = JsonDocument::from_value(state, "mlp state");
  JsonReader root = document.root();
  if (root.string("signature") != signature) {
    root.note("signature", signature, describe(state.value("signature", Json())));
  }
  const std::vector<double> hidden = root.numbers("hidden"), centre = root.numbers("centre"),
                            scale = root.numbers("scale");
  const auto is_units = [](double units) { return units >= 1 && units <= 10'000 && std::floor(units) == units; };
  const auto is_positive = [](double value) { return value > 0; };
  if (hidden.empty() || !std::ranges::all_of(hidden, is_units) || scale.size() != centre.size() ||
      !std::ranges::all_of(scale, is_positive)) {
    root.note("hidden", "layers of whole numbers of units, and a positive scale a feature", "others");
  }
  const double mean = root.number("mean"), deviation = root.number("deviation", {.least = least_error});
  const bool variances = root.boolean("variances");
  const double noise = root.number("noise", {.least = least_variance}),
               factor = root.number("factor", {.least = least_variance}),
               left_out = root.number("left_out", {.least = least_error});
  std::vector<std::vector<double>> parameters;
  if (const Json* const list = root.any("members", true); list != nullptr && list->is_array() && !list->empty()) {
    for (const Json& one : *list) {
      const bool numbers = one.is_array() && std::ranges::all_of(one, [](const Json& v) { return v.is_number(); });
      parameters.push_back(numbers ? one.get<std::vector<double>>() : std::vector<double>{});
    }
  } else {
    root.note("members", "at least one list of parameters", "none");
  }
  root.finish();
  document.raise();
  const Perceptron network(static_cast<Eigen::Index>(centre.size()), {hidden.begin(), hidden.end()});
  const auto fits = [&](const std::vector<double>& one) {
    return static_cast<Eigen::Index>(one.size()) == network.size() && to_vector(one).allFinite();
  };
  if (!std::ranges::all_of(parameters, fits)) {
    throw ConfigError({"mlp state", "members", std::to_string(network.size()) + " finite numbers each", "others", ""});
  }
  shape_.assign(hidden.begin(), hidden.end());
  centre_ = to_vector(centre);
  scale_ = to_vector(scale);
  mean_ = mean;
  deviation_ = deviation;
  variances_ = variances;
  noise_ = noise;
  factor_ = factor;
  left_out_ = left_out;
  members_.clear();
  for (const std::vector<double>& one : parameters) members_.push_back(to_vector(one));
}

}  // namespace ridgeline
