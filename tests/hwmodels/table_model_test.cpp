#include "hwmodels/table_model.hpp"

#include <gtest/gtest.h>

#include "spaces/config_error.hpp"
#include "tests/hwmodels/nets.hpp"

namespace ridgeline {
namespace {

std::vector<ExecutedLayer> layers(const Design& design) {
  return executed_layers(design.network, design.precision, stored_formats(design.network, design.precision),
                         design.network.live_nodes());
}

RooflineDevice plain_roofline() {
  RooflineDevice roofline;
  roofline.name = "here";
  roofline.peak_ops_per_s[static_cast<std::size_t>(Arithmetic::float32)] = 1e11;
  roofline.peak_ops_per_s[static_cast<std::size_t>(Arithmetic::integer8)] = 4e11;
  roofline.memory = {{"L2", 2e6, 1e11, 0}, {"DRAM", 1e10, 1e10, 0}};
  return roofline;
}

// Every layer of the block, the i-th taking (i + 1) microseconds.
TableDevice table_of(const Design& design) {
  TableDevice device;
  device.roofline = plain_roofline();
  device.environment = "0123456789abcdef";
  double us = 1;
  for (const ExecutedLayer& layer : layers(design)) {
    device.layers.push_back({layer.key, us * 1e-6, us * 1e-6, 0.0, 3});
    us += 1;
  }
  return device;
}

TEST(TableModel, SumsWhatItKnows) {
  const Design design = test::mobile_block(f32);
  const TableModel model(table_of(design));
  const Cost cost = model.estimate(design);
  EXPECT_NEAR(cost.latency_s, 21e-6, 1e-15);  // 1 + 2 + ... + 6
  int rows = 0;
  for (const OpCost& op : cost.ops) {
    if (op.latency_s == 0) continue;
    EXPECT_EQ(op.bound_by, "table");
    ++rows;
  }
  EXPECT_EQ(rows, 6);
}

// A layer whose relatives all run at half the roofline's speed is estimated at half the roofline's speed.
TEST(TableModel, UnknownLayersTakeTheRatioOfTheirRelatives) {
  TableDevice device;
  device.roofline = plain_roofline();
  const RooflineModel roofline(device.roofline);
  for (const std::int64_t channels : {32, 64, 128, 256}) {
    LayerKey key;
    key.kind = OpKind::conv2d;
    key.in = key.out = {channels, 14, 14};
    ExecutedLayer layer;
    layer.key = key;
    layer.macs = channels * channels * 14 * 14;
    layer.weight_bytes = 4 * channels * channels;
    layer.input_bytes = layer.output_bytes = 4 * channels * 14 * 14;
    const double twice = 2.0 * roofline.layer(layer, 0.0)->latency_s;
    device.layers.push_back({key, twice, twice, 0.0, 1});
  }
  const TableModel model(device);
  Design design;
  Network& n = design.network;
  NodeId x = n.add_input({1, 96, 14, 14});
  for (int i = 0; i < 3; ++i) x = n.add(test::conv(96, 1), {x});
  n.mark_output(x);
  const Cost cost = model.estimate(design);
  const ExecutedLayer middle = layers(design)[1];
  EXPECT_NEAR(cost.ops[2].latency_s, 2.0 * roofline.layer(middle, 0.0)->latency_s, 1e-12);
  EXPECT_EQ(cost.ops[2].bound_by, "nearest");
}

TEST(TableModel, WithoutRelativesTheRooflineAnswers) {
  const TableModel model(table_of(test::mobile_block(f32)));
  Design design;
  design.network.mark_output(
      design.network.add(test::simple(OpKind::max_pool), {design.network.add_input({1, 8, 8, 8})}));
  const Cost cost = model.estimate(design);
  ASSERT_EQ(cost.unsupported, "");
  EXPECT_DOUBLE_EQ(cost.latency_s, RooflineModel(plain_roofline()).estimate(design).latency_s);
  EXPECT_NE(cost.ops[1].bound_by, "table");
  EXPECT_NE(cost.ops[1].bound_by, "nearest");
}

TEST(TableModel, FormatsNeverMeasuredAreRefused) {
  const TableModel model(table_of(test::mobile_block(f32)));
  const Cost cost = model.estimate(test::mobile_block(Format::parse("e4m3")));
  EXPECT_NE(cost.unsupported.find("e4m3"), std::string::npos) << cost.unsupported;
}

TEST(FootprintCurve, IsPiecewiseLinearAndHeldWithinWhatWasSeen) {
  const FootprintCurve curve{{0.0, 100.0, 200.0}, {1.0, 2.0, -3.0}, 50.0, 300.0};
  EXPECT_DOUBLE_EQ(curve.at(80), 80);
  EXPECT_DOUBLE_EQ(curve.at(150), 150 + 2 * 50);
  EXPECT_DOUBLE_EQ(curve.at(250), 250 + 2 * 150 - 3 * 50);
  EXPECT_DOUBLE_EQ(curve.at(10), curve.at(50));
  EXPECT_DOUBLE_EQ(curve.at(1e9), curve.at(300));
  EXPECT_DOUBLE_EQ(FootprintCurve{}.at(5), 0);
  EXPECT_DOUBLE_EQ((FootprintCurve{{0.0}, {1.0}, 0.0, 100.0, -7.0}.at(30)), 23);
}

TEST(TableModel, AConstantBelowZeroLeavesANetworkHalfOfItsLayers) {
  const Design design = test::mobile_block(f32);
  TableDevice device = table_of(design);
  device.footprint["f32"] = {{}, {}, 0.0, 1e9, -1.0};
  EXPECT_NEAR(TableModel(device).estimate(design).latency_s, 0.5 * 21e-6, 1e-14);
}

TEST(TableModel, TheFootprintIsAddedAndSharedByTime) {
  const Design design = test::mobile_block(f32);
  TableDevice device = table_of(design);
  const double footprint = footprint_bytes(layers(design));
  device.footprint["f32"] = {{0.0}, {1e-9}, 0.0, 1e9, 3e-6};
  device.footprint["int8"] = {{0.0}, {1.0}, 0.0, 1e9};  // another format's curve says nothing here
  const Cost cost = TableModel(device).estimate(design);
  EXPECT_NEAR(cost.latency_s, 24e-6 + footprint * 1e-9, 1e-14);
  const Cost without = TableModel(table_of(design)).estimate(design);
  for (std::size_t i = 0; i < cost.ops.size(); ++i) {
    EXPECT_NEAR(cost.ops[i].latency_s / cost.latency_s, without.ops[i].latency_s / without.latency_s, 1e-12) << i;
  }
}

TEST(TableModel, FilesAreReadBack) {
  const Design design = test::mobile_block(int8);
  TableDevice device = table_of(design);
  device.threads = 2;
  device.reference_s["int8"] = 2e-4;
  device.anchors = {{"some_space", "0123456789abcdef", "int8", {0, 3, 1}}};
  device.footprint["int8"] = {{0.0, 1e6}, {1e-11, 2e-11}, 1e5, 3e6, 4e-6};
  const Json json = write_table_device(device);
  JsonDocument document = JsonDocument::parse(json.dump(), "host.json");
  const TableDevice again = read_table_device(document);
  document.raise();
  EXPECT_EQ(write_table_device(again), json);
  const auto model = TableModel::make(JsonDocument::parse(json.dump(), "host.json"));
  EXPECT_DOUBLE_EQ(model->estimate(design).latency_s, TableModel(device).estimate(design).latency_s);
}

TEST(TableModel, DamagedFilesAreRefusedWithThePlace) {
  Json json = write_table_device(table_of(test::mobile_block(f32)));
  json["layers"][2]["layer"] = "conv2d of some kind";
  try {
    TableModel::make(JsonDocument::parse(json.dump(), "host.json"));
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("layers[2]"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("host.json"), std::string::npos) << error.what();
  }
  json["layers"] = Json::array();
  EXPECT_THROW(TableModel::make(JsonDocument::parse(json.dump(), "host.json")), ConfigError);
}

// The example's network, built here: every layer of it is found in the table that was written by hand.
TEST(TableModel, TheExampleWrittenByHandIsItsNetwork) {
  Design design;
  Network& n = design.network;
  NodeId x = n.add_input({1, 1, 32, 32});
  for (const std::int64_t channels : {16, 24, 48}) {
    x = n.add(test::conv(channels, 3), {x});
    x = n.add(test::simple(OpKind::batch_norm), {x});
    x = n.add(test::simple(OpKind::relu), {x});
    if (channels == 48) continue;
    Op pool = test::simple(OpKind::max_pool);
    pool.kernel = pool.stride = {2, 2};
    x = n.add(pool, {x});
  }
  x = n.add(test::simple(OpKind::flatten), {n.add(test::simple(OpKind::global_avg_pool), {x})});
  Op linear = test::simple(OpKind::linear);
  linear.channels = 47;
  n.mark_output(n.add(linear, {x}));
  const auto device = load_device(std::string(RIDGELINE_SOURCE_DIR) + "/hwmodels/examples/my_table.json");
  const Cost cost = device->estimate(design);
  EXPECT_NEAR(cost.latency_s, 2.1e-3 + 1.1e-4 + 1.24e-2 + 4e-5 + 8.9e-3 + 2.1e-5 + 3e-5, 1e-12);
  for (const OpCost& op : cost.ops) EXPECT_TRUE(op.latency_s == 0 || op.bound_by == "table") << op.node;
}

}  // namespace
}  // namespace ridgeline
