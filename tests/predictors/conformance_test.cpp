// What every registered predictor must do (predictors/predictor.hpp).
#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

#include "predictors/predictor.hpp"
#include "spaces/config_error.hpp"
#include "tests/predictors/random_data.hpp"

namespace ridgeline {
namespace {

class PredictorConformance : public ::testing::TestWithParam<std::string> {};

TEST_P(PredictorConformance, IsDeterministicAndSurvivesSaving) {
  const Data data = random_data(30, 4, 0.5, 21);
  const auto first = make_predictor(GetParam()), second = make_predictor(GetParam()),
             third = make_predictor(GetParam());
  first->fit(data.X, data.y);
  second->fit(data.X, data.y);
  third->load(Json::parse(first->save().dump()));
  const Data fresh = random_data(7, 4, 0.5, 22);
  const Prediction a = first->predict(fresh.X), b = second->predict(fresh.X), c = third->predict(fresh.X);
  EXPECT_EQ(a.mean, b.mean);
  EXPECT_EQ(a.mean, first->predict_mean(fresh.X));
  EXPECT_EQ(a.mean, c.mean);
  EXPECT_EQ(a.stddev, c.stddev);
  EXPECT_GT(a.stddev.minCoeff(), 0.0);
  EXPECT_GT(first->left_out_error(), 0.0);
  EXPECT_EQ(first->left_out_error(), third->left_out_error());
}

TEST_P(PredictorConformance, EmptySingleAndDuplicateRows) {
  Data data = random_data(12, 2, 0.5, 23);
  data.X.row(1) = data.X.row(0);
  const auto predictor = make_predictor(GetParam());
  predictor->fit(data.X, data.y);
  EXPECT_EQ(predictor->predict(Eigen::MatrixXd(0, 2)).mean.size(), 0);
  const Prediction all = predictor->predict(data.X), one = predictor->predict(data.X.row(3));
  EXPECT_NEAR(one.mean[0], all.mean[3], 1e-12);
  predictor->fit(data.X.topRows(1), data.y.head(1));
  EXPECT_NEAR(predictor->predict(data.X.topRows(1)).mean[0], data.y[0], 1e-9);
}

TEST_P(PredictorConformance, BadArgumentsAreRefused) {
  const Data data = random_data(5, 2, 0.5, 24);
  const auto predictor = make_predictor(GetParam());
  EXPECT_THROW(predictor->predict(data.X), std::logic_error);
  EXPECT_THROW(predictor->left_out_error(), std::logic_error);
  EXPECT_THROW(predictor->fit(Eigen::MatrixXd(0, 2), Eigen::VectorXd(0)), std::invalid_argument);
  EXPECT_THROW(predictor->fit(data.X, data.y.head(4)), std::invalid_argument);
  Eigen::MatrixXd broken = data.X;
  broken(1, 1) = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(predictor->fit(broken, data.y), std::invalid_argument);
  predictor->fit(data.X, data.y);
  EXPECT_THROW(predictor->predict(Eigen::MatrixXd::Zero(1, 3)), std::invalid_argument);
  EXPECT_THROW(predictor->load(Json{{"signature", "another/1"}}), ConfigError);
}

std::vector<std::string> names() {
  std::vector<std::string> result;
  for (const PredictorEntry& entry : predictors()) result.push_back(entry.name);
  return result;
}
INSTANTIATE_TEST_SUITE_P(All, PredictorConformance, ::testing::ValuesIn(names()),
                         [](const auto& one) { return one.param; });

TEST(Predictors, UnknownNamesAndOptionsAreExplained) {
  try {
    make_predictor("rigde");
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("ridge"), std::string::npos) << error.what();
  }
  EXPECT_THROW(make_predictor("ridge", Json{{"penalty", 1}}), ConfigError);
  EXPECT_THROW(make_predictor("ridge", Json{{"penalties", {-1}}}), ConfigError);
}

}  // namespace
}  // namespace ridgeline
