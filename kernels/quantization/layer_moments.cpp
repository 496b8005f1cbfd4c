#include "kernels/quantization/layer_moments.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "kernels/quantization/matrix_product.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t block = 192;                           // of the Gram matrix, computed by one thread
constexpr std::size_t buffered = std::size_t{1} << 20;       // numbers gathered before they are multiplied
constexpr std::size_t worth_threads = std::size_t{1} << 18;  // operations
constexpr std::size_t short_patch = 32;  // with fewer taps, calling a library takes longer than multiplying

std::size_t to_size(std::int64_t value) { return static_cast<std::size_t>(value); }

// Where the numbers of an image lie, seen as [channels, height, width].
struct ImageLayout {
  std::size_t image, channel, row, column;  // strides
};

ImageLayout layout_of(const Shape& shape, bool channels_last) {
  const std::size_t channels = to_size(shape[1]), height = to_size(shape[2]), width = to_size(shape[3]);
  const std::size_t image = channels * height * width;
  if (channels_last) return {image, 1, width * channels, channels};
  return {image, height * width, width, 1};
}

// `count` of `total` positions, each once: steps of the golden ratio around the circle, which leave no large gap and
// meet every column alike.
std::vector<std::size_t> spread_positions(std::size_t total, std::size_t count) {
  std::vector<std::size_t> positions(std::min(total, count));
  if (count >= total) {
    std::iota(positions.begin(), positions.end(), std::size_t{0});
    return positions;
  }
  auto stride = static_cast<std::size_t>(0.6180339887498949 * static_cast<double>(total));
  while (stride < 1 || std::gcd(stride, total) != 1) ++stride;
  for (std::size_t i = 0; i < positions.size(); ++i) positions[i] = (i + 1) * stride % total;
  std::ranges::sort(positions);
  return positions;
}

std::size_t taps_of(const Op& op, const Shape& shape) {
  if (op.kind == OpKind::linear) return to_size(shape.back());
  return to_size(shape[1]) / to_size(op.groups) * to_size(op.kernel[0]) * to_size(op.kernel[1]);
}

struct Patches {
  std::size_t images, positions;  // positions of an image
};

Patches patches_of(const Op& op, const Shape& shape) {
  const Shape out = infer_shape(op, std::array{shape});
  const std::size_t images = to_size(shape[0]);
  const std::size_t numbers = to_size(elements(out)) / to_size(op.channels);
  return {images, images > 0 ? numbers / images : 0};
}

// What every group of a conv2d sees at one position: [groups, taps], `stride` apart.
void gather_patch(const Op& op, const Shape& shape, const ImageLayout& layout, std::size_t position, const float* image,
                  float* to, std::size_t stride) {
  const std::int64_t span = std::int64_t{op.dilation[1]} * (op.kernel[1] - 1) + 1;
  const std::size_t out_width = to_size((shape[3] + op.padding[1] + op.padding[3] - span) / op.stride[1] + 1);
  const auto top = static_cast<std::int64_t>(position / out_width) * op.stride[0] - op.padding[0];
  const auto left = static_cast<std::int64_t>(position % out_width) * op.stride[1] - op.padding[1];
  const std::size_t kernel_height = to_size(op.kernel[0]), kernel_width = to_size(op.kernel[1]);
  const std::size_t area = kernel_height * kernel_width;
  const std::size_t groups = to_size(op.groups), in = to_size(shape[1]) / groups;
  for (std::size_t tap = 0; tap < area; ++tap) {
    const std::int64_t y = top + static_cast<std::int64_t>(tap / kernel_width) * op.dilation[0];
    const std::int64_t x = left + static_cast<std::int64_t>(tap % kernel_width) * op.dilation[1];
    const bool inside = y >= 0 && y < shape[2] && x >= 0 && x < shape[3];
    const float* const from = inside ? image + to_size(y) * layout.row + to_size(x) * layout.column : nullptr;
    for (std::size_t group = 0; group < groups; ++group) {
      float* const patch = to + group * stride + tap;
      for (std::size_t c = 0; c < in; ++c) {
        patch[c * area] = from != nullptr ? from[(group * in + c) * layout.channel] : 0.0F;
      }
    }
  }
}

