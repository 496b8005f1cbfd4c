// Beside MAESTRO's published rows for MobileNetV2 and ResNet-50 on 256 processing elements (Kwon et al., MICRO 2019),
// read in place (RIDGELINE_DATA); skipped without.
//
// The published dataflow keeps weights still: filters over 4 clusters, channels over the 64 elements of a cluster, each
// of which multiplies 9 values in a cycle. Depthwise layers spread channels over all 256. The same mapping in our loop
// nest takes ceil(K/4) ceil(C/64) P Q steps. MAESTRO's cycles are these steps times a delay, and one delay or cycle to
// begin with, because it lets no step begin before the one before has been summed up over its cluster: 2 cycles for 1x1
// kernels, 3 for 3x3 ones and 7 for 7x7 ones. Depthwise steps overlap, but for layers whose network on chip (1,024
// values a cycle) is too slow for 9 new values an element.
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>

#include "hwmodels/spatial/loop_nest.hpp"
#include "tests/hwmodels/reference_data.hpp"

namespace ridgeline {
namespace {

struct Layer {
  std::string name;
  bool depthwise = false;
  std::int64_t filters = 1, channels = 1, kernel = 1, rows = 1, cols = 1;  // of the output
};

std::vector<Layer> layers_of(const std::string& path) {
  std::string text;
  for (const std::string& line : test::lines_of(path)) text += line + "\n";
  static const std::regex layer(
      R"(Layer\s+(\S+)\s*\{\s*Type:\s*(\w+)\s*Stride\s*\{\s*X:\s*(\d+)[^}]*\}\s*Dimensions\s*\{([^}]*)\})");
  std::vector<Layer> layers;
  for (std::sregex_iterator at(text.begin(), text.end(), layer), end; at != end; ++at) {
    std::map<char, std::int64_t> extent;
    const std::string extents = (*at)[4].str();
    static const std::regex one(R"((\w):\s*(\d+))");
    for (std::sregex_iterator e(extents.begin(), extents.end(), one); e != end; ++e) {
      extent[(*e)[1].str()[0]] = std::stoll((*e)[2].str());
    }
    const std::int64_t stride = std::stoll((*at)[3].str()), kernel = extent.at('R');
    layers.push_back({(*at)[1].str(), (*at)[2].str() == "DSCONV", extent.at('K'), extent.at('C'), kernel,
                      (extent.at('Y') - kernel) / stride + 1, (extent.at('X') - kernel) / stride + 1});
  }
  return layers;
}

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// The published dataflow as a mapping; a kernel's products are one step of an element.
double steps_of(const Layer& layer) {
  SpatialArchitecture architecture;
  architecture.levels.resize(2);
  architecture.levels[0].name = "buffer";
  architecture.levels[0].fan_out = 256;
  architecture.levels[1].name = "element";
  LoopWorkload workload;
  Mapping mapping(2);
  const auto add = [&](LoopDimension dimension, std::int64_t extent, std::int64_t instances) {
    const std::int64_t folds = ceil_div(extent, instances);
    workload.extent[static_cast<std::size_t>(dimension)] = folds * instances;
    if (folds > 1) mapping[0].temporal.push_back({dimension, folds});
    if (instances > 1) mapping[0].spatial.push_back({dimension, instances});
  };
  add(LoopDimension::m, layer.depthwise ? 1 : layer.filters, layer.depthwise ? 1 : 4);
  if (layer.depthwise)
    add(LoopDimension::g, layer.channels, 256);
  else
    add(LoopDimension::c, layer.channels, 64);
  add(LoopDimension::p, layer.rows, 1);
  add(LoopDimension::q, layer.cols, 1);
  EXPECT_EQ(misfit(workload, architecture, mapping), "");
  return evaluate(workload, architecture, mapping).cycles;
}

void expect_explained(const std::string& layers_file, const std::string& rows_file, std::size_t count) {
  const std::string folder = test::reference_path("maestro/");
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no reference/maestro in RIDGELINE_DATA";
  const std::vector<Layer> layers = layers_of(folder + layers_file);
  const auto rows = test::rows_of(folder + rows_file);
  ASSERT_EQ(layers.size(), count);
  ASSERT_EQ(rows.size(), count);
  std::size_t too_slow = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Layer& layer = layers[i];
    const double steps = steps_of(layer), cycles = std::stod(rows[i].at("Runtime (Cycles)"));
    const bool dense = layer.name == "FC1000";  // a 7x7 kernel over a 7x7 image of 2,048 channels: weights bound it
    if (layer.depthwise || dense) {
      EXPECT_GE(cycles, steps + 1) << layer.name;
      too_slow += cycles > steps + 2 ? 1 : 0;
      if (cycles > steps + 2) {
        EXPECT_GT(layer.kernel, 1) << layer.name;
      }
      continue;
    }
    const double delay = layer.kernel == 1 ? 2 : layer.kernel == 3 ? 3 : 7;
    EXPECT_GE(cycles, steps * delay + 1) << layer.name;
    EXPECT_LE(cycles, steps * delay + delay) << layer.name;
  }
  EXPECT_LT(too_slow, count / 3);
}

TEST(Maestro, MobileNetV2) { expect_explained("MobileNetV2_kcp_ws.m", "MobileNetV2_kcp_ws_pe256.csv", 56); }

TEST(Maestro, ResNet50) { expect_explained("Resnet50_kcp_ws.m", "Resnet50_kcp_ws_pe256.csv", 66); }

}  // namespace
}  // namespace ridgeline
