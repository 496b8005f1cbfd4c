// The shipped device files: complete, sourced, consistent, and in agreement with an independent collection.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "hwmodels/roofline.hpp"
#include "spaces/config_error.hpp"
#include "tests/hwmodels/nets.hpp"

namespace ridgeline {
namespace {

std::vector<std::string> device_files() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(RIDGELINE_SOURCE_DIR "/hwmodels/devices")) {
    if (entry.path().extension() == ".json") files.push_back(entry.path().stem().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string path_of(const std::string& name) {
  return std::string(RIDGELINE_SOURCE_DIR "/hwmodels/devices/") + name + ".json";
}

std::vector<std::string> roofline_files() {
  std::vector<std::string> files = device_files();
  std::erase_if(files, [](const std::string& name) {
    return JsonDocument::load(path_of(name)).value().at("model") != "roofline";
  });
  return files;
}

RooflineDevice device(const std::string& name) {
  return dynamic_cast<const RooflineModel&>(*load_device(path_of(name))).device();
}

double peak(const RooflineDevice& device, Arithmetic arithmetic) {
  return device.peak_ops_per_s[static_cast<std::size_t>(arithmetic)];
}

TEST(Devices, ThereAreFifteenOfEveryKind) {
  std::map<std::string, int> kinds;
  for (const std::string& name : device_files()) ++kinds[JsonDocument::load(path_of(name)).value().at("category")];
  int all = 0;
  for (const auto& [kind, count] : kinds) all += count;
  EXPECT_GE(all, 15);
  for (const char* kind : {"server cpu", "laptop cpu", "phone", "gpu", "edge accelerator", "fpga"})
    EXPECT_GE(kinds[kind], 1) << kind;
  EXPECT_GE(kinds["gpu"], 5);
}

class EveryDevice : public ::testing::TestWithParam<std::string> {};

// Loading refuses a number without a source, so this is the check that each has one.
TEST_P(EveryDevice, LoadsAndEstimates) {
  const std::unique_ptr<HardwareModel> model = load_device(path_of(GetParam()));
  const Cost cost = model->estimate(test::mobile_block(int8));
  EXPECT_EQ(cost.unsupported, "");
  EXPECT_GT(cost.latency_s, 1e-9);
  EXPECT_LT(cost.latency_s, 0.1);
  EXPECT_EQ(model->has_energy(), cost.energy_j > 0);
}

TEST_P(EveryDevice, DerivedNumbersAreTheProductsOfTheirFactors) {
  const JsonDocument document = JsonDocument::load(path_of(GetParam()));
  const Json& file = document.value();
  const Json derived = file.value("derived", Json::object());
  for (const auto& [path, factors] : derived.items()) {
    double product = 1.0;
    for (const auto& [name, factor] : factors.items()) product *= factor.get<double>();
    std::vector<std::string> parts;
    std::stringstream stream(path);
    for (std::string part; std::getline(stream, part, '.');) parts.push_back(part);
    const Json* value = &file;
    for (const std::string& part : parts) {
      if (value->is_array()) {
        const auto level =
            std::find_if(value->begin(), value->end(), [&](const Json& one) { return one["name"] == part; });
        ASSERT_NE(level, value->end()) << path;
        value = &*level;
      } else {
        ASSERT_TRUE(value->contains(part)) << path;
        value = &(*value)[part];
      }
    }
    EXPECT_NEAR(value->get<double>() / product, 1.0, 0.01) << path;
  }
}

class EveryRoofline : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryRoofline, NumbersAreInASensibleOrder) {
  const RooflineDevice one = device(GetParam());
  for (std::size_t i = 1; i < one.memory.size(); ++i) {
    EXPECT_LT(one.memory[i].bandwidth_bytes_per_s, one.memory[i - 1].bandwidth_bytes_per_s) << one.memory[i].name;
  }
  const double wide = peak(one, Arithmetic::float32), narrow = peak(one, Arithmetic::integer8);
  const double narrowest = peak(one, Arithmetic::integer4);
  EXPECT_TRUE(narrow == 0 || narrow >= wide);
  EXPECT_TRUE(narrowest == 0 || narrowest >= narrow);
}

// Where a number says it is derived, the factors must be there to be multiplied.
TEST_P(EveryRoofline, ProcessorPeaksShowTheirFactors) {
  const JsonDocument document = JsonDocument::load(path_of(GetParam()));
  const Json& file = document.value();
  for (const auto& [path, text] : file["sources"].items()) {
    if (path.rfind("peak_ops_per_s.", 0) != 0 || text.get<std::string>().rfind("derived", 0) != 0) continue;
    EXPECT_TRUE(file["derived"].contains(path)) << path;
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryRoofline, ::testing::ValuesIn(roofline_files()),
                         [](const auto& one) { return one.param; });
INSTANTIATE_TEST_SUITE_P(All, EveryDevice, ::testing::ValuesIn(device_files()),
                         [](const auto& one) { return one.param; });

// The edge accelerators compute in integers only.
TEST(Devices, IntegerAcceleratorsRefuseFloats) {
  for (const char* name : {"coral_edge_tpu", "hailo_8"}) {
    EXPECT_NE(load_device(path_of(name))->estimate(test::mobile_block(f32)).unsupported, "") << name;
  }
}

// An independent collection (LLM-Viewer's hardware table): equal within 2 %, or the difference is known.
TEST(Devices, AgreeWithLlmViewer) {
  const char* data = std::getenv("RIDGELINE_DATA");
  const std::string folder = data != nullptr ? data : RIDGELINE_SOURCE_DIR "/../shared/data";
  std::ifstream file(folder + "/tables/llm_viewer_hardware.csv");
  if (!file) GTEST_SKIP() << "no llm_viewer_hardware.csv in " << folder << " (RIDGELINE_DATA)";
  const std::map<std::string, std::string> ours{{"nvidia_V100", "nvidia_v100"},
                                                {"nvidia_A100_40G", "nvidia_a100"},
                                                {"nvidia_H100_SXM", "nvidia_h100"},
                                                {"intel_13900k", "core_i9_13900k"}};
  // Ours over theirs where the two mean different things.
  const std::map<std::string, double> explained{
      {"nvidia_V100 int8", 56.0 / 62.0},  // they quote the SXM2 board's DP4A rate, ours is the PCIe board's
      {"nvidia_H100_SXM bandwidth",
       3.35 / 3.072},  // they divide 3072 GB/s of an earlier data sheet; NVIDIA says 3.35 TB/s
  };
  std::string line;
  std::getline(file, line);
  ASSERT_EQ(line, "device,bandwidth_bytes_per_s,fp16_ops_per_s,int8_ops_per_s,onchip_buffer_bytes");
  std::set<std::string> compared;
  while (std::getline(file, line)) {
    std::stringstream cells(line);
    std::vector<std::string> row;
    for (std::string cell; std::getline(cells, cell, ',');) row.push_back(cell);
    const auto name = ours.find(row[0]);
    if (name == ours.end()) continue;
    const RooflineDevice one = device(name->second);
    const double half =
        peak(one, Arithmetic::float16) > 0 ? peak(one, Arithmetic::float16) : peak(one, Arithmetic::float32);
    const std::map<std::string, std::pair<std::string, double>> pairs{
        {"bandwidth", {row[1], one.memory.back().bandwidth_bytes_per_s}},
        {"fp16", {row[2], half}},
        {"int8", {row[3], peak(one, Arithmetic::integer8)}}};
    for (const auto& [what, pair] : pairs) {
      if (pair.first.empty()) continue;
      const auto known = explained.find(row[0] + " " + what);
      const double expected = known == explained.end() ? 1.0 : known->second;
      EXPECT_NEAR(pair.second / std::stod(pair.first) / expected, 1.0, 0.02) << row[0] << " " << what;
    }
    compared.insert(row[0]);
  }
  EXPECT_EQ(compared.size(), ours.size());
}

TEST(Devices, UnknownModelsAreExplained) {
  const std::string path = ::testing::TempDir() + "/bad_device.json";
  std::ofstream(path) << R"({"ridgeline_device": 1, "model": "rooflien"})";
  try {
    load_device(path);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("roofline"), std::string::npos) << error.what();
  }
  EXPECT_THROW(load_device("/nowhere/at/all.json"), ConfigError);
}

void collect_numbers(const Json& value, const std::string& pointer, std::vector<std::string>& pointers) {
  if (value.is_number()) pointers.push_back(pointer);
  if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i)
      collect_numbers(value[i], fmt::format("{}/{}", pointer, i), pointers);
  } else if (value.is_object()) {
    for (const auto& [key, member] : value.items()) collect_numbers(member, pointer + "/" + key, pointers);
  }
}

