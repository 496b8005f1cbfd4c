// Fronts at the costs of others: sizes counted again from the fronts' genomes, ratios and hypervolumes by plain loops.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "spaces/counts.hpp"
#include "spaces/search_space.hpp"
#include "tests/cli/child.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

using Pairs = std::vector<std::pair<double, double>>;  // quality, cost

class Cross : public ::testing::Test {
 protected:
  Outcome run(const std::vector<std::string>& arguments) const {
    return run_ridgeline(arguments, {folder_.path(), {{"LC_ALL", "C.UTF-8"}}, 0, ""});
  }
  void search(const std::string& name, const Json& cost, int seed = 7) const {
    Json study = Json::parse(counting_study(name, "nasbench201", 60));
    study["objectives"][1] = cost;
    study["seed"] = seed;
    folder_.write("study.json", study.dump());
    const Outcome outcome = run({"search", "./study.json", "--quiet"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  static Json counted(const std::string& quantity) {
    return {{"name", quantity}, {"direction", "minimise"}, {"from", {{"evaluator", "count"}, {"quantity", quantity}}}};
  }
  TemporaryFolder folder_;
};

// The union of boxes from each point to the reference, by every pair of neighbouring qualities.
double covered(Pairs points, double worst_quality, double worst_cost) {
  std::ranges::sort(points);
  double area = 0.0, below = worst_quality;
  for (std::size_t i = 0; i < points.size(); ++i) {
    double least = worst_cost;
    for (std::size_t j = i; j < points.size(); ++j) least = std::min(least, points[j].second);
    area += std::max(points[i].first - below, 0.0) * (worst_cost - least);
    below = std::max(below, points[i].first);
  }
  return area;
}

TEST_F(Cross, FiguresCountedAgain) {
  search("by_macs", counted("macs"));
  search("by_weights", counted("parameters"), 8);
  const Json cross = parsed(run({"cross", "by_macs", "by_weights", "--json"}));
  const SearchSpace space = SearchSpace::load(std::string(RIDGELINE_SOURCE_DIR) + "/spaces/library/nasbench201.json");
  const std::vector<std::string> studies{"by_macs", "by_weights"};
  for (std::size_t column = 0; column < 2; ++column) {
    std::vector<Pairs> fronts;
    for (std::size_t row = 0; row < 2; ++row) {
      Pairs expected, found;
      const Json front = parsed(run({"pareto", studies[row], "--json"})).at("front");
      for (const Json& member : front) {
        const Network network = space.decode(space.from_json(member.at("genome"))).network;
        expected.emplace_back(member.at("values").at("entropy").get<double>(),
                              static_cast<double>(column == 0 ? macs(network) : parameters(network)));
      }
      const Json& figures = cross.at("fronts")[row].at("at")[column];
      for (const Json& member : figures.at("members")) found.emplace_back(member[0], member[1]);
      std::ranges::sort(expected);
      std::ranges::sort(found);
      EXPECT_EQ(found, expected) << studies[row];
      EXPECT_EQ(figures.at("unsupported"), 0);
      fronts.push_back(found);
    }
    double best_quality = -1e300, worst_quality = 1e300, least = 1e300, most = 0.0;
    for (const Pairs& front : fronts) {
      for (const auto& [quality, cost] : front) {
        best_quality = std::max(best_quality, quality);
        worst_quality = std::min(worst_quality, quality);
        least = std::min(least, cost);
        most = std::max(most, cost);
      }
    }
    worst_quality -= 0.1 * (best_quality - worst_quality);
    most += 0.1 * (most - least);
    for (std::size_t row = 0; row < 2; ++row) {
      const Json& figures = cross.at("fronts")[row].at("at")[column];
      const double share =
          covered(fronts[row], worst_quality, most) / ((best_quality - worst_quality) * (most - least));
      EXPECT_NEAR(figures.at("hypervolume").get<double>(), share, 1e-9);
      if (row == column) {
        EXPECT_NEAR(figures.at("times_own").at("mean").get<double>(), 1.0, 1e-12);
      }
      double largest = 0.0;
      for (const auto& [quality, cost] : fronts[row]) {
        double own = 1e300;
        for (const auto& [other, its] : fronts[column]) own = other >= quality ? std::min(own, its) : own;
        const bool dominated = std::ranges::any_of(fronts[row], [&](const auto& one) {
          return one.first >= quality && one.second <= cost && one != std::pair{quality, cost};
        });
        if (!dominated && own < 1e300) largest = std::max(largest, cost / own);
      }
      EXPECT_NEAR(figures.at("times_own").at("largest").get<double>(), largest, 1e-9 * largest);
    }
  }
}

TEST_F(Cross, DescribedDevicesAndMistakes) {
  search("by_macs", counted("macs"));
  search("on_pixel", {{"name", "latency_s"},
                      {"unit", "s"},
                      {"direction", "minimise"},
                      {"from", {{"evaluator", "cost"}, {"device", "pixel_6"}, {"quantity", "latency_s"}}}});
  const Outcome text = run({"cross", "by_macs", "on_pixel"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, AllOf(HasSubstr("macs of by_macs"), HasSubstr("latency of on_pixel"), HasSubstr("pixel_6")));
  EXPECT_THAT(run({"cross", "by_macs"}).err, HasSubstr("two studies or more"));
  EXPECT_THAT(run({"cross", "by_macs", "by_macs"}).err, HasSubstr("every study once"));
  EXPECT_EQ(run({"cross", "by_macs", "unknown"}).code, 2);
}

}  // namespace
}  // namespace ridgeline