// The row of a linear layer at one position of all axes but the last.
void gather_row(const Shape& shape, bool channels_last, std::size_t position, const float* image, float* to) {
  const std::size_t length = to_size(shape.back());
  if (!channels_last || shape.size() != 4) {
    std::copy_n(image + position * length, length, to);
    return;
  }
  const ImageLayout layout = layout_of(shape, true);
  const std::size_t height = to_size(shape[2]);
  const float* const from = image + position / height * layout.channel + position % height * layout.row;
  for (std::size_t i = 0; i < length; ++i) to[i] = from[i * layout.column];
}

// On and below the diagonal of `products` [taps, taps], adds x^T x of rows x [rows, taps].
void add_short_products(const float* x, std::size_t rows, std::size_t taps, double* products) {
  for (std::size_t row = 0; row < rows; ++row, x += taps) {
    for (std::size_t i = 0; i < taps; ++i) {
      const double factor = x[i];
      for (std::size_t j = 0; j <= i; ++j) products[i * taps + j] += factor * static_cast<double>(x[j]);
    }
  }
}

void add_block_products(const float* x, std::size_t rows, std::size_t taps, std::array<std::size_t, 2> first,
                        double* products) {
  const std::size_t height = std::min(block, taps - first[0]), width = std::min(block, taps - first[1]);
  std::vector<float> made(height * width);
  multiply({x + first[0], taps, true}, {x + first[1], taps}, rows, {made.data(), width, height, width});
  for (std::size_t i = 0; i < height; ++i) {
    double* const to = products + (first[0] + i) * taps + first[1];
    for (std::size_t j = 0; j < width; ++j) to[j] += static_cast<double>(made[i * width + j]);
  }
}

void check_change(const LayerMoments& moments, std::span<const float> change, std::size_t channels) {
  if (channels == 0 || channels % moments.groups != 0 || change.size() != channels * moments.taps) {
    throw std::invalid_argument("a change of a kernel must have as many taps a channel as the layer's moments");
  }
}

}  // namespace

MomentCounter::MomentCounter(const Network& network, NodeId node, std::size_t patches_per_image)
    : op_(network.op(node)), groups_(1), taps_(0), patches_per_image_(patches_per_image) {
  if ((op_.kind != OpKind::conv2d && op_.kind != OpKind::linear) || patches_per_image == 0) {
    throw std::invalid_argument("moments are of what a conv2d or linear reads, at one position or more");
  }
  if (op_.kind == OpKind::conv2d) groups_ = to_size(op_.groups);
  taps_ = taps_of(op_, network.shape(network.inputs(node)[0]));
  sums_.resize(groups_ * taps_);
  products_.resize(groups_ * taps_ * taps_);
}

void MomentCounter::add(const Activation& input, const Shape& shape) {
  const Patches patches = patches_of(op_, shape);
  if (taps_of(op_, shape) != taps_ || input.values.size() != to_size(elements(shape))) {
    throw std::invalid_argument("activations that are no input of the layer: " + shape_text(shape));
  }
  const std::size_t rows = patches.images * std::min(patches.positions, patches_per_image_);
  const std::size_t most = std::max<std::size_t>(64, buffered / (groups_ * taps_));
  for (std::size_t first = 0; first < rows; first += most) {
    const std::size_t count = std::min(most, rows - first);
    gather(input, shape, first, count);
    add_rows(count);
  }
}

void MomentCounter::gather(const Activation& input, const Shape& shape, std::size_t first_row, std::size_t rows) {
  const Patches patches = patches_of(op_, shape);
  const std::vector<std::size_t> positions = spread_positions(patches.positions, patches_per_image_);
  const std::size_t image_size = input.values.size() / patches.images;
  rows_.resize(groups_ * rows * taps_);
  const ImageLayout layout = op_.kind == OpKind::conv2d ? layout_of(shape, input.channels_last) : ImageLayout{};
#pragma omp parallel for schedule(static) if (rows_.size() > worth_threads)
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t image = (first_row + row) / positions.size();
    const std::size_t position = positions[(first_row + row) % positions.size()];
    const float* const from = input.values.data() + image * image_size;
    float* const to = rows_.data() + row * taps_;
    if (op_.kind == OpKind::conv2d) {
      gather_patch(op_, shape, layout, position, from, to, rows * taps_);
    } else {
      gather_row(shape, input.channels_last, position, from, to);
    }
  }
}

