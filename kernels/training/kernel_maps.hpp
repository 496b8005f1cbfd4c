// How one filter of a supernet becomes the smaller kernel of a candidate: centre, map, centre, map ... Internal.
#pragma once

#include "kernels/training/shared_parameters.hpp"

namespace ridgeline {

inline std::size_t window_size(const Window& window) { return static_cast<std::size_t>(window[0] * window[1]); }
inline std::size_t map_size(const Window& window) { return window_size(window) * window_size(window); }

class KernelMaps {
 public:
  // For the window number `window` of the block, 1 or more.
  KernelMaps(const SharedBlock& block, std::span<const float> shared, std::size_t window);

  std::size_t size() const { return sizes_.back(); }  // numbers of a filter of the candidate
  void forward(std::int64_t out, std::int64_t in, std::span<float> filter);
  // Adds to the gradients of the filter and of the maps.
  void backward(std::int64_t out, std::int64_t in, std::span<const float> filter_gradient,
                std::span<float> shared_gradient);

 private:
  std::size_t filter_offset(std::int64_t out, std::int64_t in) const;

  const SharedBlock& block_;
  std::span<const float> shared_;
  std::vector<std::size_t> sizes_;                 // of the filter after each step; the first is the whole filter
  std::vector<std::vector<std::size_t>> centres_;  // one a step: where each number of the centre stands in the larger
  std::vector<std::vector<float>> values_;         // one a step: the centre, before the map
  std::vector<float> larger_, gradient_, result_;
};

}  // namespace ridgeline
