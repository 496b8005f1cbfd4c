#include "hwmodels/spatial/systolic_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hwmodels/spatial/spatial_model.hpp"
#include "spaces/config_error.hpp"
#include "tests/hwmodels/nets.hpp"

namespace ridgeline {
namespace {

using ::testing::HasSubstr;

Json plain_device() {
  return Json::parse(R"({
    "ridgeline_device": 1, "model": "systolic", "name": "toy", "clock_hz": 1e9,
    "array": {"rows": 16, "cols": 16, "dataflow": "ws"},
    "multiplier": {"kind": "parallel", "cycles_per_mac": {"int8": 1, "int4": 0.5, "int4*int8": 0.75},
                   "joules_per_mac": {"int8": 1e-12, "int4": 4e-13}, "mm2": 0.001},
    "scratchpad_bytes": {"inputs": 1e6, "weights": 1e6, "outputs": 1e6},
    "dram_bytes_per_s": 1e12, "vector_ops_per_s": 1e10,
    "energy": {"joules_per_scratchpad_byte": 1e-12, "joules_per_dram_byte": 1e-10, "idle_w": 0.5},
    "area": {"mm2_per_scratchpad_byte": 1e-6, "fixed_mm2": 2},
    "sources": {"clock_hz": "made up", "array": "made up", "multiplier": "made up", "scratchpad_bytes": "made up",
                "dram_bytes_per_s": "made up", "vector_ops_per_s": "made up", "energy": "made up", "area": "made up"}})");
}

std::unique_ptr<HardwareModel> make(const Json& device) {
  return make_device(JsonDocument::from_value(device, "toy.json"));
}

std::string refusal(const Json& device) {
  try {
    make(device);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

// 64 channels in and out, 16 x 16, kernel 3: M 256, K 576, N 64.
TEST(SystolicModel, AConvolutionByHand) {
  const Cost cost = make(plain_device())->estimate(test::one_conv(int8));
  ASSERT_EQ(cost.unsupported, "");
  const double folds = 36 * 4, cycles = folds * (2 * 16 + 16 + 256 - 2);
  ASSERT_EQ(cost.ops.size(), 2U);
  const OpCost& op = cost.ops.back();
  EXPECT_DOUBLE_EQ(op.latency_s, cycles / 1e9);
  EXPECT_EQ(op.bound_by, "array");
  EXPECT_DOUBLE_EQ(op.utilisation, 256.0 * 576 * 64 / (cycles * 256));
  // Everything fits and is moved once; the network's output lies in DRAM in f32.
  EXPECT_EQ(op.bytes, (1 + 4) * 64 * 256 + cost.weight_bytes);
  const double scratchpad = 256.0 * 576 * 4 + 576 * 64 + 4.0 * 256 * 64 * 36;
  EXPECT_NEAR(
      op.energy_j,
      256.0 * 576 * 64 * 1e-12 + scratchpad * 1e-12 + static_cast<double>(op.bytes) * 1e-10 + 0.5 * op.latency_s,
      1e-15);
  EXPECT_DOUBLE_EQ(cost.resource("area_mm2")->used, 0.256 + 3.0 + 2.0);
  EXPECT_DOUBLE_EQ(cost.resource("utilisation")->used, op.utilisation);
}

TEST(SystolicModel, ASlowDramBoundsAndReadsAgainWhatDoesNotFit) {
  Json device = plain_device();
  device["dram_bytes_per_s"] = 1e8;
  const Cost once = make(device)->estimate(test::one_conv(int8));
  EXPECT_EQ(once.ops.back().bound_by, "DRAM");
  EXPECT_DOUBLE_EQ(once.ops.back().latency_s, static_cast<double>(once.ops.back().bytes) / 1e8);
  device["scratchpad_bytes"]["inputs"] = 1000;
  const Cost again = make(device)->estimate(test::one_conv(int8));
  EXPECT_EQ(again.ops.back().bytes - once.ops.back().bytes, 3 * 64 * 256);  // for each of four blocks of columns
  // Two pieces of the stream, whose weights are there; or, with weights too large as well, read again for each.
  device["scratchpad_bytes"]["outputs"] = 256 * 16 * 4 - 1;
  const Cost cut = make(device)->estimate(test::one_conv(int8));
  EXPECT_EQ(cut.ops.back().bytes, again.ops.back().bytes);
  EXPECT_DOUBLE_EQ(cut.ops.back().utilisation, 256.0 * 576 * 64 / (256 * 144.0 * (256 + 2 * 46)));
  device["scratchpad_bytes"]["weights"] = 1000;
  const Cost read_again = make(device)->estimate(test::one_conv(int8));
  EXPECT_EQ(read_again.ops.back().bytes - again.ops.back().bytes, read_again.weight_bytes);
  device["scratchpad_bytes"]["outputs"] = 4;  // 4,096 pieces: the sums of 35 folds go out and come back instead
  const Cost spilt = make(device)->estimate(test::one_conv(int8));
  EXPECT_EQ(spilt.ops.back().bytes - again.ops.back().bytes, 2 * 35 * 256 * 64 * 4);
}

TEST(SystolicModel, FewerBitsAreAsFastAsTheUnitsAre) {
  const auto latency = [](const Json& device, const char* weights, const char* activations) {
    Design design = test::one_conv(f32);
    design.precision = PrecisionPlan::uniform(design.network, Format::parse(weights), Format::parse(activations));
    const Cost cost = make(device)->estimate(design);
    return cost.unsupported.empty() ? cost.latency_s : 0.0;
  };
  const Json parallel = plain_device();
  const double folds = 144, rest = folds * (2 * 16 + 16 - 2), stream = folds * 256;
  EXPECT_DOUBLE_EQ(latency(parallel, "int8", "int8"), (rest + stream) / 1e9);
  EXPECT_DOUBLE_EQ(latency(parallel, "int4", "int4"), (rest + stream / 2) / 1e9);
  EXPECT_DOUBLE_EQ(latency(parallel, "int4", "int8"), (rest + stream * 0.75) / 1e9);
  EXPECT_DOUBLE_EQ(latency(parallel, "int8", "int4"), (rest + stream) / 1e9);  // the wider one
  EXPECT_EQ(latency(parallel, "f32", "f32"), 0.0);

  Json serial = plain_device();
  serial["multiplier"] = {{"kind", "bit-serial"},
                          {"bits_per_cycle", 2},
                          {"most_weight_bits", 8},
                          {"activations", {"int8"}},
                          {"joules_per_cycle", 1e-13}};
  for (const auto& [weights, cycles] :
       std::map<const char*, double>{{"int8", 4}, {"int6", 3}, {"int3", 2}, {"e2m1", 2}}) {
    EXPECT_DOUBLE_EQ(latency(serial, weights, "int8"), (rest + stream * cycles) / 1e9) << weights;
  }
  EXPECT_EQ(latency(serial, "int16", "int8"), 0.0);
  EXPECT_EQ(latency(serial, "int8", "bf16"), 0.0);

  Json lookup = serial;
  lookup["multiplier"] = {
      {"kind", "lookup"},          {"group", 4},   {"most_weight_bits", 4},  {"activations", {"int8"}},
      {"joules_per_cycle", 1e-13}, {"mm2", 0.001}, {"mm2_per_entry", 0.0001}};
  for (const auto& [weights, bits] : std::map<const char*, double>{{"int4", 4}, {"int2", 2}, {"binary", 1}}) {
    EXPECT_DOUBLE_EQ(latency(lookup, weights, "int8"), (rest + stream * bits / 4) / 1e9) << weights;
  }
  EXPECT_EQ(latency(lookup, "int8", "int8"), 0.0);
}

TEST(SystolicModel, LooksUpSymmetricTablesInHalfTheEntries) {
  Json device = plain_device();
  device["multiplier"] = {
      {"kind", "lookup"},          {"group", 4},   {"most_weight_bits", 4},  {"activations", {"int8"}},
      {"joules_per_cycle", 1e-13}, {"mm2", 0.001}, {"mm2_per_entry", 0.0001}};
  const auto area = [](const Json& one) {
    return dynamic_cast<const SystolicModel&>(*make(one)).device().unit.area_mm2();
  };
  EXPECT_DOUBLE_EQ(area(device), 0.001 + 8 * 0.0001);
  device["multiplier"]["symmetric"] = false;
  EXPECT_DOUBLE_EQ(area(device), 0.001 + 16 * 0.0001);
}

TEST(SystolicModel, RefusesBadFilesWithThePlace) {
  Json device = plain_device();
  device["array"]["dataflow"] = "sw";
  device["multiplier"]["cycles_per_mac"]["int7"] = 1;
  device["scratchpad_bytes"].erase("weights");
  const std::string why = refusal(device);
  EXPECT_THAT(why, HasSubstr("array.dataflow"));
  EXPECT_THAT(why, HasSubstr("\"int7\""));
  EXPECT_THAT(why, HasSubstr("scratchpad_bytes.weights"));
  device = plain_device();
  device["sources"].erase("array");
  EXPECT_THAT(refusal(device), HasSubstr("where 'array.rows' comes from"));
  device = plain_device();
  device["multiplier"].erase("joules_per_mac");
  EXPECT_THAT(refusal(device), HasSubstr("the energy of a multiply-accumulate"));
}

TEST(DeviceSettings, PutValuesInTheFilesPlace) {
  const JsonDocument file = JsonDocument::from_value(plain_device(), "toy.json");
  const auto model = make_device(with_settings(file, {{"array.rows", 8}, {"array.dataflow", "os"}}));
  EXPECT_EQ(dynamic_cast<const SystolicModel&>(*model).device().array.rows, 8);
  EXPECT_EQ(dynamic_cast<const SystolicModel&>(*model).device().array.dataflow, Dataflow::output_stationary);
  const auto why = [&](const Json& settings) {
    try {
      with_settings(file, settings);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(why({{"array.row", 8}}), HasSubstr("array.rows"));  // the nearest
  EXPECT_THAT(why({{"array", 8}}), HasSubstr("the path of a value"));
  EXPECT_THAT(why({{"array.rows", "eight"}}), HasSubstr("a value like"));
  const JsonDocument levels = JsonDocument::load(RIDGELINE_SOURCE_DIR "/hwmodels/devices/eyeriss.json");
  const auto spatial = make_device(with_settings(levels, {{"levels.global buffer.words", 4096}}));
  EXPECT_EQ(dynamic_cast<const SpatialModel&>(*spatial).device().architecture.levels[1].words, 4096);
}

// The file's model refuses the level that is none, with its place: what looks for a path must not fall over it first.
TEST(DeviceSettings, LookPastElementsThatHaveNoName) {
  Json device = JsonDocument::load(RIDGELINE_SOURCE_DIR "/hwmodels/devices/eyeriss.json").value();
  for (const Json& odd : {Json(5), Json(nullptr), Json("DRAM"), Json::array({1}), Json{{"name", nullptr}}}) {
    device["levels"][0] = odd;
    const JsonDocument file = JsonDocument::from_value(device, "odd.json");
    const Json changed = with_settings(file, {{"levels.global buffer.words", 4096}}).value();
    EXPECT_EQ(changed["levels"][1]["words"], 4096) << odd;
    EXPECT_THROW(with_settings(file, {{"levels.DRAM.read_pj", 1.0}}), ConfigError) << odd;
    EXPECT_THAT(refusal(changed), HasSubstr("levels[0]")) << odd;
  }
}

TEST(SpatialModel, AnElementThatIsNoObjectIsNoLevel) {
  Json device = JsonDocument::load(RIDGELINE_SOURCE_DIR "/hwmodels/devices/eyeriss.json").value();
  EXPECT_EQ(refusal(device), "");
  device["levels"].push_back(5);
  EXPECT_THAT(refusal(device), HasSubstr("levels[5]: expected an object, found 5"));
}

// Thousands of cycles and picojoules by the mapping of its one layer, and the same from any thread's question.
TEST(SpatialModel, CostsALayerByItsMapping) {
  const auto model = load_device(RIDGELINE_SOURCE_DIR "/hwmodels/devices/eyeriss.json");
  const auto& spatial = dynamic_cast<const SpatialModel&>(*model);
  const Design design = test::one_conv(Format::parse("int16"));
  const Cost cost = model->estimate(design);
  ASSERT_EQ(cost.unsupported, "");
  const ExecutedLayer layer =
      executed_layers(design.network, design.precision, stored_formats(design.network, design.precision),
                      design.network.live_nodes())
          .front();
  const FoundMapping* found = spatial.mapping(layer.key);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(misfit(loop_workload(layer.key), spatial.device().architecture, found->mapping), "");
  EXPECT_DOUBLE_EQ(cost.latency_s, found->cost.cycles / 2e8);
  EXPECT_DOUBLE_EQ(cost.energy_j, found->cost.energy_pj * 1e-12);
  EXPECT_GT(found->cost.utilisation, 0.5);  // 168 units for 9.4 million multiply-accumulates
  EXPECT_THAT(model->estimate(test::one_conv(f32)).unsupported, HasSubstr("computes in int16"));
}

}  // namespace
}  // namespace ridgeline
