#include "kernels/training/kernel_maps.hpp"

#include <algorithm>

namespace ridgeline {

KernelMaps::KernelMaps(const SharedBlock& block, std::span<const float> shared, std::size_t window)
    : block_(block), shared_(shared), sizes_{window_size(block.windows[0])}, values_(window) {
  for (std::size_t step = 1; step <= window; ++step) {
    const Window &from = block.windows[step - 1], &to = block.windows[step];
    const std::int64_t top = (from[0] - to[0]) / 2, left = (from[1] - to[1]) / 2;
    std::vector<std::size_t> centre;
    for (std::int64_t y = 0; y < to[0]; ++y) {
      for (std::int64_t x = 0; x < to[1]; ++x) {
        centre.push_back(static_cast<std::size_t>((y + top) * from[1] + x + left));
      }
    }
    sizes_.push_back(centre.size());
    centres_.push_back(std::move(centre));
  }
}

std::size_t KernelMaps::filter_offset(std::int64_t out, std::int64_t in) const {
  return block_.offset + static_cast<std::size_t>(out * block_.extents[1] + in) * sizes_[0];
}

void KernelMaps::forward(std::int64_t out, std::int64_t in, std::span<float> filter) {
  const std::span<const float> whole = shared_.subspan(filter_offset(out, in), sizes_[0]);
  larger_.assign(whole.begin(), whole.end());
  for (std::size_t step = 0; step < centres_.size(); ++step) {
    const std::size_t width = sizes_[step + 1];
    const std::span<const float> map = shared_.subspan(block_.map_offsets[step], width * width);
    values_[step].resize(width);
    for (std::size_t k = 0; k < width; ++k) values_[step][k] = larger_[centres_[step][k]];
    larger_.assign(width, 0.0F);
    for (std::size_t row = 0; row < width; ++row) {
      for (std::size_t k = 0; k < width; ++k) larger_[row] += map[row * width + k] * values_[step][k];
    }
  }
  std::copy(larger_.begin(), larger_.end(), filter.begin());
}

void KernelMaps::backward(std::int64_t out, std::int64_t in, std::span<const float> filter_gradient,
                          std::span<float> shared_gradient) {
  const std::span<float> whole = shared_gradient.subspan(filter_offset(out, in), sizes_[0]);
  result_.resize(sizes_.back());
  forward(out, in, result_);  // fills values_
  gradient_.assign(filter_gradient.begin(), filter_gradient.end());
  for (std::size_t step = centres_.size(); step-- > 0;) {
    const std::size_t width = sizes_[step + 1];
    const std::span<const float> map = shared_.subspan(block_.map_offsets[step], width * width);
    const std::span<float> map_gradient = shared_gradient.subspan(block_.map_offsets[step], width * width);
    larger_.assign(sizes_[step], 0.0F);
    for (std::size_t row = 0; row < width; ++row) {
      for (std::size_t k = 0; k < width; ++k) {
        map_gradient[row * width + k] += gradient_[row] * values_[step][k];
        larger_[centres_[step][k]] += map[row * width + k] * gradient_[row];
      }
    }
    std::swap(gradient_, larger_);
  }
  for (std::size_t k = 0; k < whole.size(); ++k) whole[k] += gradient_[k];
}

}  // namespace ridgeline
