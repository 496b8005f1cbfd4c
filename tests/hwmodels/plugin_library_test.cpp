// Libraries of the user's own: PLUGIN_FOLDER holds those that tests/CMakeLists.txt builds from plugins/library.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <limits>
#include <set>
#include <thread>

#include "hwmodels/plugin/library_model.hpp"
#include "hwmodels/plugin/timed_calls.hpp"
#include "spaces/config_error.hpp"
#include "tests/hwmodels/nets.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::unique_ptr<HardwareModel> make(const std::string& library, const std::string& fault, double timeout_s = 600) {
  const Json device{{"ridgeline_device", 1},         {"model", "library"},    {"name", "mine"}, {"library", library},
                    {"options", {{"fault", fault}}}, {"timeout_s", timeout_s}};
  return LibraryModel::make(JsonDocument::from_value(device, PLUGIN_FOLDER "/device.json"));
}

std::string refusal(const std::string& library, const std::string& fault = "") {
  try {
    make(library, fault);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "made";
}

TEST(PluginLibrary, GivesWhatItSays) {
  const auto model = make("plugin_good.so", "");
  EXPECT_EQ(model->name(), "mine");
  EXPECT_TRUE(model->has_energy());
  EXPECT_TRUE(model->in_batches());
  EXPECT_THAT(std::vector<std::string>(model->resources().begin(), model->resources().end()), ElementsAre("luts"));
  const Design design = test::one_conv(int8);
  const Cost cost = model->estimate(design);
  EXPECT_EQ(cost.problem(), "");
  const double macs = 64.0 * 64 * 9 * 256;
  EXPECT_DOUBLE_EQ(cost.latency_s, 1e-9 * macs + 1e-6);
  EXPECT_DOUBLE_EQ(cost.energy_j, 1e-12 * macs);
  ASSERT_EQ(cost.ops.size(), 2U);
  EXPECT_EQ(cost.ops[1].latency_s, cost.latency_s);
  EXPECT_EQ(cost.ops[1].bound_by, "model");
  EXPECT_EQ(cost.weight_bytes, weight_bytes(design.network, design.precision));
  EXPECT_EQ(cost.peak_bytes, peak_activation_bytes(design.network, design.precision));
  ASSERT_NE(cost.resource("luts"), nullptr);
  EXPECT_EQ(cost.resource("luts")->used, 5);
}

TEST(PluginLibrary, SeesTheEdgesOfTheGraph) {
  // Five layers: stem, expand, depthwise, project with its addition (which reads two), pool; then the classifier.
  const Cost cost = make("plugin_good.so", "")->estimate(test::mobile_block(f32));
  double inputs = 0;
  for (const OpCost& op : cost.ops) inputs += (op.latency_s - 1e-9 * static_cast<double>(op.macs)) / 1e-6;
  EXPECT_NEAR(inputs, 7, 1e-6);
}

TEST(PluginLibrary, SeesWhatASpaceSaysOfHardware) {
  Design design = test::one_conv(f32);
  const auto model = make("plugin_good.so", "hardware");
  EXPECT_EQ(model->estimate(design).latency_s, 0);
  design.hardware = std::make_shared<const Json>(Json{{"pe", 4}});
  EXPECT_EQ(model->estimate(design).latency_s, 8);  // {"pe":4}
}

TEST(PluginLibrary, WhatCannotBeUsedIsRefusedWhenItIsLoaded) {
  EXPECT_THAT(refusal("nowhere.so"), AllOf(HasSubstr("no file"), HasSubstr("nowhere.so")));
  EXPECT_THAT(refusal("plugin_empty.so"), HasSubstr("exports ridgeline_hwmodel()"));
  EXPECT_THAT(refusal("plugin_old.so"), AllOf(HasSubstr("version 1 of"), HasSubstr("with version 7")));
  EXPECT_THAT(refusal("plugin_good.so", "refuse"), HasSubstr("the licence of 1999 has run out"));
  EXPECT_THAT(refusal("plugin_good.so", "throw_early"), HasSubstr("thrown in create"));
  EXPECT_THAT(refusal("plugin_good.so", "twice"), HasSubstr("'luts' twice"));
  const std::string text = ::testing::TempDir() + "/text.so";
  std::ofstream(text) << "no library";
  EXPECT_THAT(refusal(text), AllOf(HasSubstr("text.so"), Not(HasSubstr("made"))));
}

TEST(PluginLibrary, FaultsFailTheirDesignWithAReason) {
  const auto failure = [](const std::string& fault) {
    const Cost cost = make("plugin_good.so", fault)->estimate(test::one_conv(f32));
    EXPECT_EQ(cost.unsupported, "");
    EXPECT_EQ(cost.latency_s, 0) << fault;
    return cost.failed;
  };
  EXPECT_EQ(failure("nan"), "mine: its latency_s is not finite");
  EXPECT_EQ(failure("negative"), "mine: its energy_j is negative");
  EXPECT_EQ(failure("layer infinite"), "mine: one of its layers' latencies is not finite");
  EXPECT_EQ(failure("error"), "mine: the table has no such row");
  EXPECT_EQ(failure("throw_odd"), "mine: a C++ exception left it");
  EXPECT_THAT(failure("status"), HasSubstr("status that this version does not know"));
  EXPECT_THAT(failure("endless reason"), AllOf(HasSubstr("mine: xxx"), HasSubstr("...")));
}

TEST(PluginLibrary, UnsupportedIsAnAnswer) {
  EXPECT_EQ(make("plugin_good.so", "no depthwise")->estimate(test::mobile_block(f32)).unsupported,
            "no depthwise convolutions");
  const Cost cost = make("plugin_good.so", "too large")->estimate(test::one_conv(f32));
  EXPECT_EQ(cost.unsupported, "does not fit mine: needs 2000000 of 1000000 luts");
  EXPECT_EQ(cost.failed, "");
}

TEST(PluginLibrary, OneDesignOfABatchFailsAlone) {
  const auto model = make("plugin_good.so", "marked");
  const std::vector<Design> designs{test::one_conv(f32), test::mobile_block(f32), test::one_conv(int8)};
  std::vector<Cost> costs(3);
  model->estimate(designs, costs);
  EXPECT_EQ(costs[0].problem(), "");
  EXPECT_EQ(costs[1].failed, "mine: a C++ exception left it: not that one");
  EXPECT_EQ(costs[2].problem(), "");
  model->estimate({}, {});
}

TEST(PluginLibrary, IsNotWaitedForWithoutEnd) {
  const auto model = make("plugin_good.so", "hang", 0.05);
  const auto fault = [&] {
    try {
      model->estimate(test::one_conv(f32));
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("an answer");
  };
  EXPECT_THAT(fault(), AllOf(HasSubstr("within 0.05 s"), HasSubstr("plugin_good.so still at work")));
  EXPECT_THAT(fault(), HasSubstr("still at work"));  // at once: the first call keeps its thread
  EXPECT_THROW(make("plugin_good.so", "slow_start", 0.05), ConfigError);
  EXPECT_EQ(make("plugin_good.so", "", 600)->estimate(test::one_conv(f32)).problem(), "");
}

TEST(TimedCalls, RunInOrderOnOneThreadAndThrowWhatTheyThrow) {
  TimedCalls calls("work", 600);
  std::vector<int> order;
  std::set<std::thread::id> threads;
  std::vector<std::string> said;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(calls.run([&] {
      order.push_back(i);
      threads.insert(std::this_thread::get_id());
      said.emplace_back(call_under_way());
    }));
  }
  EXPECT_THAT(order, ElementsAre(0, 1, 2));
  EXPECT_THAT(said, ElementsAre("work", "work", "work"));
  EXPECT_EQ(threads.size(), 1U);
  EXPECT_EQ(threads.count(std::this_thread::get_id()), 0U);
  EXPECT_EQ(call_under_way(), nullptr);
  EXPECT_THROW(calls.run([] { throw std::out_of_range("thrown"); }), std::out_of_range);
  EXPECT_TRUE(calls.run([] {}));
}

TEST(TimedCalls, OneThatIsOverdueOutlivesThem) {
  const auto latch = std::make_shared<std::promise<void>>();
  const auto ended = std::make_shared<std::promise<void>>();
  std::future<void> end = ended->get_future();
  {
    TimedCalls calls("work", 0.01);
    EXPECT_FALSE(calls.run([latch, ended] {
      latch->get_future().wait();
      ended->set_value();
    }));
    EXPECT_FALSE(calls.run([] { FAIL() << "while the first is still at work"; }));
  }
  latch->set_value();
  end.wait();
}

TEST(PluginLibrary, ItsFileOrWhatItStatesIsItsFingerprint) {
  EXPECT_NE(make("plugin_good.so", "")->contents_hash(), 0U);
  EXPECT_EQ(make("plugin_good.so", "")->contents_hash(), make("plugin_good.so", "nan")->contents_hash());
  EXPECT_NE(make("plugin_good.so", "")->contents_hash(), make("plugin_good.so", "stated")->contents_hash());
}

TEST(PlainWords, AreOneLineOfValidUtf8) {
  EXPECT_EQ(plain_words(" two\n\tlines \r\n"), "two lines");
  EXPECT_EQ(plain_words("caf\xC3\xA9 \xFF\xC3"), "caf\xC3\xA9 ??");
  EXPECT_EQ(plain_words(std::string("a\0b", 3)), "a b");
  EXPECT_EQ(plain_words(std::string(1000, 'x'), 20).size(), 20U);
  EXPECT_EQ(plain_words(""), "");
}

}  // namespace
}  // namespace ridgeline
