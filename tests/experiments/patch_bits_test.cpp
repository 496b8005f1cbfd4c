// Mixed precision for patches: the search against brute force, entropies and bit operations in closed form, and patch
// by patch execution against the whole network.
#include "experiments/quantization/patch_bits.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "experiments/quantization/patch_execution.hpp"
#include "experiments/quantization/patch_plan.hpp"
#include "experiments/quantization/patch_values.hpp"
#include "experiments/report/memory_report.hpp"
#include "kernels/executable.hpp"
#include "kernels/reference.hpp"
#include "tests/experiments/striped_data.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::resources;
using testing::StripedData;
using testing::what_of;

std::vector<PatchBranch> random_branches(std::uint64_t seed, std::size_t branches, std::size_t maps) {
  Rng rng(seed);
  std::vector<PatchBranch> made(branches);
  for (PatchBranch& branch : made) {
    branch.outliers = rng.below(3) == 0;
    for (std::size_t map = 0; map < maps; ++map) {
      PatchMapValues values;
      values.weight_bit_macs = 8 * static_cast<std::int64_t>(1 + rng.below(1000));
      const double most = 1 + static_cast<double>(rng.below(600)) / 100;
      values.entropy_bits = {most * 0.3, most * 0.6, most};
      branch.maps.push_back(values);
    }
  }
  return made;
}

// Calls look(bits) for all plans in which branches with outliers have 8 bits.
template <typename Look>
void for_every_plan(const std::vector<PatchBranch>& branches, PatchBits& bits, std::size_t at, const Look& look) {
  const std::size_t maps = branches.front().maps.size(), branch = at / maps;
  if (branch == branches.size()) return look(bits);
  if (branches[branch].outliers) return for_every_plan(branches, bits, (branch + 1) * maps, look);
  for (const int one : patch_map_bits) {
    bits[branch][at % maps] = one;
    for_every_plan(branches, bits, at + 1, look);
  }
}

PatchBits eight(const std::vector<PatchBranch>& branches) {
  PatchBits bits;
  for (const PatchBranch& branch : branches) bits.emplace_back(branch.maps.size(), 8);
  return bits;
}

TEST(PatchBits, WithoutALimitNoPlanScoresMore) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const std::vector<PatchBranch> branches = random_branches(seed, 3, 2);
    for (const double lambda : {0.2, 0.5, 0.6, 0.8}) {
      double best = 0;
      PatchBits bits = eight(branches);
      for_every_plan(branches, bits, 0,
                     [&](const PatchBits& one) { best = std::max(best, patch_score(branches, one, lambda)); });
      const PatchBitsResult found = search_patch_bits(branches, lambda);
      EXPECT_NEAR(found.score, best, 1e-12) << seed << " " << lambda;
      EXPECT_NEAR(found.score, patch_score(branches, found.bits, lambda), 1e-12);
      for (std::size_t i = 0; i < branches.size(); ++i) {
        if (branches[i].outliers) {
          EXPECT_EQ(found.bits[i], (std::vector<int>{8, 8}));
        }
      }
    }
  }
}

// Memory as the sum of bits: where any plan fits, a plan is found, and it is within the limit; where none does, it says
// so. With lambda 1 nothing scores above 8 bits, so that changes are for memory alone.
TEST(PatchBits, ALimitIsKeptWhereItCanBe) {
  const auto memory = [](const PatchBits& bits) {
    std::int64_t sum = 0;
    for (const auto& branch : bits) {
      for (const int one : branch) sum += one;
    }
    return sum;
  };
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const std::vector<PatchBranch> branches = random_branches(seed, 3, 2);
    std::int64_t least = 1000;
    PatchBits bits = eight(branches);
    for_every_plan(branches, bits, 0, [&](const PatchBits& one) { least = std::min(least, memory(one)); });
    for (const std::int64_t limit : {least - 1, least, least + 6, std::int64_t{48}}) {
      const PatchBitsResult found = search_patch_bits(branches, 1.0, memory, limit);
      EXPECT_EQ(found.fits, limit >= least);
      EXPECT_EQ(memory(found.bits) <= limit, limit >= least);
      EXPECT_EQ(found.changes, found.for_memory);
    }
    EXPECT_EQ(search_patch_bits(branches, 1.0, memory, 48).changes, 0);
  }
}