// Of every number of every device, at either end: the field is named before anything is computed from it.
TEST(Devices, NumbersWhoseProductsOverflowAreRefusedByName) {
  std::size_t refused = 0;
  for (const std::string& name : device_files()) {
    const Json whole = JsonDocument::load(path_of(name)).value();
    std::vector<std::string> pointers;
    collect_numbers(whole, "", pointers);
    for (std::size_t i = 0; i < pointers.size(); i += 3) {
      if (pointers[i].find(' ') != std::string::npos || pointers[i].find('~') != std::string::npos) continue;
      const double extreme = i % 2 == 0 ? 1e308 : -1e-308;
      Json changed = whole;
      changed[Json::json_pointer(pointers[i])] = extreme;
      std::string last = pointers[i].substr(pointers[i].rfind('/') + 1);
      if (last.find_first_not_of("0123456789") == std::string::npos) last = "[" + last + "]";
      try {
        make_device(JsonDocument::from_value(changed, name));
        ADD_FAILURE() << name << pointers[i];
      } catch (const ConfigError& error) {
        ASSERT_EQ(error.problems().size(), 1U) << error.what();
        EXPECT_TRUE(error.problems()[0].path.ends_with(last)) << error.what() << " " << pointers[i];
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 200U);
}

}  // namespace
}  // namespace ridgeline
