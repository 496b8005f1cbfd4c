// Learning curves: how well a predictor of one value of a published table (experiments/evaluators/table.hpp) does from
// few of its rows, by all the others, over many draws; also from the same rows' values on other devices and what their
// networks consist of, and with rows that are chosen, not drawn.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "experiments/bench/statistics.hpp"
#include "experiments/resources.hpp"
#include "search/predicted/predicted_evolution.hpp"

namespace ridgeline {

// One value of a table, the candidates that have it, and other values of the same.
struct CurveData {
  std::string table, objective, unit;
  bool maximised = false;
  std::shared_ptr<const SearchSpace> space;
  std::vector<Genome> genomes;    // n
  Eigen::VectorXd values;         // n, natural
  std::vector<std::string> from;  // k
  Eigen::MatrixXd others;         // n x k, natural
};
// `from`: names of other values; "others" stands for all of the objective's unit. Throws ConfigError: no such table or
// value, the objective among `from`; values of a transfer that are not positive.
CurveData curve_data(const Resources& resources, const std::string& table, const std::string& objective,
                     const std::vector<std::string>& from);

// Which rows are learnt from: drawn; one after the other the farthest from those before (Gonzalez, 1985) by genes or,
// where there are others, by their logarithms, the first drawn; or those of 500 drawn ones whose predicted deviation is
// largest, an eighth more at a time, after 8 drawn ones.
enum class SampleChoice : std::uint8_t { random, spread, variance };
std::span<const std::string> sample_choice_names();

// What is predicted: the value, its logarithm, or the logarithm of how far it is from the best of the samples
// (search/predicted/value_shape.hpp).
enum class CurveShape : std::uint8_t { automatic, plain, logarithm, best };
// automatic: of what is positive and minimised plain or its logarithm, by the left-out error of each fit; else best.
std::span<const std::string> curve_shape_names();

struct CurveOptions {
  PredictedBy by{"ridge", FeatureChoice::pairs};  // not looked at where there are others
  std::shared_ptr<const FeatureSet> costs{};      // of the space, for features that have them
  CurveShape shape = CurveShape::automatic;
  SampleChoice choice = SampleChoice::random;
  std::vector<std::size_t> samples{10, 50, 100};
  std::size_t draws = 100;
  std::uint64_t first_seed = 1;
  int threads = 0;                                                      // 0: all
  std::function<void(std::size_t done, std::size_t total)> progress{};  // from any thread, one at a time
  const std::atomic<bool>* stop = nullptr;
};

struct CurvePoint {
  std::size_t samples = 0;
  struct Figure {
    std::string name;  // "spearman", "kendall", "recall", "percentage_error", "within_5" ... as in PredictionAgreement
    MeanInterval over_draws;
  };
  std::vector<Figure> figures;
};
struct LearningCurve {
  std::string predicted_by;  // "ridge on pairs, of the logarithm", "transfer from 9 values"
  std::size_t draws = 0;     // fewer than asked for where it was stopped; none: no points
  std::vector<CurvePoint> points;
};
// Draw i is decided by first_seed + i, for any number of threads; a smaller number of samples is the beginning of a
// larger. Throws ConfigError: no samples, or as many as there are rows; features that the space does not have.
LearningCurve learning_curve(const CurveData& data, const CurveOptions& options);

}  // namespace ridgeline