TEST(PatchBits, ScoresByHand) {
  PatchBranch branch;
  branch.maps = {{100, {1.0, 2.0, 4.0}}, {300, {2.0, 3.0, 6.0}}};
  // Map 1 in 4 bits: saves 300 * 4 of 400 * 8 bit operations, loses 3 of 10 bits of entropy.
  EXPECT_DOUBLE_EQ(patch_score(branch, 1, 4, 0.25), 0.75 * 1200 / 3200 - 0.25 * 3 / 10);
  EXPECT_DOUBLE_EQ(patch_score(branch, 0, 8, 0.25), 0);
  EXPECT_EQ(branch.maps[1].bit_operations(2), 600);
}

TEST(PatchBits, EntropiesInClosedForm) {
  EXPECT_DOUBLE_EQ(entropy_of_counts(std::vector<std::uint64_t>{7, 7, 7, 7}), 2);
  EXPECT_DOUBLE_EQ(entropy_of_counts(std::vector<std::uint64_t>{0, 9}), 0);
  EXPECT_NEAR(entropy_of_counts(std::vector<std::uint64_t>{1, 3}), 2 - 0.75 * std::log2(3.0), 1e-12);
  EXPECT_NEAR(normal_share_beyond(1), 0.3173105, 1e-6);
  EXPECT_NEAR(normal_share_beyond(3), 0.0026998, 1e-6);
}

// A code is what fake_quantize makes of the value, counted from 0.
TEST(PatchBits, CodesAreThoseOfTheFormats) {
  Rng rng(3);
  for (const int bits : patch_map_bits) {
    for (const bool never_negative : {false, true}) {
      const Range range{never_negative ? 0.0F : -1.5F, 2.0F};
      const Quantizer quantizer{Format::parse((never_negative ? "uint" : "int") + std::to_string(bits)), {range}};
      const int steps = never_negative ? (1 << bits) - 1 : (1 << (bits - 1)) - 1;
      for (int i = 0; i < 200; ++i) {
        const float value = static_cast<float>(rng.below(5000)) / 1000.0F - (never_negative ? 0.0F : 2.5F);
        std::vector<float> made{0};
        fake_quantize(std::vector<float>{value}, made, 1, quantizer);
        const int code = static_cast<int>(patch_code(value, range, never_negative, bits));
        const int from = never_negative ? 0 : steps;
        EXPECT_NEAR(made[0], static_cast<float>(code - from) * 2.0F / static_cast<float>(steps), 1e-6F)
            << bits << " " << value;
      }
    }
  }
}

// Two convolutions with strides and padding, a residual addition and a pool, then a classifier.
Design small_network() {
  Design design;
  Network& n = design.network;
  const auto conv = [](std::int64_t channels, int kernel, int stride, int padding) {
    Op op;
    op.kind = OpKind::conv2d;
    op.channels = channels;
    op.kernel = {kernel, kernel};
    op.stride = {stride, stride};
    op.padding = {padding, padding, padding, padding};
    op.bias = true;
    return op;
  };
  const auto simple = [](OpKind kind) {
    Op op;
    op.kind = kind;
    return op;
  };
  NodeId x = n.add(conv(6, 3, 2, 1), {n.add_input({1, 2, 21, 18})});
  x = n.add(simple(OpKind::relu), {x});
  const NodeId start = x;
  x = n.add(conv(10, 1, 1, 0), {x});
  x = n.add(simple(OpKind::relu6), {x});
  x = n.add(conv(6, 5, 1, 2), {x});
  x = n.add(simple(OpKind::add), {start, x});
  Op pool = simple(OpKind::max_pool);
  pool.kernel = {3, 3};
  pool.padding = {1, 1, 1, 1};
  x = n.add(pool, {x});
  x = n.add(conv(8, 3, 1, 1), {x});
  x = n.add(simple(OpKind::relu), {x});
  x = n.add(simple(OpKind::global_avg_pool), {x});
  x = n.add(simple(OpKind::flatten), {x});
  Op linear = simple(OpKind::linear);
  linear.channels = 5;
  linear.bias = true;
  n.mark_output(n.add(linear, {x}));
  design.weights = std::make_shared<const Weights>(random_weights(n, 4));
  return design;
}

MemoryLayout patched(const Design& design, std::size_t layers, std::int64_t grid, const std::string& format = "") {
  std::string why;
  auto layout = memory_layout(with_patches(design, layers, grid, format), {}, why);
  EXPECT_TRUE(layout.has_value()) << why;
  return std::move(*layout);
}

