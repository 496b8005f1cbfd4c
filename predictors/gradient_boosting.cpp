#include "predictors/gradient_boosting.hpp"

#include <xgboost/c_api.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

#include "predictors/row_checks.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

constexpr const char* signature = "xgboost/1";
constexpr double least_error = std::numeric_limits<double>::min();
constexpr std::size_t rounds_between_looks = 20;  // how finely the number of trees is chosen
constexpr std::size_t patience = 10;              // looks without a better one

void check(int result) {
  if (result == 0) return;
  const std::string text = XGBGetLastError();
  throw std::runtime_error("xgboost: " + text.substr(0, text.find('\n')));  // a stack follows
}

}  // namespace

class GradientBoosting::Booster {
 public:
  explicit Booster(const GradientBoostingOptions& options) {
    check(XGBoosterCreate(nullptr, 0, &handle_));
    set("nthread", "1");
    set("verbosity", "0");
    set("objective", "reg:squarederror");
    set("base_score", "0");
    set("tree_method", "hist");
    set("seed_per_iteration", "1");
    set("max_depth", std::to_string(options.depth));
    set("eta", std::to_string(options.learning_rate));
    set("subsample", std::to_string(options.row_share));
  }
  ~Booster() { XGBoosterFree(handle_); }
  Booster(const Booster&) = delete;
  Booster& operator=(const Booster&) = delete;

  // The rows that trees are grown from until keep().
  void take(const Rows& X, const Eigen::VectorXf& y) {
    DMatrixHandle table = nullptr;
    check(XGDMatrixCreateFromMat(X.data(), static_cast<bst_ulong>(X.rows()), static_cast<bst_ulong>(X.cols()),
                                 std::numeric_limits<float>::quiet_NaN(), &table));
    table_.reset(table);
    check(XGDMatrixSetFloatInfo(table, "label", y.data(), static_cast<bst_ulong>(y.size())));
    set("num_feature", std::to_string(X.cols()));
  }

  void grow(std::size_t until) {
    for (; grown_ < until; ++grown_) check(XGBoosterUpdateOneIter(handle_, static_cast<int>(grown_), table_.get()));
  }

  // By the first `rounds` trees; 0: all.
  Eigen::VectorXd predict(const Rows& X, std::size_t rounds = 0) const {
    if (X.rows() == 0) return Eigen::VectorXd(0);
    const Json table{{"data", {reinterpret_cast<std::uintptr_t>(X.data()), true}},
                     {"shape", {X.rows(), X.cols()}},
                     {"typestr", "<f4"},
                     {"version", 3}};
    const std::string how = R"({"type": 1, "training": false, "iteration_begin": 0, "iteration_end": )" +
                            std::to_string(rounds) + R"(, "strict_shape": false, "cache_id": 0, "missing": NaN})";
    const bst_ulong* shape = nullptr;
    bst_ulong dimensions = 0;
    const float* values = nullptr;
    check(XGBoosterPredictFromDense(handle_, table.dump().c_str(), how.c_str(), nullptr, &shape, &dimensions, &values));
    return Eigen::Map<const Eigen::VectorXf>(values, X.rows()).cast<double>();
  }

  void keep(std::size_t rounds) {
    BoosterHandle kept = nullptr;
    check(XGBoosterSlice(handle_, 0, static_cast<int>(rounds), 1, &kept));
    XGBoosterFree(std::exchange(handle_, kept));
    set("nthread", "1");
    table_.reset();
  }

  Json save() const {
    bst_ulong size = 0;
    const char* text = nullptr;
    check(XGBoosterSaveModelToBuffer(handle_, R"({"format": "json"})", &size, &text));
    return Json::parse(text, text + size);
  }

  void load(const Json& model) {
    const std::string text = model.dump();
    check(XGBoosterLoadModelFromBuffer(handle_, text.data(), static_cast<bst_ulong>(text.size())));
    set("nthread", "1");
  }

