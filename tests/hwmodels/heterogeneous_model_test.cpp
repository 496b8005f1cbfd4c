// Several accelerators on one chip: each one's numbers against its template's own model, schedules against the judge,
// sums by hand, refusals.
#include "hwmodels/scheduling/heterogeneous_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "hwmodels/scheduling/exact_schedule.hpp"
#include "hwmodels/scheduling/heft.hpp"
#include "hwmodels/spatial/spatial_model.hpp"
#include "hwmodels/spatial/systolic_model.hpp"
#include "spaces/config_error.hpp"
#include "tests/hwmodels/nets.hpp"
#include "tests/hwmodels/schedule_support.hpp"

namespace ridgeline {
namespace {

using ::testing::HasSubstr;

Json systolic(const std::string& dataflow, const std::string& format) {
  Json made = Json::parse(R"({
    "model": "systolic", "name": "array", "clock_hz": 1e9, "array": {"rows": 8, "cols": 8},
    "multiplier": {"kind": "parallel", "mm2": 0.001},
    "scratchpad_bytes": {"inputs": 16384, "weights": 16384, "outputs": 8192},
    "dram_bytes_per_s": 1e9, "vector_ops_per_s": 1e9,
    "energy": {"joules_per_scratchpad_byte": 1e-12, "joules_per_dram_byte": 1e-10},
    "area": {"mm2_per_scratchpad_byte": 1e-6, "fixed_mm2": 2},
    "sources": {"clock_hz": "made up", "array": "made up", "multiplier": "made up", "scratchpad_bytes": "made up",
                "dram_bytes_per_s": "made up", "vector_ops_per_s": "made up", "energy": "made up", "area": "made up"}})");
  made["array"]["dataflow"] = dataflow;
  made["multiplier"]["cycles_per_mac"] = {{format, 1}};
  made["multiplier"]["joules_per_mac"] = {{format, 1e-12}};
  return made;
}

Json toy_device() {
  return {{"ridgeline_device", 1},
          {"model", "heterogeneous"},
          {"name", "toy"},
          {"templates", {{"ws", systolic("ws", "int8")}, {"os", systolic("os", "int8")}}},
          {"accelerators",
           {{{"name", "first"}, {"template", "ws"}, {"elements", 64}, {"bandwidth_percent", 40}},
            {{"name", "second"}, {"template", "os"}, {"elements", 128}, {"bandwidth_percent", 60}}}},
          {"elements", 256},
          {"dram_bytes_per_s", 10e9},
          {"interconnect", {{"bytes_per_s", 5e9}, {"joules_per_byte", 2e-12}, {"overhead_s", 1e-7}, {"mm2", 0.5}}},
          {"sources",
           {{"elements", "made up"},
            {"dram_bytes_per_s", "made up"},
            {"interconnect", "made up"},
            {"accelerators", "made up"}}}};
}

std::unique_ptr<HardwareModel> make(const Json& device) {
  return make_device(JsonDocument::from_value(device, "toy.json"));
}

const HeterogeneousModel& heterogeneous(const std::unique_ptr<HardwareModel>& model) {
  return dynamic_cast<const HeterogeneousModel&>(*model);
}

std::string refusal(const Json& device) {
  try {
    make(device);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

// Two mobile blocks that know nothing of each other.
Design two_networks(const Format& format) {
  Design design;
  for (int i = 0; i < 2; ++i) {
    const Network one = test::mobile_block(format).network;
    const auto first = static_cast<NodeId>(design.network.size());
    for (NodeId node = 0; node < one.size(); ++node) {
      std::vector<NodeId> inputs;
      for (const NodeId input : one.inputs(node)) inputs.push_back(first + input);
      design.network.add(one.op(node), inputs, one.name(node));
    }
    for (const NodeId output : one.outputs()) design.network.mark_output(first + output);
  }
  design.precision = PrecisionPlan::uniform(design.network, format, format);
  return design;
}

TEST(HeterogeneousModel, AnAcceleratorIsItsTemplateWithOtherNumbers) {
  const std::unique_ptr<HardwareModel> made = make(toy_device());
  const std::vector<SubAccelerator>& accelerators = heterogeneous(made).device().accelerators;
  ASSERT_EQ(accelerators.size(), 2U);
  Json by_hand = systolic("os", "int8");
  by_hand["ridgeline_device"] = 1;
  by_hand["array"] = {{"rows", 8}, {"cols", 16}, {"dataflow", "os"}};
  by_hand["scratchpad_bytes"] = {{"inputs", 32768}, {"weights", 32768}, {"outputs", 16384}};
  by_hand["vector_ops_per_s"] = 2e9;
  by_hand["dram_bytes_per_s"] = 6e9;
  const Design design = test::mobile_block(int8);
  const Cost expected = make(by_hand)->estimate(design), found = accelerators[1].model->estimate(design);
  EXPECT_GT(expected.latency_s, 0);
  EXPECT_DOUBLE_EQ(found.latency_s, expected.latency_s);
  EXPECT_DOUBLE_EQ(found.energy_j, expected.energy_j);
  EXPECT_DOUBLE_EQ(accelerators[1].area_mm2, expected.resource("area_mm2")->used);
  EXPECT_DOUBLE_EQ(accelerators[1].area_mm2, 128 * 0.001 + 2 + 81920e-6);
  EXPECT_DOUBLE_EQ(heterogeneous(made).device().area_mm2(), 0.5 + 64 * 0.001 + 2 + 40960e-6 + accelerators[1].area_mm2);
}

TEST(HeterogeneousModel, SpatialTemplatesGetMultipliersAndBandwidth) {
  Json device = toy_device();
  Json eyeriss = JsonDocument::load(RIDGELINE_SOURCE_DIR "/hwmodels/devices/eyeriss.json").value();
  eyeriss["mapper"] = {{"evaluations", 300}};
  device["templates"]["rs"] = eyeriss;
  device["accelerators"][1]["template"] = "rs";
  const std::unique_ptr<HardwareModel> made = make(device);
  const auto& spatial = dynamic_cast<const SpatialModel&>(*heterogeneous(made).device().accelerators[1].model);
  EXPECT_EQ(spatial.device().architecture.multipliers(), 128);
  EXPECT_DOUBLE_EQ(spatial.device().architecture.levels[0].read_words_per_cycle, 6e9 / 200e6 / 2);
  EXPECT_EQ(made->resources().size(), 3U);  // a spatial model knows no area
  const Cost cost = made->estimate(test::mobile_block(int8));
  EXPECT_EQ(cost.unsupported, "");
  EXPECT_GT(cost.latency_s, 0);
}

TEST(HeterogeneousModel, LayersAreScheduledAndSummed) {
  const std::unique_ptr<HardwareModel> made = make(toy_device());
  const HeterogeneousModel& model = heterogeneous(made);
  const Design design = two_networks(int8);
  std::string why;
  const std::optional<LayerTasks> tasks = model.tasks(design, why);
  ASSERT_TRUE(tasks) << why;
  check_task_graph(tasks->graph);
  ASSERT_EQ(tasks->graph.tasks.size(), 12U);  // stem, expand, depthwise, project with its addition, pool, classifier
  // Each network is a component of its own, and the addition reads the stem as well.
  std::size_t edges = 0;
  for (std::size_t t = 0; t < 12; ++t) {
    for (const TaskEdge& edge : tasks->graph.tasks[t].reads) {
      ++edges;
      EXPECT_EQ(edge.from / 6, t / 6);
      EXPECT_DOUBLE_EQ(edge.transfer_s, 1e-7 + static_cast<double>(tasks->layers[edge.from].output_bytes) / 5e9);
    }
  }
  EXPECT_EQ(edges, 12U);
  const TaskSchedule schedule = list_schedule(tasks->graph);
  EXPECT_EQ(test::schedule_fault(tasks->graph, schedule), "");

  const Cost cost = made->estimate(design);
  EXPECT_EQ(cost.unsupported, "");
  EXPECT_EQ(cost.latency_s, schedule.makespan_s());
  double energy = 0, busy = 0;
  const std::array<Cost, 2> alone{model.device().accelerators[0].model->estimate(design),
                                  model.device().accelerators[1].model->estimate(design)};
  std::set<std::pair<std::size_t, std::size_t>> carried;
  for (std::size_t t = 0; t < 12; ++t) {
    const std::size_t at = schedule.tasks[t].processor;
    const auto row = std::ranges::find(alone[at].ops, tasks->layers[t].node, &OpCost::node);
    energy += row->energy_j;
    busy += row->latency_s;
    for (const TaskEdge& edge : tasks->graph.tasks[t].reads) {
      if (schedule.tasks[edge.from].processor == at || !carried.emplace(edge.from, at).second) continue;
      energy += 2e-12 * static_cast<double>(tasks->layers[edge.from].output_bytes);
    }
  }
  EXPECT_NEAR(cost.energy_j, energy, 1e-12 * energy);
  EXPECT_NEAR(cost.resource("busy_share")->used, busy / 2 / cost.latency_s, 1e-12);
  EXPECT_EQ(cost.weight_bytes, alone[0].weight_bytes);
  EXPECT_LE(cost.latency_s, std::min(alone[0].latency_s, alone[1].latency_s));
  EXPECT_LE(exact_schedule(tasks->graph).schedule.makespan_s(), cost.latency_s);
}

TEST(HeterogeneousModel, OneAcceleratorIsItsModel) {
  Json device = toy_device();
  device["accelerators"][0]["template"] = "absent";
  const std::unique_ptr<HardwareModel> made = make(device);
  const Cost cost = made->estimate(test::mobile_block(int8));
  const Cost alone = heterogeneous(made).device().accelerators[0].model->estimate(test::mobile_block(int8));
  EXPECT_NEAR(cost.latency_s, alone.latency_s, 1e-12 * alone.latency_s);
  EXPECT_DOUBLE_EQ(cost.energy_j, alone.energy_j);
  EXPECT_EQ(cost.resource("elements")->used, 128);
  EXPECT_NEAR(cost.resource("busy_share")->used, 1, 1e-12);
}

TEST(HeterogeneousModel, ALayerGoesWhereItsFormatIsMultiplied) {
  Json device = toy_device();
  device["templates"]["os"] = systolic("os", "int16");
  const std::unique_ptr<HardwareModel> made = make(device);
  Design design = two_networks(int8);  // the second network in 16 bits
  for (NodeId node = static_cast<NodeId>(design.network.size() / 2); node < design.network.size(); ++node) {
    design.precision.operators[node] = {Format::parse("int16"), Format::parse("int16")};
  }
  std::string why;
  const std::optional<LayerTasks> tasks = heterogeneous(made).tasks(design, why);
  ASSERT_TRUE(tasks) << why;
  const TaskSchedule schedule = list_schedule(tasks->graph);
  EXPECT_EQ(test::schedule_fault(tasks->graph, schedule), "");
  for (std::size_t t = 0; t < 12; ++t) {
    if (tasks->layers[t].macs == 0) continue;
    EXPECT_EQ(schedule.tasks[t].processor, t < 6 ? 0U : 1U) << t;
  }
  EXPECT_EQ(made->estimate(design).unsupported, "");
  EXPECT_THAT(made->estimate(two_networks(f32)).unsupported, HasSubstr("no multipliers for"));
}

TEST(HeterogeneousModel, ASplitBeyondTheWholeIsRefused) {
  const auto estimate = [](const Json& device) { return make(device)->estimate(test::mobile_block(int8)); };
  Json device = toy_device();
  EXPECT_EQ(make(device)->capacity("elements"), 256);
  EXPECT_EQ(make(device)->capacity("area_mm2"), 0);
  device["accelerators"][1]["elements"] = 192;
  EXPECT_EQ(estimate(device).unsupported, "");
  device["accelerators"][1]["elements"] = 200;
  EXPECT_EQ(estimate(device).unsupported, "does not fit toy: needs 264 of 256 elements");
  device["accelerators"][0]["template"] = "absent";  // then its elements are nobody's
  EXPECT_EQ(estimate(device).unsupported, "");
  device = toy_device();
  device["accelerators"][0]["bandwidth_percent"] = 41;
  EXPECT_EQ(estimate(device).unsupported, "does not fit toy: needs 101 of 100 bandwidth_percent");
  device = toy_device();
  device["limits"] = {{"area_mm2", 3}};
  device["sources"]["limits"] = "made up";
  EXPECT_EQ(estimate(device).unsupported, "does not fit toy: needs 5 of 3 area_mm2");
  EXPECT_EQ(make(device)->capacity("area_mm2"), 3);
}

TEST(HeterogeneousModel, GenesSetKindsElementsAndShares) {
  const JsonDocument device = JsonDocument::from_value(toy_device(), "toy.json");
  const auto changed = make_device(with_settings(device, {{"accelerators.first.template", "absent"},
                                                          {"accelerators.second.template", "ws"},
                                                          {"accelerators.second.elements", 256},
                                                          {"accelerators.second.bandwidth_percent", 100},
                                                          {"templates.ws.clock_hz", 2e9}}));
  const auto& accelerators = heterogeneous(changed).device().accelerators;
  ASSERT_EQ(accelerators.size(), 1U);
  const auto& array = dynamic_cast<const SystolicModel&>(*accelerators[0].model).device();
  EXPECT_EQ(array.array.rows, 16);
  EXPECT_EQ(array.array.cols, 16);
  EXPECT_EQ(array.clock_hz, 2e9);
  EXPECT_EQ(array.dram_bytes_per_s, 10e9);
}

TEST(HeterogeneousModel, WhatIsWrongIsSaid) {
  const auto with = [](const std::function<void(Json&)>& change) {
    Json device = toy_device();
    change(device);
    return refusal(device);
  };
  EXPECT_EQ(with([](Json&) {}), "");
  EXPECT_THAT(with([](Json& d) { d["accelerators"][0]["template"] = "wss"; }), HasSubstr("did you mean 'ws'"));
  EXPECT_THAT(with([](Json& d) { d["accelerators"][0]["template"] = d["accelerators"][1]["template"] = "absent"; }),
              HasSubstr("not absent"));
  EXPECT_THAT(with([](Json& d) { d["accelerators"][1]["name"] = "first"; }), HasSubstr("every name once"));
  EXPECT_THAT(with([](Json& d) { d["accelerators"][0]["elements"] = 0; }), HasSubstr("accelerators[0].elements"));
  EXPECT_THAT(with([](Json& d) { d["accelerators"][0]["elements"] = 65'537; }), HasSubstr("array.cols"));  // a prime
  EXPECT_THAT(with([](Json& d) { d["templates"]["ws"]["model"] = "roofline"; }), HasSubstr("\"systolic\" or"));
  EXPECT_THAT(with([](Json& d) { d["templates"]["ws"].erase("clock_hz"); }), HasSubstr("clock_hz"));
  EXPECT_THAT(with([](Json& d) { d["interconnect"]["speed"] = 1; }), HasSubstr("interconnect.speed"));
  EXPECT_THAT(with([](Json& d) { d["sources"].erase("interconnect"); }), HasSubstr("interconnect.bytes_per_s"));
  EXPECT_THAT(with([](Json& d) {
                d["templates"]["ws"].erase("area");
                d["templates"]["ws"]["sources"].erase("area");
                d["limits"] = {{"area_mm2", 3}};
                d["sources"]["limits"] = "made up";
              }),
              HasSubstr("templates that all have an area"));
}

}  // namespace
}  // namespace ridgeline