TEST(PatchExecution, PatchesWithoutRoundingMakeTheWholeNetworksResult) {
  const Design design = small_network();
  const std::vector<float> input = seeded_input(design.network.shape(0), 9);
  const std::vector<Tensor> whole = run_reference(design, input);
  for (const std::size_t layers : {1U, 3U, 4U, 5U}) {
    for (const std::int64_t grid : {2, 3, 4}) {
      const MemoryLayout layout = patched(design, layers, grid);
      const std::vector<float> made = run_patch_stage(design, layout.steps, *layout.patches, input, 1, {});
      EXPECT_LT(testing::most_difference(made, whole[layout.patches->output].values), 1e-5F) << layers << " " << grid;
      Executable behind(behind_stage(design, *layout.patches));
      std::ranges::copy(made, behind.input().begin());
      behind.run();
      EXPECT_LT(testing::most_difference(behind.output(), whole.back().values), 1e-4F);
    }
  }
}

// One format for each map of each patch, told apart in memory and in bit operations.
TEST(PatchFormats, EveryMapOfEveryPatchHasItsOwn) {
  Design design = small_network();
  design.precision = PrecisionPlan::uniform(design.network, int8);
  const MemoryLayout plain = patched(design, 3, 2);
  std::string formats;
  const std::vector<int> first{8, 4, 2, 8}, second{2, 2, 4, 4};
  for (std::size_t patch = 0; patch < 4; ++patch) {
    formats += fmt::format("{}int{},int{}", patch == 0 ? "" : ",", first[patch], second[patch]);
  }
  const MemoryLayout mixed = patched(design, 3, 2, formats);
  std::int64_t expected = bit_operations(design, plain), saved = 0;
  for (std::size_t patch = 0; patch < 4; ++patch) {
    saved += patch_macs(design.network, *plain.patches, plain.steps[1], patch) * 8 * (8 - first[patch]);
    saved += patch_macs(design.network, *plain.patches, plain.steps[2], patch) * 8 * (8 - second[patch]);
  }
  EXPECT_EQ(bit_operations(with_patches(design, 3, 2, formats), mixed), expected - saved);
  EXPECT_LT(mixed.plan.arena_bytes, plain.plan.arena_bytes);
  std::string why;
  EXPECT_FALSE(memory_layout(with_patches(design, 3, 2, "int8,int4,int2"), {}, why).has_value());
  EXPECT_THAT(why, HasSubstr("3 formats for 4 patches"));
}

TEST(PatchPlan, OfATrainedNetwork) {
  const StripedData data;
  data.train(data.config(6), "model.ckpt");
  const TrainedModel model = load_trained_model(data.scratch.path("model.ckpt"), resources());
  const Dataset set = load_dataset(data.folder);
  PatchPlanOptions options;
  options.layers = 3;
  options.calibration_images = 96;
  options.images = 60;
  const PatchPlanReport report = patch_plan(model, set, options);
  ASSERT_EQ(report.rows.size(), 3U);
  const PatchPlanRow &layers = report.rows[0], &patches = report.rows[1], &mixed = report.mixed();
  EXPECT_GT(patches.macs, layers.macs);
  EXPECT_EQ(mixed.macs, patches.macs);
  EXPECT_LT(mixed.bit_operations, patches.bit_operations);
  EXPECT_LE(mixed.arena_bytes, patches.arena_bytes);
  EXPECT_NEAR(*patches.accuracy, *layers.accuracy, 0.05);
  EXPECT_GE(*mixed.accuracy, 0.34) << "no better than chance";
  // Every patch of stripes has the values of the others, so that none is an outlier of the rest.
  for (const PatchBranch& branch : report.values.branches) EXPECT_FALSE(branch.outliers);
  EXPECT_THAT(patch_plan_text(report, {}), AllOf(HasSubstr("patches, mixed"), HasSubstr("redundancy")));
  // Any share of values is too large for a rule of none: all patches keep 8 bits.
  options.outliers = {0.1, 0.0};
  options.images = 0;
  const PatchPlanReport kept = patch_plan(model, set, options);
  EXPECT_EQ(kept.mixed().bit_operations, kept.rows[1].bit_operations);
  EXPECT_FALSE(kept.mixed().accuracy.has_value());
  options.sram_bytes = 100;
  const PatchPlanReport refused = patch_plan(model, set, options);
  EXPECT_FALSE(refused.mixed().fits);
  EXPECT_THAT(patch_plan_text(refused, {}), HasSubstr("refused"));
  options.threads = 3;
  options.sram_bytes = 0;
  EXPECT_EQ(patch_plan_json(patch_plan(model, set, options)).dump(), patch_plan_json(kept).dump());
  options.layers = 1;
  EXPECT_THAT(what_of([&] { patch_plan(model, set, options); }), HasSubstr("at least 2 layers"));
}

}  // namespace
}  // namespace ridgeline
