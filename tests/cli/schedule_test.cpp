// Layers on several accelerators, through the program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "child.hpp"
#include "spaces/json_reader.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// What is wrong with a schedule as the program prints it; empty: nothing.
std::string fault(const Json& schedule) {
  std::map<std::int64_t, Json> by_node;
  for (const Json& layer : schedule.at("layers")) by_node[layer.at("node")] = layer;
  double last = 0;
  for (const auto& [node, layer] : by_node) {
    const double start = layer.at("start_s"), finish = layer.at("finish_s");
    last = std::max(last, finish);
    for (const Json& read : layer.at("reads")) {
      const Json& made = by_node.at(read.at("node"));
      const double carried = made.at("accelerator") == layer.at("accelerator") ? 0.0 : double(read.at("transfer_s"));
      if (start < (double(made.at("finish_s")) + carried) * (1 - 1e-12)) return "starts too early";
    }
    for (const auto& [other_node, other] : by_node) {
      if (other_node == node || other.at("accelerator") != layer.at("accelerator")) continue;
      if (start < double(other.at("finish_s")) * (1 - 1e-12) && double(other.at("start_s")) < finish * (1 - 1e-12)) {
        return "overlaps";
      }
    }
  }
  return last == double(schedule.at("makespan_s")) ? "" : "another makespan";
}

TEST(Schedule, OneNetworkOrSeveralOnADevice) {
  const std::vector<std::string> one{"schedule", "mobilenet_v2", "--seed", "3",        "--format",
                                     "int8",     "--device",     "nasaic", "--states", "0"};
  std::vector<std::string> two = one;
  two.insert(two.end(), {"--with", "mobilenet_v1", "--with", "mobilenet_v2"});
  std::map<std::size_t, double> heft;
  for (const auto& arguments : {one, two}) {
    std::vector<std::string> json = arguments;
    json.emplace_back("--json");
    const Json found = parsed(run_ridgeline(json));
    ASSERT_EQ(found.at("schedules").size(), 3U);
    for (const Json& schedule : found.at("schedules")) {
      EXPECT_EQ(fault(schedule), "") << schedule.at("name");
      EXPECT_GE(double(schedule.at("makespan_s")), double(found.at("bound_s")) * (1 - 1e-9));
    }
    EXPECT_LE(found.at("schedules")[2].at("makespan_s"), found.at("schedules")[1].at("makespan_s"));
    heft[found.at("networks").size()] = found.at("schedules")[1].at("makespan_s");
  }
  EXPECT_GT(heft.at(3), heft.at(1));
  two.insert(two.end(), {"--noise", "0.2", "--runs", "20"});
  const Outcome text = run_ridgeline(two);
  EXPECT_THAT(text.out, HasSubstr("noisy: 20 runs of the same plan"));
  EXPECT_EQ(text.code, 0);
  EXPECT_THAT(text.out, AllOf(HasSubstr("one accelerator"), HasSubstr("c: mobilenet_v2 2"), HasSubstr("|")));
}

TEST(Schedule, TheHardwareOfACandidateIsTheDevices) {
  const TemporaryFolder folder;
  const Json found = parsed(run_ridgeline({"schedule", "nasaic", "--seed", "2", "--device", "nasaic", "--states",
                                           "1000", "--out", folder.file("plan.svg"), "--json"}));
  EXPECT_EQ(found.at("networks"), Json({"cifar", "stl"}));
  std::ifstream svg(folder.file("plan.svg"));
  std::stringstream words;
  words << svg.rdbuf();
  EXPECT_THAT(words.str(), AllOf(HasSubstr("<svg"), HasSubstr("cifar"), HasSubstr("</svg>")));
  const Outcome narrowed =
      run_ridgeline({"schedule", "nasaic", "--choices", "kind[0]=eyeriss", "--choices", "kind[1]=absent", "--choices",
                     "kind[2]=absent", "--device", "nasaic", "--json"});
  const Json alone = parsed(narrowed);
  ASSERT_EQ(alone.at("accelerators").size(), 1U);
  EXPECT_EQ(alone.at("accelerators")[0].at("kind"), "eyeriss");
  EXPECT_TRUE(alone.at("optimal"));
}

TEST(Schedule, ATrialOfAStudyIsShownOnItsOwnHardware) {
  const TemporaryFolder folder;
  const ChildOptions there{folder.path(), {}, 0, ""};
  const Json searched = parsed(run_ridgeline({"search", "nasaic", "--only-main", "--trials", "240", "--json"}, there));
  const Json found = parsed(run_ridgeline({"schedule", "--study", "nasaic", "--states", "0", "--json"}, there));
  bool member = false;
  for (const Json& one : searched.at("front")) {
    for (const Json& schedule : found.at("schedules")) {
      member = member || one.at("values").at("latency_s") == schedule.at("makespan_s");
    }
  }
  EXPECT_TRUE(member);
  // What explains the trial shows it there too.
  const Json& best = searched.at("front")[0];
  const Json explained =
      parsed(run_ridgeline({"explain", "nasaic", std::to_string(best.at("trial").get<int>()), "--json"}, there));
  EXPECT_EQ(explained.at("estimates").at("nasaic").at("latency_s"), best.at("values").at("latency_s"));
  const Json estimated = parsed(run_ridgeline({"estimate", "nasaic", "--genome", best.at("genome").dump(), "--device",
                                               "nasaic", "--device", "gemmini_16x16", "--json"}));
  EXPECT_EQ(estimated.at("devices").at("nasaic").at("latency_s"), best.at("values").at("latency_s"));
  EXPECT_GT(estimated.at("devices").at("gemmini_16x16").at("latency_s"), 0);
}

TEST(Schedule, BadInputIsSaidWithItsRemedy) {
  const Outcome device = run_ridgeline({"schedule", "plain_cnn", "--format", "int8", "--device", "raspberry_pi_4"});
  EXPECT_EQ(device.code, 2);
  EXPECT_THAT(device.err, AllOf(HasSubstr("several accelerators"), HasSubstr("ridgeline device list")));
  const Outcome format = run_ridgeline({"schedule", "plain_cnn", "--format", "f32", "--device", "nasaic"});
  EXPECT_EQ(format.code, 2);
  EXPECT_THAT(format.err, HasSubstr("choose another --format"));
  EXPECT_EQ(run_ridgeline({"schedule", "--device", "nasaic"}).code, 2);
  const Outcome drawing = run_ridgeline({"schedule", "nasaic", "--device", "nasaic", "--out", "plan.txt"});
  EXPECT_EQ(drawing.code, 2);
  EXPECT_THAT(drawing.err, HasSubstr(".svg or .html"));
}

// Two networks and their accelerators under specifications that the networks alone do not look at.
TEST(Schedule, JointlySearchedNetworksKeepSpecificationsThatOneAfterTheOtherDoesNot) {
  const TemporaryFolder folder;
  const Outcome outcome = run_ridgeline(
      {"search", "nasaic", "--trials", "600", "--set", "compare[0].override.searcher.first_trials=300", "--json"},
      {folder.path(), {}, 0, ""});
  EXPECT_THAT(outcome.err, HasSubstr("nothing feasible in nasaic/sequential"));
  EXPECT_EQ(outcome.code, 3);  // of the sequential route
  const Json json = Json::parse(outcome.out);
  ASSERT_FALSE(json.at("front").empty());
}

}  // namespace
}  // namespace ridgeline
