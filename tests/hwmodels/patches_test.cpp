// Patch-based inference against a count that marks every element each patch needs, and against MCUNetV2's figures.
#include "hwmodels/memory/patches.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "hwmodels/memory/layout.hpp"
#include "spaces/counts.hpp"
#include "spaces/rng.hpp"
#include "spaces/search_space.hpp"
#include "tests/hwmodels/nets.hpp"

namespace ridgeline {
namespace {

using ::testing::HasSubstr;

std::shared_ptr<const Json> schedule(const Json& values) { return std::make_shared<const Json>(values); }

Design patched(Design design, std::size_t layers, int grid) {
  design.schedule = schedule({{"patch_layers", layers}, {"patch_grid", grid}});
  return design;
}

std::optional<MemoryLayout> layout_of(const Design& design, const MemoryOptions& options = {}) {
  std::string why;
  std::optional<MemoryLayout> layout = memory_layout(design, options, why);
  EXPECT_TRUE(layout) << why;
  return layout;
}

std::string refusal(const Design& design) {
  std::string why;
  EXPECT_FALSE(memory_layout(design, {}, why));
  return why;
}

// One image of marks a tensor.
class Marks {
 public:
  explicit Marks(const Shape& shape)
      : height_(shape[2]), width_(shape[3]), marked_(static_cast<std::size_t>(height_ * width_), false) {}

  void mark(std::int64_t y, std::int64_t x) {
    if (y >= 0 && y < height_ && x >= 0 && x < width_) marked_[static_cast<std::size_t>(y * width_ + x)] = true;
  }
  bool at(std::int64_t y, std::int64_t x) const { return marked_[static_cast<std::size_t>(y * width_ + x)]; }
  std::int64_t count() const { return std::count(marked_.begin(), marked_.end(), true); }
  // A kernel computes rectangles: everything between what is needed too.
  void fill() {
    std::int64_t top = height_, below = 0, left = width_, right = 0;
    each([&](std::int64_t y, std::int64_t x) {
      top = std::min(top, y);
      below = std::max(below, y + 1);
      left = std::min(left, x);
      right = std::max(right, x + 1);
    });
    for (std::int64_t y = top; y < below; ++y) {
      for (std::int64_t x = left; x < right; ++x) mark(y, x);
    }
  }
  template <typename Visit>
  void each(const Visit& visit) const {
    for (std::int64_t y = 0; y < height_; ++y) {
      for (std::int64_t x = 0; x < width_; ++x) {
        if (at(y, x)) visit(y, x);
      }
    }
  }