  Eigen::Index features() const {
    bst_ulong count = 0;
    check(XGBoosterGetNumFeature(handle_, &count));
    return static_cast<Eigen::Index>(count);
  }

 private:
  void set(const char* name, const std::string& value) { check(XGBoosterSetParam(handle_, name, value.c_str())); }

  BoosterHandle handle_ = nullptr;
  std::unique_ptr<void, int (*)(void*)> table_{nullptr, &XGDMatrixFree};
  std::size_t grown_ = 0;
};

GradientBoosting::GradientBoosting(GradientBoostingOptions options) : options_(options) {
  if (options.most_rounds == 0 || options.depth == 0 || options.folds < 2 || !(options.learning_rate > 0) ||
      options.learning_rate > 1 || !(options.row_share > 0) || options.row_share > 1) {
    throw std::invalid_argument("xgboost: rounds and depth from 1, folds from 2, shares above 0 and up to 1");
  }
}

GradientBoosting::~GradientBoosting() = default;

// XGBoost refuses tables without columns: where there are no features there is one that never changes.
GradientBoosting::Rows GradientBoosting::rounded(const Eigen::Ref<const Eigen::MatrixXd>& X) {
  if (X.cols() == 0) return Rows::Zero(X.rows(), 1);
  return X.cast<float>();
}

