#include "hwmodels/spatial/systolic_array.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "hwmodels/spatial/array_simulation.hpp"
#include "spaces/config_error.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

using Matrix = std::vector<std::vector<double>>;

Matrix random_matrix(std::int64_t rows, std::int64_t cols, Rng& rng) {
  Matrix matrix(static_cast<std::size_t>(rows), std::vector<double>(static_cast<std::size_t>(cols)));
  for (std::vector<double>& row : matrix) {
    for (double& value : row) value = static_cast<double>(rng.below(7)) - 3;
  }
  return matrix;
}

double at(const Matrix& matrix, std::int64_t row, std::int64_t col) {
  return matrix[static_cast<std::size_t>(row)][static_cast<std::size_t>(col)];
}

Matrix multiply(const Matrix& a, const Matrix& b) {
  Matrix product(a.size(), std::vector<double>(b[0].size(), 0.0));
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < b[0].size(); ++j) {
      for (std::size_t k = 0; k < b.size(); ++k) product[i][j] += a[i][k] * b[k][j];
    }
  }
  return product;
}

struct Emulated {
  Matrix product;
  std::int64_t cycles = 0;
};

// An array of units that hand values on, cycle by cycle: weights stay, inputs go right, sums go down.
Emulated emulate_weight_stationary(const Matrix& a, const Matrix& b, int rows, int cols) {
  const auto m = std::ssize(a), k = std::ssize(b), n = std::ssize(b[0]);
  Emulated result{Matrix(a.size(), std::vector<double>(b[0].size(), 0.0)), 0};
  for (std::int64_t first_col = 0; first_col < n; first_col += cols) {
    for (std::int64_t first_row = 0; first_row < k; first_row += rows) {
      const auto height = static_cast<std::size_t>(rows), width = static_cast<std::size_t>(cols);
      Matrix right(height, std::vector<double>(width, 0.0)), sums = right;
      result.cycles += rows;  // a row of weights a cycle
      std::int64_t collected = 0;
      for (std::int64_t t = 0; collected < m * cols; ++t) {
        ++result.cycles;
        const Matrix before = right, above = sums;
        for (std::int64_t r = 0; r < rows; ++r) {
          for (std::int64_t c = 0; c < cols; ++c) {
            const bool there = first_row + r < k && first_col + c < n;
            const double weight = there ? at(b, first_row + r, first_col + c) : 0.0;
            const std::int64_t step = t - r;
            const bool fed = c == 0 && 0 <= step && step < m && first_row + r < k;
            const double input = c > 0 ? at(before, r, c - 1) : fed ? at(a, step, first_row + r) : 0.0;
            right[static_cast<std::size_t>(r)][static_cast<std::size_t>(c)] = input;
            sums[static_cast<std::size_t>(r)][static_cast<std::size_t>(c)] =
                (r > 0 ? at(above, r - 1, c) : 0.0) + weight * input;
          }
        }
        for (std::int64_t c = 0; c < cols; ++c) {
          const std::int64_t step = t - (rows - 1) - c;
          if (step < 0 || step >= m) continue;
          ++collected;
          if (first_col + c >= n) continue;
          result.product[static_cast<std::size_t>(step)][static_cast<std::size_t>(first_col + c)] +=
              at(sums, rows - 1, c);
        }
      }
    }
  }
  return result;
}

TEST(SystolicArray, WeightStationaryCyclesAreThoseOfAnEmulatedArray) {
  Rng rng(3, "emulated array", 0);
  for (int trial = 0; trial < 40; ++trial) {
    const std::int64_t m = 1 + static_cast<std::int64_t>(rng.below(12)),
                       k = 1 + static_cast<std::int64_t>(rng.below(12)),
                       n = 1 + static_cast<std::int64_t>(rng.below(12));
    const SystolicArray array{1 + static_cast<int>(rng.below(6)), 1 + static_cast<int>(rng.below(6)),
                              Dataflow::weight_stationary};
    const Matrix a = random_matrix(m, k, rng), b = random_matrix(k, n, rng);
    const Emulated emulated = emulate_weight_stationary(a, b, array.rows, array.cols);
    ASSERT_EQ(emulated.product, multiply(a, b));
    EXPECT_EQ(run_on_array(MatrixProduct{m, k, n}, array).cycles, emulated.cycles) << m << ' ' << k << ' ' << n;
  }
}

// The cycle-by-cycle requests are made from the order of folds and steps, not from the formulas.
TEST(SystolicArray, ClosedFormsAreWhatTheSimulatedArrayAsksFor) {
  Rng rng(5, "simulated array", 0);
  for (const Dataflow dataflow :
       {Dataflow::weight_stationary, Dataflow::input_stationary, Dataflow::output_stationary}) {
    for (int trial = 0; trial < 25; ++trial) {
      const MatrixProduct product{1 + static_cast<std::int64_t>(rng.below(40)),
                                  1 + static_cast<std::int64_t>(rng.below(40)),
                                  1 + static_cast<std::int64_t>(rng.below(40))};
      const SystolicArray array{1 + static_cast<int>(rng.below(9)), 1 + static_cast<int>(rng.below(9)), dataflow};
      const ArrayRun run = run_on_array(product, array);
      const ScratchpadRun simulated = simulate_array({product}, array, {});
      EXPECT_EQ(simulated.last_cycle, run.cycles - 1);
      EXPECT_EQ(simulated.stall_cycles, 0);
      EXPECT_EQ(simulated.array_side[0].words, run.input_reads);
      EXPECT_EQ(simulated.array_side[1].words, run.weight_reads);
      EXPECT_EQ(simulated.array_side[2].words, run.output_writes);
      EXPECT_EQ(run.utilisation, static_cast<double>(product.macs()) / static_cast<double>(run.cycles * array.units()));
    }
  }
}

