#include "predictors/device_transfer.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "predictors/metrics.hpp"
#include "spaces/config_error.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

// Four devices by two hidden amounts (operations and bytes), each bound by another mix of them.
struct Devices {
  Eigen::MatrixXd others;  // n x 3
  Eigen::VectorXd fresh;   // n
  Eigen::VectorXd bytes;   // n
};

Devices devices(Eigen::Index count) {
  Rng rng(61);
  Devices all{Eigen::MatrixXd(count, 3), Eigen::VectorXd(count), Eigen::VectorXd(count)};
  for (Eigen::Index i = 0; i < count; ++i) {
    const double operations = 1 + rng.uniform(), bytes = 1 + rng.uniform();
    all.others.row(i) << operations, operations + 0.2 * bytes, operations + 0.4 * bytes;
    all.fresh[i] = 3e-3 * (operations + bytes);
    all.bytes[i] = bytes;
  }
  return all;
}

Eigen::MatrixXd with_bytes(const Devices& all) {
  Eigen::MatrixXd features(all.others.rows(), 4);
  features << all.others, all.bytes;
  return features;
}

double spearman_of(const Eigen::VectorXd& a, const Eigen::VectorXd& b) {
  return spearman({a.data(), static_cast<std::size_t>(a.size())}, {b.data(), static_cast<std::size_t>(b.size())});
}

// The conditions of Karush, Kuhn and Tucker: the slope is 0 where a coefficient is positive, nowhere downhill where it
// is 0.
TEST(NonnegativeRidge, IsAMinimum) {
  Rng rng(62);
  Eigen::MatrixXd X(12, 5);
  Eigen::VectorXd y(12);
  for (double& value : X.reshaped()) value = rng.normal();
  for (double& value : y) value = rng.normal();
  bool any_zero = false, any_positive = false;
  for (const double penalty : {0.0, 1.0}) {
    const Eigen::VectorXd w = nonnegative_ridge(X, y, penalty, 0.2);
    const Eigen::VectorXd slope = X.transpose() * (X * w - y) + penalty * (w.array() - 0.2).matrix();
    for (Eigen::Index j = 0; j < w.size(); ++j) {
      EXPECT_GE(w[j], 0.0);
      EXPECT_GE(slope[j], -1e-7);
      EXPECT_NEAR(slope[j] * w[j], 0.0, 1e-7);
      (w[j] > 0 ? any_positive : any_zero) = true;
    }
  }
  EXPECT_TRUE(any_zero && any_positive);
  EXPECT_THROW(nonnegative_ridge(X, y, -1, 0.2), std::invalid_argument);
  EXPECT_THROW(nonnegative_ridge(X, y.head(5), 1, 0.2), std::invalid_argument);
}

// The cube of what the first takes: a straight line for the logarithms alone.
TEST(DeviceTransfer, TenSamplesFindAPowerOfAnotherDevice) {
  const Devices all = devices(300);
  const Eigen::VectorXd fresh = all.others.col(0).array().pow(3.0);
  DeviceTransfer transfer(all.others);
  transfer.fit(all.others.topRows(10), fresh.head(10));
  const Eigen::VectorXd rest = transfer.predict_mean(all.others.bottomRows(290));
  EXPECT_GT(spearman_of(rest, fresh.tail(290)), 0.99);
  EXPECT_LT((rest.array() / fresh.tail(290).array() - 1).abs().mean(), 0.1);
}

// No combination of the others that is nowhere negative has the new device's share of bytes; with the bytes one has.
TEST(DeviceTransfer, AmountsSayWhatNoOtherDeviceDoes) {
  const Devices all = devices(300);
  const auto quality = [&](const Eigen::MatrixXd& features, Eigen::Index amounts) {
    DeviceTransfer transfer(features, amounts);
    transfer.fit(features.topRows(10), all.fresh.head(10));
    return spearman_of(transfer.predict_mean(features.bottomRows(290)), all.fresh.tail(290));
  };
  const double without = quality(all.others, 0), with = quality(with_bytes(all), 1);
  EXPECT_GT(without, 0.85);
  EXPECT_LT(without, 0.96);
  EXPECT_GT(with, 0.99);
}

