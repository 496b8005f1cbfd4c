// A small labelled task for the tests of training.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "kernels/training/loss.hpp"
#include "spaces/rng.hpp"

namespace ridgeline::testing {

// Pictures of four patterns with noise.
struct Pictures {
  explicit Pictures(std::size_t size) : rows(size) {}
  void draw(std::uint64_t number) {
    Rng rng(7, "pictures", number);
    images.assign(rows * 64, 0.0F);
    labels.clear();
    for (std::size_t n = 0; n < rows; ++n) {
      labels.push_back(static_cast<std::int32_t>(rng.below(4)));
      const int label = labels.back();
      for (std::size_t i = 0; i < 64; ++i) {
        const int y = static_cast<int>(i / 8), x = static_cast<int>(i % 8);
        const bool ink = label == 0   ? y % 4 < 2
                         : label == 1 ? x % 4 < 2
                         : label == 2 ? (x + y) % 4 < 2
                                      : x * y % 3 == 0;
        images[n * 64 + i] = (ink ? 1.0F : -1.0F) + 0.5F * static_cast<float>(rng.normal());
      }
    }
    targets = smoothed_targets(labels, 4);
  }
  // Of logits, one row of four a picture.
  double accuracy(std::span<const float> logits) const {
    double right = 0;
    for (std::size_t n = 0; n < rows; ++n) {
      const auto row = logits.subspan(n * 4, 4);
      right += std::max_element(row.begin(), row.end()) - row.begin() == labels[n] ? 1 : 0;
    }
    return right / static_cast<double>(rows);
  }
  std::size_t rows;
  std::vector<float> images, targets;
  std::vector<std::int32_t> labels;
};

}  // namespace ridgeline::testing