std::unique_ptr<Predictor> GradientBoosting::make(JsonReader options) {
  GradientBoostingOptions chosen;
  const auto count = [&](const char* key, std::size_t& value, std::int64_t least, std::int64_t most) {
    const auto fallback = static_cast<std::int64_t>(value);
    value = static_cast<std::size_t>(options.integer(key, {.fallback = fallback, .least = least, .most = most}));
  };
  count("most_rounds", chosen.most_rounds, 1, 100'000);
  count("depth", chosen.depth, 1, 20);
  count("folds", chosen.folds, 2, 1'000);
  chosen.learning_rate =
      options.number("learning_rate", {.fallback = chosen.learning_rate, .least = 1e-6, .most = 1.0});
  chosen.row_share = options.number("row_share", {.fallback = chosen.row_share, .least = 1e-3, .most = 1.0});
  options.finish();
  return std::make_unique<GradientBoosting>(chosen);
}

void GradientBoosting::fit(const Eigen::Ref<const Eigen::MatrixXd>& X, const Eigen::Ref<const Eigen::VectorXd>& y) {
  check_fit("xgboost", X, y);
  features_ = X.cols();
  mean_ = y.mean();
  const double deviation = std::sqrt((y.array() - mean_).square().mean());
  scale_ = deviation > 0 ? deviation : 1.0;
  const Rows rows = rounded(X);
  const Eigen::VectorXf values = ((y.array() - mean_) / scale_).matrix().cast<float>();
  choose_rounds(rows, values);
  all_ = std::make_unique<Booster>(options_);
  all_->take(rows, values);
  all_->grow(rounds_);
  all_->keep(rounds_);
}

// Every fold leaves out every folds-th row, so that rows in the order of a search are spread over all. The folds grow
// together, until their left-out rows have not been predicted better for some looks.
void GradientBoosting::choose_rounds(const Rows& X, const Eigen::VectorXf& y) {
  folds_.clear();
  const auto count = std::min(options_.folds, static_cast<std::size_t>(X.rows()));
  rounds_ = options_.most_rounds;
  left_out_ = least_error;
  if (count < 2) return;
  std::vector<Rows> left_rows;
  std::vector<Eigen::VectorXd> left_values;
  for (std::size_t fold = 0; fold < count; ++fold) {
    std::vector<Eigen::Index> kept, left;
    for (Eigen::Index i = 0; i < X.rows(); ++i) {
      (static_cast<std::size_t>(i) % count == fold ? left : kept).push_back(i);
    }
    folds_.push_back(std::make_unique<Booster>(options_));
    folds_.back()->take(X(kept, Eigen::all), y(kept));
    left_rows.emplace_back(X(left, Eigen::all));
    left_values.emplace_back(y(left).cast<double>());
  }
  double least = std::numeric_limits<double>::infinity();
  std::size_t looks_since = 0;
  for (std::size_t grown = 0; grown < options_.most_rounds && looks_since < patience; ++looks_since) {
    grown = std::min(grown + rounds_between_looks, options_.most_rounds);
    double squares = 0;
    for (std::size_t fold = 0; fold < count; ++fold) {
      folds_[fold]->grow(grown);
      squares += (folds_[fold]->predict(left_rows[fold]) - left_values[fold]).squaredNorm();
    }
    if (squares >= least) continue;
    least = squares;
    rounds_ = grown;
    looks_since = 0;
  }
  for (const auto& fold : folds_) fold->keep(rounds_);
  left_out_ = std::max(least / static_cast<double>(X.rows()) * scale_ * scale_, least_error);
}

Eigen::VectorXd GradientBoosting::predict_mean(const Eigen::Ref<const Eigen::MatrixXd>& X) const {
  check_predict("xgboost", all_ != nullptr, X, features_);
  return all_->predict(rounded(X)) * scale_ + Eigen::VectorXd::Constant(X.rows(), mean_);
}

Prediction GradientBoosting::predict(const Eigen::Ref<const Eigen::MatrixXd>& X) const {
  check_predict("xgboost", all_ != nullptr, X, features_);
  const Rows rows = rounded(X);
  Prediction prediction;
  prediction.mean = all_->predict(rows) * scale_ + Eigen::VectorXd::Constant(X.rows(), mean_);
  Eigen::ArrayXd sum = Eigen::ArrayXd::Zero(X.rows()), squares = sum;
  for (const auto& fold : folds_) {
    const Eigen::ArrayXd values = fold->predict(rows) * scale_;
    sum += values;
    squares += values.square();
  }
  const double count = std::max<double>(1.0, static_cast<double>(folds_.size()));
  prediction.stddev = ((squares / count - (sum / count).square()).max(0.0) + left_out_).sqrt();
  return prediction;
}

double GradientBoosting::left_out_error() const {
  if (!all_) throw std::logic_error("xgboost: no fit yet");
  return left_out_;
}

Json GradientBoosting::save() const {
  if (!all_) throw std::logic_error("xgboost: save before fit");
  Json folds = Json::array();
  for (const auto& fold : folds_) folds.push_back(fold->save());
  return {{"signature", signature}, {"features", features_}, {"rounds", rounds_},   {"mean", mean_},
          {"scale", scale_},        {"left_out", left_out_}, {"all", all_->save()}, {"folds", std::move(folds)}};
}

void GradientBoosting::load(const Json& state) {
  JsonDocument document = JsonDocument::from_value(state, "xgboost state");
  JsonReader root = document.root();
  if (root.string("signature") != signature) {
    root.note("signature", signature, describe(state.value("signature", Json())));
  }
  const std::int64_t features = root.integer("features", {.least = 0});
  const std::int64_t rounds = root.integer("rounds", {.least = 1});
  const double mean = root.number("mean"), scale = root.number("scale", {.least = least_error});
  const double left_out = root.number("left_out", {.least = least_error});
  std::vector<std::unique_ptr<Booster>> models;
  const auto read = [&](const Json& model) {
    models.push_back(std::make_unique<Booster>(options_));
    try {
      models.back()->load(model);
      if (models.back()->features() == std::max<std::int64_t>(features, 1)) return;
    } catch (const std::runtime_error&) {  // told below
    }
    root.note("", "XGBoost's models of so many features", "others");
  };
  if (const Json* const all = root.any("all", true)) read(*all);
  for (const JsonReader& fold : root.array("folds")) read(fold.value());
  root.finish();
  document.raise();
  features_ = features;
  rounds_ = static_cast<std::size_t>(rounds);
  mean_ = mean;
  scale_ = scale;
  left_out_ = left_out;
  all_ = std::move(models.front());
  models.erase(models.begin());
  folds_ = std::move(models);
}

}  // namespace ridgeline