TEST(DeviceTransfer, MoreCostsNoLessAndPredictionsArePositive) {
  const Devices all = devices(50);
  const Eigen::MatrixXd features = with_bytes(all);
  DeviceTransfer transfer(features, 1);
  transfer.fit(features.topRows(10), all.fresh.head(10));
  for (Eigen::Index j = 0; j < 4; ++j) {
    Eigen::MatrixXd more = features;
    more.col(j).array() *= 1.1;
    EXPECT_GE((transfer.predict_mean(more) - transfer.predict_mean(features)).minCoeff(), 0.0) << j;
  }
  // Far below what was seen: still positive, and still ordered.
  Eigen::MatrixXd little(3, 4);
  little << 1e-9, 1e-9, 1e-9, -1, 1e-9, 1e-9, 1e-9, -2, 1e-9, 1e-9, 1e-9, -3;
  const Eigen::VectorXd costs = transfer.predict_mean(little);
  EXPECT_GT(costs[2], 0.0);
  EXPECT_GT(costs[1], costs[2]);
  EXPECT_GT(costs[0], costs[1]);
}

TEST(DeviceTransfer, SavedItPredictsTheSame) {
  const Devices all = devices(40);
  const Eigen::MatrixXd features = with_bytes(all);
  DeviceTransfer transfer(features, 1), loaded(all.others.topRows(2));
  transfer.fit(features.topRows(12), all.fresh.head(12));
  loaded.load(Json::parse(transfer.save().dump()));
  const Prediction a = transfer.predict(features), b = loaded.predict(features);
  EXPECT_EQ(a.mean, b.mean);
  EXPECT_EQ(a.stddev, b.stddev);
  EXPECT_GT(a.stddev.minCoeff(), 0.0);
  EXPECT_EQ(transfer.left_out_error(), loaded.left_out_error());
  EXPECT_THROW(loaded.load(Json{{"signature", "another/1"}}), ConfigError);
}

TEST(DeviceTransfer, SingleConstantAndDuplicateRows) {
  const Devices all = devices(20);
  DeviceTransfer transfer(all.others);
  transfer.fit(all.others.topRows(1), all.fresh.head(1));
  EXPECT_NEAR(transfer.predict_mean(all.others.topRows(1))[0], all.fresh[0], 1e-9 * all.fresh[0]);
  transfer.fit(all.others.topRows(1).replicate(5, 1), all.fresh.head(1).replicate(5, 1));
  EXPECT_NEAR(transfer.predict_mean(all.others.topRows(1))[0], all.fresh[0], 1e-6 * all.fresh[0]);
  DeviceTransfer constant(Eigen::MatrixXd::Constant(20, 3, 2.0));
  constant.fit(Eigen::MatrixXd::Constant(20, 3, 2.0), all.fresh);
  const double cost = constant.predict_mean(Eigen::MatrixXd::Constant(1, 3, 2.0))[0];
  EXPECT_LE(cost, all.fresh.mean() + 1e-9);  // the mean of costs, or of their logarithms
  EXPECT_GE(cost, std::exp(all.fresh.array().log().mean()) - 1e-9);
}

TEST(DeviceTransfer, BadArgumentsAreRefused) {
  const Devices all = devices(20);
  EXPECT_THROW(DeviceTransfer(Eigen::MatrixXd(0, 3)), std::invalid_argument);
  EXPECT_THROW(DeviceTransfer(all.others, 3), std::invalid_argument);
  DeviceTransfer transfer(all.others);
  EXPECT_THROW(transfer.predict(all.others), std::logic_error);
  Eigen::VectorXd broken = all.fresh;
  broken[2] = 0;
  EXPECT_THROW(transfer.fit(all.others, broken), std::invalid_argument);
  broken[2] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(transfer.fit(all.others, broken), std::invalid_argument);
  EXPECT_THROW(transfer.fit(all.others.leftCols(2), all.fresh), std::invalid_argument);
  EXPECT_THROW(transfer.fit(all.others.topRows(3), all.fresh), std::invalid_argument);
}

}  // namespace
}  // namespace ridgeline
