// On a table of 300 cells of NAS-Bench-201 whose costs are sums over edges.
#include "experiments/bench/learning_curve.hpp"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

class LearningCurveTest : public ::testing::Test {
 protected:
  LearningCurveTest() {
    std::string text = "ops,ms,other,quality\n";
    Rng rng(71);
    for (std::uint64_t row = 0; row < 300; ++row) {
      std::string cell;
      double cost = 1.0;
      for (std::uint64_t edge = 0, rest = row * 52; edge < 6; ++edge, rest /= 5) {
        cell += static_cast<char>('0' + rest % 5);
        cost += static_cast<double>((rest % 5) * (edge + 1));
      }
      text += fmt::format("{},{},{},{}\n", cell, cost, 3.0 * cost * cost, -cost);
    }
    scratch_.write("cells.csv", text);
    table_ = scratch_.write("cells.json", R"({
      "ridgeline_table": 1, "name": "cells", "source": "nowhere", "file": "cells.csv", "space": "nasbench201",
      "key": [{"column": "ops", "genes": ["edge"], "digits": true, "words": {"0": "none", "1": "skip_connect",
               "2": "nor_conv_1x1", "3": "nor_conv_3x3", "4": "avg_pool_3x3"}}],
      "values": {"latency_s": {"column": "ms", "unit": "s", "direction": "minimise"},
                 "latency_s_other": {"column": "other", "unit": "s", "direction": "minimise"},
                 "quality": {"column": "quality", "unit": "%", "direction": "maximise"}}})");
  }
  CurveData data(const std::string& objective, const std::vector<std::string>& from = {}) const {
    return curve_data(resources(), table_, objective, from);
  }
  static double figure(const CurvePoint& point, const std::string& name) {
    for (const CurvePoint::Figure& one : point.figures) {
      if (one.name == name) return one.over_draws.mean;
    }
    ADD_FAILURE() << name;
    return 0;
  }
  static CurveOptions options() {
    CurveOptions options;
    options.by = {"ridge", FeatureChoice::genes};
    options.shape = CurveShape::plain;
    options.samples = {10, 60};
    options.draws = 3;
    return options;
  }
  Scratch scratch_;
  std::string table_;
};

// A sum over edges is linear in the genes: 60 rows determine it, 10 do not.
TEST_F(LearningCurveTest, MoreSamplesPredictBetter) {
  for (const std::string objective : {"latency_s", "quality"}) {
    const LearningCurve curve = learning_curve(data(objective), options());
    ASSERT_EQ(curve.points.size(), 2U);
    EXPECT_EQ(curve.points[1].samples, 60U);
    EXPECT_GT(figure(curve.points[1], "spearman"), 0.999) << objective;
    EXPECT_GT(figure(curve.points[1], "recall"), 0.95) << objective;
    EXPECT_LT(figure(curve.points[0], "kendall"), figure(curve.points[1], "kendall")) << objective;
  }
}

TEST_F(LearningCurveTest, ThreadsChangeNothing) {
  const CurveData all = data("latency_s");
  for (const SampleChoice choice : {SampleChoice::random, SampleChoice::spread, SampleChoice::variance}) {
    CurveOptions one = options(), two = options();
    one.choice = two.choice = choice;
    one.threads = 1;
    two.threads = 2;
    const LearningCurve a = learning_curve(all, one), b = learning_curve(all, two);
    for (std::size_t p = 0; p < a.points.size(); ++p) {
      for (std::size_t f = 0; f < a.points[p].figures.size(); ++f) {
        EXPECT_EQ(a.points[p].figures[f].over_draws.mean, b.points[p].figures[f].over_draws.mean);
      }
    }
  }
}

// The other device takes 3 c^2 where this one takes c: a straight line of logarithms, beside combinations that are
// none.
TEST_F(LearningCurveTest, TransferFindsAMonotoneDevice) {
  const CurveData all = data("latency_s", {"others"});
  EXPECT_EQ(all.from, std::vector<std::string>{"latency_s_other"});
  const LearningCurve curve = learning_curve(all, options());
  EXPECT_GT(figure(curve.points[0], "spearman"), 0.999);
  EXPECT_LT(figure(curve.points[1], "percentage_error"), 1.0);
}

TEST_F(LearningCurveTest, BadArgumentsAreExplained) {
  EXPECT_NE(what_of([&] { data("latency"); }).find("latency_s"), std::string::npos);
  EXPECT_NE(what_of([&] { data("latency_s", {"latency_s"}); }).find("--from"), std::string::npos);
  EXPECT_NE(what_of([&] { data("latency_s", {"quality"}); }).find("positive"), std::string::npos);
  CurveOptions many = options();
  many.samples = {300};
  EXPECT_NE(what_of([&] { learning_curve(data("latency_s"), many); }).find("298"), std::string::npos);
  CurveOptions logarithm = options();
  logarithm.shape = CurveShape::logarithm;
  EXPECT_NE(what_of([&] { learning_curve(data("quality"), logarithm); }).find("--shape"), std::string::npos);
}

}  // namespace
}  // namespace ridgeline::testing