TEST(SystolicArray, InputStationaryIsWeightStationaryWithOperandsExchanged) {
  const SystolicArray weights{8, 4, Dataflow::weight_stationary}, inputs{8, 4, Dataflow::input_stationary};
  const ArrayRun a = run_on_array(MatrixProduct{30, 21, 17}, weights),
                 b = run_on_array(MatrixProduct{17, 21, 30}, inputs);
  EXPECT_EQ(a.cycles, b.cycles);
  EXPECT_EQ(a.input_reads, b.weight_reads);
  EXPECT_EQ(a.weight_reads, b.input_reads);
  EXPECT_EQ(a.output_writes, b.output_writes);
}

LayerKey conv_layer(std::int64_t in, std::int64_t out, int kernel, std::int64_t groups, std::int64_t size) {
  LayerKey key;
  key.kind = OpKind::conv2d;
  key.in = {in, size, size};
  key.out = {out, size, size};
  key.kernel = {kernel, kernel};
  key.groups = groups;
  return key;
}

TEST(SystolicArray, DepthwiseLayersAreOneProductAChannel) {
  const LayerKey depthwise = conv_layer(32, 32, 3, 32, 14);
  const auto product = matrix_product(depthwise);
  ASSERT_TRUE(product);
  EXPECT_EQ(*product, (MatrixProduct{196, 9, 1, 32}));
  const SystolicArray array{64, 64, Dataflow::weight_stationary};
  const ArrayRun run = run_on_array(depthwise, array);
  EXPECT_EQ(run.cycles, 32 * (2 * 64 + 64 + 196 - 2));
  EXPECT_DOUBLE_EQ(run.mapping_efficiency, 9.0 / 4096);
  // Eight channels a group: an eighth of the products, each with 72 x 8 weights, which want two folds.
  const ArrayRun grouped = run_on_array(conv_layer(32, 32, 3, 4, 14), array);
  EXPECT_EQ(grouped.folds, 4 * 2);
  EXPECT_GT(grouped.utilisation, 8 * run.utilisation);
}

// Every unit of a row-stationary array counted: a set of kernel rows by output rows for each channel and filter.
TEST(SystolicArray, RowStationaryPassesAreCountedOneByOne) {
  for (const int rows : {3, 7, 12}) {
    for (const int cols : {5, 14}) {
      const LayerKey layer = conv_layer(6, 10, 3, 1, 13);
      const SystolicArray array{rows, cols, Dataflow::row_stationary};
      std::int64_t passes = 0;
      for (int first = 0; first < 13; first += cols) {
        std::int64_t free_rows = 0;
        for (int plane = 0; plane < 6 * 10; ++plane) {
          if (free_rows < 3) ++passes, free_rows = rows;
          free_rows -= 3;
        }
      }
      const ArrayRun run = run_on_array(layer, array);
      EXPECT_EQ(run.folds, passes);
      EXPECT_EQ(run.cycles, passes * 3 * 13 + rows + cols - 2);
      EXPECT_LE(run.utilisation, 1.0);
    }
  }
}

TEST(SystolicArray, WhatMultipliesNothingRunsNowhere) {
  LayerKey pool;
  pool.kind = OpKind::max_pool;
  EXPECT_FALSE(matrix_product(pool));
  EXPECT_EQ(run_on_array(pool, SystolicArray{}).cycles, 0);
}

TEST(Scratchpads, AWiderBusNeverWaitsLonger) {
  const MatrixProduct product{128, 96, 64};
  for (const Dataflow dataflow :
       {Dataflow::weight_stationary, Dataflow::input_stationary, Dataflow::output_stationary}) {
    const SystolicArray array{16, 16, dataflow};
    std::int64_t before = std::numeric_limits<std::int64_t>::max();
    for (const std::int64_t width : {1, 4, 16, 64}) {
      const ScratchpadRun run = simulate_array({product}, array, {2048, 2048, 2048, width});
      EXPECT_LE(run.stall_cycles, before);
      EXPECT_EQ(run.last_cycle - run.stall_cycles, run_on_array(product, array).cycles - 1);
      before = run.stall_cycles;
    }
    EXPECT_GT(simulate_array({product}, array, {2048, 2048, 2048, 1}).stall_cycles, before);
  }
}

TEST(Scratchpads, LargeOnesFetchEveryWordOnce) {
  const MatrixProduct product{50, 40, 30};
  const ScratchpadRun run = simulate_array({product}, {8, 8, Dataflow::output_stationary}, {100'000, 100'000, 100'000});
  EXPECT_EQ(run.dram_side[0].words, 50 * 40);
  EXPECT_EQ(run.dram_side[1].words, 40 * 30);
  EXPECT_EQ(run.dram_side[2].words, 50 * 30);
}

TEST(Scratchpads, RefusesWhatItCannotSimulate) {
  EXPECT_THROW(simulate_array({{8, 8, 8}}, {4, 4, Dataflow::row_stationary}, {}), ConfigError);
  EXPECT_THROW(simulate_array({{8, 8, 8}}, {}, {99, 1000, 1000}), ConfigError);
  EXPECT_THROW(simulate_array({{8, 8, 8}}, {}, {1000, 1000, 1000, 0}), ConfigError);
}

}  // namespace
}  // namespace ridgeline