void MomentCounter::add_rows(std::size_t rows) {
  for (std::size_t group = 0; group < groups_; ++group) {
    double* const sums = sums_.data() + group * taps_;
    for (std::size_t row = 0; row < rows; ++row) {
      const float* const patch = rows_.data() + (group * rows + row) * taps_;
      for (std::size_t tap = 0; tap < taps_; ++tap) sums[tap] += static_cast<double>(patch[tap]);
    }
  }
  if (!std::ranges::all_of(sums_, [](double sum) { return std::isfinite(sum); })) {
    throw std::invalid_argument("the layer reads numbers that are not finite");
  }
  const std::size_t blocks = (taps_ + block - 1) / block;
  const std::size_t triangle = blocks * (blocks + 1) / 2;
#pragma omp parallel for schedule(dynamic) if (rows_.size() * taps_ > worth_threads)
  for (std::size_t task = 0; task < groups_ * triangle; ++task) {
    const std::size_t group = task / triangle;
    const float* const x = rows_.data() + group * rows * taps_;
    double* const products = products_.data() + group * taps_ * taps_;
    std::size_t row = 0, column = task % triangle;
    while (column > row) column -= ++row;
    if (taps_ <= short_patch) {
      add_short_products(x, rows, taps_, products);
    } else {
      add_block_products(x, rows, taps_, {row * block, column * block}, products);
    }
  }
  patches_ += static_cast<std::int64_t>(rows);
}

void MomentCounter::add(const MomentCounter& other) {
  if (!(other.op_ == op_) || other.taps_ != taps_) throw std::invalid_argument("moments of different layers");
  patches_ += other.patches_;
  for (std::size_t i = 0; i < sums_.size(); ++i) sums_[i] += other.sums_[i];
  for (std::size_t i = 0; i < products_.size(); ++i) products_[i] += other.products_[i];
}

LayerMoments MomentCounter::moments() const {
  LayerMoments made{groups_, taps_, patches_, std::vector<double>(sums_.size()), std::vector<float>(products_.size())};
  if (patches_ == 0) return made;
  const auto count = static_cast<double>(patches_);
  for (std::size_t i = 0; i < sums_.size(); ++i) made.mean[i] = sums_[i] / count;
  for (std::size_t group = 0; group < groups_; ++group) {
    const double* const products = products_.data() + group * taps_ * taps_;
    float* const gram = made.gram.data() + group * taps_ * taps_;
    for (std::size_t i = 0; i < taps_; ++i) {
      for (std::size_t j = 0; j <= i; ++j) {
        gram[i * taps_ + j] = gram[j * taps_ + i] = static_cast<float>(products[i * taps_ + j] / count);
      }
    }
  }
  return made;
}

double output_power(const LayerMoments& moments, std::span<const float> change, std::size_t channels) {
  check_change(moments, change, channels);
  const std::size_t taps = moments.taps, rows = channels / moments.groups;
  std::vector<float> seen(rows * taps);  // D G of one group
  double sum = 0;
  for (std::size_t group = 0; group < moments.groups; ++group) {
    const float* const own = change.data() + group * rows * taps;
    multiply({own, taps}, {moments.gram.data() + group * taps * taps, taps}, taps, {seen.data(), taps, rows, taps});
    for (std::size_t i = 0; i < seen.size(); ++i) sum += static_cast<double>(own[i]) * static_cast<double>(seen[i]);
  }
  return std::max(sum, 0.0) / static_cast<double>(channels);
}

std::vector<float> mean_output(const LayerMoments& moments, std::span<const float> change, std::size_t channels) {
  check_change(moments, change, channels);
  std::vector<float> made(channels);
  for (std::size_t channel = 0; channel < channels; ++channel) {
    const double* const mean = moments.mean.data() + channel / (channels / moments.groups) * moments.taps;
    double sum = 0;
    for (std::size_t tap = 0; tap < moments.taps; ++tap) {
      sum += mean[tap] * static_cast<double>(change[channel * moments.taps + tap]);
    }
    made[channel] = static_cast<float>(sum);
  }
  return made;
}

std::vector<float> bias_correction(const LayerMoments& moments, std::span<const float> before,
                                   std::span<const float> after, std::size_t channels) {
  check_change(moments, before, channels);
  check_change(moments, after, channels);
  std::vector<float> lost(before.size());
  for (std::size_t i = 0; i < lost.size(); ++i) lost[i] = before[i] - after[i];
  return mean_output(moments, lost, channels);
}

}  // namespace ridgeline
