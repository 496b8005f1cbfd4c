// A data set and a space that train in milliseconds.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <string>

#include "experiments/training/train.hpp"
#include "spaces/rng.hpp"
#include "tests/experiments/support.hpp"

namespace ridgeline::testing {

inline const char* const tiny_space = R"({
  "ridgeline_space": 1, "name": "tiny", "about": "", "source": "",
  "parameters": {"classes": 2, "resolution": 8, "channels": 1},
  "dimensions": [{"name": "width", "choices": [6, 12]}],
  "network": {"input": ["channels", "resolution", "resolution"], "body": [
    {"op": "conv2d", "channels": "width", "kernel": 3}, {"op": "batch_norm"}, {"op": "relu"},
    {"op": "max_pool", "kernel": 2, "stride": 2, "padding": 0},
    {"op": "conv2d", "channels": "width", "kernel": 3}, {"op": "batch_norm"}, {"op": "relu"},
    {"op": "global_avg_pool"}, {"op": "flatten"}, {"op": "linear", "channels": "classes"}]}
})";

inline void put32(std::string& text, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) text.push_back(static_cast<char>(value >> shift & 255U));
}

// IDX files of horizontal, vertical and slanted stripes, with noise.
struct StripedData {
  StripedData() {
    for (const auto& [name, count] : {std::pair{"train", 192U}, {"validation", 60U}, {"test", 60U}}) {
      std::string images, labels;
      put32(images, 0x00000803);
      put32(images, count);
      put32(images, 8);
      put32(images, 8);
      put32(labels, 0x00000801);
      put32(labels, count);
      for (std::uint32_t n = 0; n < count; ++n) {
        Rng rng(5, name, n);
        const std::uint32_t label = n % 3;
        labels.push_back(static_cast<char>(label));
        for (std::uint32_t i = 0; i < 64; ++i) {
          const std::uint32_t y = i / 8, x = i % 8, place = label == 0 ? y : label == 1 ? x : x + y;
          images.push_back(static_cast<char>((place % 4 < 2 ? 180 : 60) + static_cast<int>(rng.below(40)) - 20));
        }
      }
      scratch.write(std::string(name) + "-images-idx3-ubyte", images);
      scratch.write(std::string(name) + "-labels-idx1-ubyte", labels);
    }
    const auto split = [](const std::string& name) {
      return R"({"images": ")" + name + R"(-images-idx3-ubyte", "labels": ")" + name + R"(-labels-idx1-ubyte"})";
    };
    folder = scratch.write("dataset.json", R"({"ridgeline_dataset": 1, "name": "stripes", "format": "idx",
      "classes": ["flat", "upright", "slanted"], "train": )" +
                                               split("train") + R"(, "validation": )" + split("validation") +
                                               R"(, "test": )" + split("test") + "}");
    space = scratch.write("tiny.json", tiny_space);
  }
  TrainConfig config(int epochs) const {
    TrainConfig made;
    made.data = folder;
    made.epochs = epochs;
    made.batch = 32;
    made.augment.crop_padding = 1;
    return made;
  }
  ModelSource model(std::uint16_t width = 1) const { return {space, {}, {{width}}}; }
  TrainResult train(const TrainConfig& made, const std::string& name, std::uint16_t width = 1,
                    const TrainHooks& hooks = {}) const {
    return train_model(model(width), testing::resources(), made, scratch.path(name), hooks);
  }
  Scratch scratch;
  std::string folder, space;
};

inline float most_difference(std::span<const float> a, std::span<const float> b) {
  float most = a.size() == b.size() ? 0.0F : INFINITY;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

}  // namespace ridgeline::testing
