// Against published reports of SCALE-Sim v2 and v3, read in place (RIDGELINE_DATA); skipped without.
#include <gtest/gtest.h>

#include <filesystem>

#include "hwmodels/spatial/array_simulation.hpp"
#include "tests/hwmodels/reference_data.hpp"

namespace ridgeline {
namespace {

using test::rows_of;
using Row = std::map<std::string, std::string>;

std::string folder() { return test::reference_path("scalesim/"); }

double number(const Row& row, const std::string& name) { return std::stod(row.at(name)); }

// "ArrayHeight:    32" under any section.
std::map<std::string, std::string> settings(const std::string& file) {
  std::map<std::string, std::string> values;
  for (const std::string& line : test::lines_of(folder() + file)) {
    const std::size_t colon = line.find(':');
    if (colon != std::string::npos)
      values[test::trimmed(line.substr(0, colon))] = test::trimmed(line.substr(colon + 1));
  }
  return values;
}

struct Reports {
  Row compute, bandwidth, access;
};

Reports reports(const std::string& prefix) {
  return {rows_of(folder() + prefix + "_COMPUTE_REPORT.csv").front(),
          rows_of(folder() + prefix + "_BANDWIDTH_REPORT.csv").front(),
          rows_of(folder() + prefix + "_DETAILED_ACCESS_REPORT.csv").front()};
}

const std::array<std::string, 3> ports{"IFMAP", "Filter", "OFMAP"};

void expect_port(const PortUse& use, const Row& access, const std::string& side, std::size_t port) {
  const std::string begin = side + " " + ports[port] + " ";
  EXPECT_EQ(static_cast<double>(use.first_cycle), number(access, begin + "Start Cycle")) << begin;
  EXPECT_EQ(static_cast<double>(use.last_cycle), number(access, begin + "Stop Cycle")) << begin;
  EXPECT_EQ(static_cast<double>(use.words), number(access, begin + (port == 2 ? "Writes" : "Reads"))) << begin;
}

// Everything that does not depend on when the array waits: accesses, mapping, and what DRAM reads when.
void expect_accesses(const ScratchpadRun& run, const ArrayRun& closed, const Reports& reports,
                     std::int64_t counted_twice = 0) {
  const double working = number(reports.compute, "Total Cycles") - number(reports.compute, "Stall Cycles");
  EXPECT_EQ(static_cast<double>(closed.cycles - 1), working);
  EXPECT_EQ(static_cast<double>(run.last_cycle - run.stall_cycles), working);
  EXPECT_NEAR(closed.mapping_efficiency * 100, number(reports.compute, "Mapping Efficiency %"), 1e-9);
  for (std::size_t port = 0; port < 3; ++port) {
    const std::string words = ports[port] + (port == 2 ? " Writes" : " Reads");
    EXPECT_EQ(static_cast<double>(run.array_side[port].words + (port == 2 ? counted_twice : 0)),
              number(reports.access, "SRAM " + words));
    if (port < 2) {
      expect_port(run.dram_side[port], reports.access, "DRAM", port);
    }
  }
}

// And all the rest of a run.
void expect_times(const ScratchpadRun& run, const Reports& reports) {
  EXPECT_EQ(static_cast<double>(run.last_cycle), number(reports.compute, "Total Cycles"));
  EXPECT_EQ(static_cast<double>(run.stall_cycles), number(reports.compute, "Stall Cycles"));
  for (std::size_t port = 0; port < 3; ++port) {
    expect_port(run.array_side[port], reports.access, "SRAM", port);
    expect_port(run.dram_side[port], reports.access, "DRAM", port);
    static const std::array<std::string, 3> words{"IFMAP", "FILTER", "OFMAP"};
    EXPECT_NEAR(static_cast<double>(run.array_side[port].words) / static_cast<double>(run.last_cycle),
                number(reports.bandwidth, "Avg " + words[port] + " SRAM BW"), 1e-9);
    EXPECT_NEAR(run.dram_side[port].words_per_cycle(), number(reports.bandwidth, "Avg " + words[port] + " DRAM BW"),
                1e-9);
  }
}

SystolicArray array_of(const std::map<std::string, std::string>& config, Dataflow dataflow) {
  return {std::stoi(config.at("ArrayHeight")), std::stoi(config.at("ArrayWidth")), dataflow};
}

Scratchpads scratchpads_of(const std::map<std::string, std::string>& config) {
  const auto words = [&](const std::string& name) { return std::int64_t{1024} * std::stoi(config.at(name)); };
  return {words("IfmapSramSzkB"), words("FilterSramSzkB"), words("OfmapSramSzkB"), {}};
}

TEST(ScaleSim, ConvolutionOnAWeightStationaryArrayThatNeverWaits) {
  if (!std::filesystem::exists(folder())) GTEST_SKIP() << "no reference/scalesim in RIDGELINE_DATA";
  const auto config = settings("v2_scale.cfg");
  const Row layer = rows_of(folder() + "alexnet_part.csv").front();
  const auto whole = [&](const std::string& name) { return static_cast<std::int64_t>(number(layer, name)); };
  LayerKey key;
  key.kind = OpKind::conv2d;
  key.in = {whole("Channels"), whole("IFMAP Height"), whole("IFMAP Width")};
  key.kernel = {static_cast<int>(whole("Filter Height")), static_cast<int>(whole("Filter Width"))};
  key.stride = {static_cast<int>(whole("Strides")), static_cast<int>(whole("Strides"))};
  // SCALE-Sim rounds output sizes up, as if the image were padded below and to the right.
  const auto outputs = [&](std::size_t axis) {
    return (key.in[axis + 1] - key.kernel[axis] + 2 * key.stride[axis] - 1) / key.stride[axis];
  };
  key.out = {whole("Num Filter"), outputs(0), outputs(1)};
  const SystolicArray array = array_of(config, Dataflow::weight_stationary);
  const ArrayOperands operands{*matrix_product(key), key};
  const ScratchpadRun run = simulate_array(operands, array, scratchpads_of(config));
  const Reports published = reports("v2_alexnet_part_32x32_ws");
  expect_accesses(run, run_on_array(key, array), published);
  expect_times(run, published);
}

void expect_product(const std::string& prefix, Dataflow dataflow, bool adds_row_and_column) {
  const auto config = settings("v3_scale.cfg");
  const Row layer = rows_of(folder() + "test_mnk_input.csv").front();
  const auto whole = [&](const std::string& name) { return static_cast<std::int64_t>(number(layer, name)); };
  const MatrixProduct product{whole("M"), whole("K"), whole("N")};
  const SystolicArray array = array_of(config, dataflow);
  Scratchpads scratchpads = scratchpads_of(config);
  scratchpads.words_per_cycle = std::stoi(config.at("Bandwidth"));
  const ScratchpadRun run = simulate_array({product}, array, scratchpads);
  const Reports published = reports(prefix);
  const ArrayRun closed = run_on_array(product, array);
  expect_accesses(run, closed, published, adds_row_and_column ? closed.folds * (array.rows + array.cols) : 0);
  // Both wait for the same 15 windows of inputs, which DRAM gives in the same cycles; the reports have 2,024 and 1,928
  // cycles of waiting more than the windows explain, and end where a sixteenth would be there.
  const double stalls = number(published.compute, "Stall Cycles");
  EXPECT_NEAR(static_cast<double>(run.stall_cycles), stalls, 0.05 * stalls);
}

TEST(ScaleSim, ProductOnAWeightStationaryArrayWithStalls) {
  if (!std::filesystem::exists(folder())) GTEST_SKIP() << "no reference/scalesim in RIDGELINE_DATA";
  expect_product("v3_user_ws", Dataflow::weight_stationary, false);
}

// SCALE-Sim's count of output writes of output-stationary folds has rows + columns too many in each.
TEST(ScaleSim, ProductOnAnOutputStationaryArrayWithStalls) {
  if (!std::filesystem::exists(folder())) GTEST_SKIP() << "no reference/scalesim in RIDGELINE_DATA";
  expect_product("v3_user_os", Dataflow::output_stationary, true);
}

}  // namespace
}  // namespace ridgeline