 private:
  std::int64_t height_, width_;
  std::vector<bool> marked_;
};

// Operator by operator from the stage's result backwards, for one patch. `fill`: rectangles.
std::map<NodeId, Marks> marks_of_patch(const Network& network, NodeId output, std::int64_t grid, std::int64_t patch,
                                       bool fill) {
  std::map<NodeId, Marks> marks;
  for (NodeId node = 0; node <= output; ++node) marks.emplace(node, Marks(network.shape(node)));
  const Shape& shape = network.shape(output);
  const std::int64_t row = patch / grid, column = patch % grid;
  for (std::int64_t y = row * shape[2] / grid; y < (row + 1) * shape[2] / grid; ++y) {
    for (std::int64_t x = column * shape[3] / grid; x < (column + 1) * shape[3] / grid; ++x)
      marks.at(output).mark(y, x);
  }
  for (NodeId node = output + 1; node-- > 0;) {
    if (fill) marks.at(node).fill();
    const Op& op = network.op(node);
    const bool window = op.kind == OpKind::conv2d || op.kind == OpKind::max_pool || op.kind == OpKind::avg_pool;
    for (const NodeId input : network.inputs(node)) {
      Marks& needed = marks.at(input);
      marks.at(node).each([&](std::int64_t y, std::int64_t x) {
        if (!window) return needed.mark(y, x);
        for (int i = 0; i < op.kernel[0]; ++i) {
          for (int j = 0; j < op.kernel[1]; ++j) {
            needed.mark(y * op.stride[0] - op.padding[0] + i * op.dilation[0],
                        x * op.stride[1] - op.padding[1] + j * op.dilation[1]);
          }
        }
      });
    }
  }
  return marks;
}

struct RandomStage {
  Design design;
  std::size_t layers = 0;
  NodeId output = 0;
};

// Convolutions, pools and residual additions on small images, then a head.
RandomStage random_stage(Rng& rng, bool odd) {
  RandomStage stage;
  Network& n = stage.design.network;
  const auto extent = [&] { return static_cast<std::int64_t>(9 + rng.below(13)); };
  NodeId x = n.add_input({1, 4, extent(), extent()});
  const std::size_t blocks = 2 + rng.below(4);
  for (std::size_t block = 0; block < blocks; ++block) {
    const int kernel = 1 + 2 * static_cast<int>(rng.below(3));
    const std::uint64_t dice = rng.below(4);
    const NodeId start = x;
    Op op = test::conv(4, kernel, dice == 0 ? 2 : 1, rng.chance(0.4) ? 4 : 1);
    if (odd) {
      op.dilation = {1 + static_cast<int>(rng.below(2)), 1 + static_cast<int>(rng.below(2))};
      op.stride = {1 + static_cast<int>(rng.below(3)), 1};
      for (int& side : op.padding) side = static_cast<int>(rng.below(4));
      const std::int64_t reach = std::max(op.dilation[0], op.dilation[1]) * (kernel - 1) + 1;
      if (n.shape(x)[2] < reach || n.shape(x)[3] < reach) continue;
    }
    x = n.add(op, {x});
    x = n.add(test::simple(OpKind::batch_norm), {x});
    if (rng.chance(0.5)) x = n.add(test::simple(OpKind::relu6), {x});
    if (n.shape(x) == n.shape(start) && n.op(start).kind != OpKind::input && rng.chance(0.7)) {
      x = n.add(test::simple(OpKind::add), {start, x});
    }
    if (rng.chance(0.2)) {
      Op pool = test::simple(OpKind::max_pool);
      pool.kernel = {3, 3};
      pool.padding = {1, 1, 1, 1};
      x = n.add(pool, {x});
    }
  }
  if (n.op(x).kind == OpKind::input) x = n.add(test::conv(4, 3), {x});
  stage.output = x;
  x = n.add(test::conv(8, 1), {x});
  n.mark_output(n.add(test::simple(OpKind::global_avg_pool), {x}));
  stage.design.precision = PrecisionPlan::uniform(n, int8, int8);
  const std::optional<MemoryLayout> whole = layout_of(stage.design);
  while (whole->steps[stage.layers].node != stage.output) ++stage.layers;
  ++stage.layers;
  return stage;
}

void expect_marked_count(const RandomStage& stage, int grid, bool fill) {
  const Network& network = stage.design.network;
  const std::optional<MemoryLayout> layout = layout_of(patched(stage.design, stage.layers, grid));
  ASSERT_TRUE(layout && layout->patches);
  std::int64_t extra = 0;
  std::map<NodeId, std::int64_t> most;
  for (std::size_t patch = 0; patch < layout->patches->patches(); ++patch) {
    const std::map<NodeId, Marks> marks =
        marks_of_patch(network, stage.output, grid, static_cast<std::int64_t>(patch), fill);
    for (std::size_t s = 0; s < stage.layers; ++s) {
      const MemoryStep& step = layout->steps[s];
      const Shape& shape = network.shape(step.anchor);
      const std::int64_t each = macs(network, step.anchor) / (shape[2] * shape[3]);
      const std::int64_t counted = marks.at(step.anchor).count() * each;
      EXPECT_EQ(patch_macs(network, *layout->patches, step, patch), counted) << "layer " << s << " patch " << patch;
      extra += counted;
    }
    for (const PatchTensor& one : layout->patches->tensors) {
      EXPECT_EQ(one.positions(patch), marks.at(one.tensor).count());
      most[one.tensor] = std::max(most[one.tensor], one.positions(patch));
    }
  }
  for (std::size_t s = 0; s < stage.layers; ++s) extra -= macs(network, layout->steps[s].anchor);
  EXPECT_EQ(layout->extra_macs, extra);
  for (const PatchTensor& one : layout->patches->tensors) EXPECT_GE(one.most_positions(), most[one.tensor]);
}

TEST(Patches, OverlapEqualsTheMarkedCount) {
  Rng rng(23, "stages");
  for (int round = 0; round < 150; ++round) {
    const RandomStage stage = random_stage(rng, false);
    const Shape& shape = stage.design.network.shape(stage.output);
    for (int grid = 2; grid <= 4; ++grid) {
      if (shape[2] < grid || shape[3] < grid) continue;
      // Windows as wide as their stride leave no gaps; a 1x1 window of stride 2 does, so that its input is a rectangle.
      expect_marked_count(stage, grid, true);
    }
  }
}

TEST(Patches, WithoutGapsRectanglesAreWhatIsNeeded) {
  Rng rng(29, "dense stages");
  int checked = 0;
  for (int round = 0; round < 200; ++round) {
    const RandomStage stage = random_stage(rng, false);
    const Network& n = stage.design.network;
    bool gaps = n.shape(stage.output)[2] < 3 || n.shape(stage.output)[3] < 3;
    for (NodeId node = 0; node <= stage.output; ++node) {
      gaps = gaps || n.op(node).stride[0] > n.op(node).kernel[0];
    }
    if (gaps) continue;
    expect_marked_count(stage, 3, false);
    ++checked;
  }
  EXPECT_GT(checked, 50);
}

TEST(Patches, DilationStridesAndPaddingOfAnyKind) {
  Rng rng(31, "odd stages");
  for (int round = 0; round < 150; ++round) {
    const RandomStage stage = random_stage(rng, true);
    const Shape& shape = stage.design.network.shape(stage.output);
    if (shape[2] < 2 || shape[3] < 2) continue;
    expect_marked_count(stage, 2, true);
  }
}

// Two 3x3 convolutions on 8x8 in 2x2 patches: the second makes 4x4, the first 5x5 at each corner (its border is the
// image's): 4 * 25 instead of 64 positions.
TEST(Patches, OverlapByHand) {
  Design design;
  Network& n = design.network;
  NodeId x = n.add_input({1, 2, 8, 8});
  x = n.add(test::conv(4, 3), {x}, "first");
  x = n.add(test::conv(4, 3), {x}, "second");
  n.mark_output(n.add(test::simple(OpKind::global_avg_pool), {x}));
  design.precision = PrecisionPlan::uniform(n, int8, int8);
  const std::optional<MemoryLayout> layout = layout_of(patched(design, 2, 2));
  EXPECT_EQ(layout->extra_macs, (4 * 25 - 64) * 4 * 2 * 9);
  // The input 128 B, the stage's result 4 * 64 * 4 (f32 as it is pooled to the output in f32), the first's patch 100 B.
  EXPECT_EQ(layout->plan.arena_bytes, 128 + 1024 + 100);
  // Streamed, a patch of the input is 6x6.
  EXPECT_EQ(layout_of(patched(design, 2, 2), {.stream_input = true})->plan.arena_bytes, 2 * 36 + 1024 + 100);
  // Formats of the patches alone: what lies between the first and the second.
  Design formatted = patched(design, 2, 2);
  formatted.schedule = schedule({{"patch_layers", 2}, {"patch_grid", 2}, {"patch_format", "int4"}});
  EXPECT_EQ(layout_of(formatted)->plan.arena_bytes, 128 + 1024 + 50);
  formatted.schedule = schedule({{"patch_layers", 2}, {"patch_grid", 2}, {"patch_format", "int8,int4,int2,int4"}});
  EXPECT_EQ(layout_of(formatted)->plan.arena_bytes, 128 + 1024 + 100);  // the first patch's is the largest
  const std::int64_t first = 25 * 4 * 18, second = 16 * 4 * 36;
  EXPECT_EQ(bit_operations(formatted, *layout_of(formatted)), 4 * first * 64 + second * 8 * (8 + 4 + 2 + 4));
}

TEST(Patches, IllegalCutsSayWhy) {
  const Design block = test::mobile_block(int8);
  EXPECT_THAT(refusal(patched(block, 2, 2)), HasSubstr("do not end in one tensor"));  // the stem waits for the addition
  EXPECT_THAT(refusal(patched(block, 5, 2)), HasSubstr("looks at more than a patch"));
  EXPECT_THAT(refusal(patched(block, 60, 2)), HasSubstr("runs as 6 layers"));
  EXPECT_THAT(refusal(patched(block, 1, 32)), HasSubstr("too small for 32x32"));
  Design wrong = block;
  wrong.schedule = schedule({{"patch_layers", 1.5}, {"patch_grid", 2}});
  EXPECT_THAT(refusal(wrong), HasSubstr("patch_layers"));
  wrong.schedule = schedule({{"patch_layers", 1}, {"patch_grid", 2}, {"patch_format", "int8,int4"}});
  EXPECT_THAT(refusal(wrong), HasSubstr("2 formats for 4 patches"));
  wrong.schedule = schedule({{"patch_layers", 1}, {"patch_grid", 2}, {"patch_format", "int99"}});
  EXPECT_THAT(refusal(wrong), HasSubstr("patch_format"));
  std::string why;
  EXPECT_FALSE(memory_layout(patched(block, 4, 2), {.fusion = false}, why));
  EXPECT_THAT(why, HasSubstr("fusion"));
  EXPECT_TRUE(layout_of(patched(block, 1, 2)));
  EXPECT_TRUE(layout_of(patched(block, 4, 2)));
}

// Lin et al., "MCUNetV2", Fig. 1: MobileNetV2 at 224 x 224 in int8 takes 1372 kB layer by layer and 172 kB with its
// first blocks in 4 x 4 patches (kB of 1024 B; depthwise layers in place, the image not in SRAM as a whole).
TEST(Patches, MobileNetV2AsMcuNetV2ReportsIt) {
  const SearchSpace space = SearchSpace::load(RIDGELINE_SOURCE_DIR "/spaces/library/mobilenet_v2_mcu.json");
  Json choices = Json::object();
  for (const Dimension& dimension : space.dims()) choices[dimension.name] = dimension.choices.front();
  const int depths[] = {2, 3, 4, 3, 3};
  for (auto& [name, value] : choices.items()) {
    if (name.starts_with("expand")) value = 6;
    if (name.starts_with("depth")) value = depths[name[6] - '0'];
  }
  choices["resolution"] = 224;
  choices["width"] = 1;
  choices["last"] = 1280;
  Design design = space.decode(space.from_json(choices));
  EXPECT_EQ(macs(design.network), 300'774'272);
  const MemoryOptions tiny_engine{.depthwise_in_place = true, .stream_input = true};
  const std::optional<MemoryLayout> whole = layout_of(design, tiny_engine);
  EXPECT_EQ(whole->plan.arena_bytes / 1024, 1372);
  EXPECT_TRUE(whole->plan.optimal);
  const std::optional<MemoryLayout> patches = layout_of(patched(design, 12, 4), tiny_engine);
  EXPECT_NEAR(static_cast<double>(patches->plan.arena_bytes) / 1024, 172, 1);
  EXPECT_TRUE(patches->plan.optimal);
  EXPECT_GE(whole->plan.arena_bytes, 4 * patches->plan.arena_bytes);
  EXPECT_GT(patches->extra_macs, 0);
  RecordProperty("extra_macs", std::to_string(patches->extra_macs));
}

}  // namespace
}  // namespace ridgeline
