// One operator of a network: its kind and attributes. Tensors are row-major with the batch first: images are
// [N, C, H, W], token sequences [N, T, C], vectors [N, C].
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ridgeline {

using Shape = std::vector<std::int64_t>;

std::int64_t elements(const Shape& shape);   // product of the extents
std::string shape_text(const Shape& shape);  // "1x3x224x224"

enum class OpKind : std::uint8_t {
  input,
  conv2d,
  linear,
  matmul,
  batch_norm,
  layer_norm,
  relu,
  relu6,
  hard_swish,
  hard_sigmoid,
  sigmoid,
  swish,
  gelu,
  softmax,
  add,
  mul,
  concat,
  max_pool,
  avg_pool,
  global_avg_pool,
  reshape,
  transpose,
  flatten,
  identity,
  zero,
};

std::span<const std::string> op_names();  // in the order of OpKind: "input", "conv2d", ...
std::string_view name_of(OpKind kind);

bool is_activation(OpKind kind);  // relu ... gelu: elementwise, one input, no parameters (softmax is none)
bool has_weights(OpKind kind);    // conv2d, linear, batch_norm, layer_norm

struct Op {
  OpKind kind = OpKind::identity;
  std::int64_t channels = 0;        // conv2d, linear: output channels or features
  std::array<int, 2> kernel{1, 1};  // conv2d, max_pool, avg_pool: height, width
  std::array<int, 2> stride{1, 1};
  std::array<int, 2> dilation{1, 1};       // conv2d
  std::array<int, 4> padding{0, 0, 0, 0};  // top, left, bottom, right
  int groups = 1;                          // conv2d
  bool bias = false;                       // conv2d, linear
  bool count_include_pad = false;          // avg_pool: does padding enter the mean
  bool transpose_b = false;                // matmul: a · bᵀ over the last two axes
  int axis = 1;                            // concat, softmax (negative counts from the end)
  double epsilon = 1e-5;                   // batch_norm, layer_norm
  Shape shape{};                           // reshape: target without batch, one -1 allowed; transpose: permutation
                                           // of all axes; input: the whole shape
  friend bool operator==(const Op&, const Op&) = default;
};

// The output shape of `op` on inputs of these shapes. Throws ConfigError saying which rule is broken, with the shapes:
//  * conv2d: [N,C,H,W] -> [N,channels,H',W'], H' = (H + top + bottom - dilation*(kernel-1) - 1) / stride + 1 rounded
//    down; groups divide the channels of both
//  * linear: [...,C] -> [...,channels]
//  * matmul: [...,M,K] · [...,K,N] -> [...,M,N] with equal leading axes
//  * batch_norm: [N,C,...], over axis 1; layer_norm: over the last axis; activations and softmax: any shape; kept
//  * add, mul: equal shapes, or the second [N,C,1,1] spread over the first [N,C,H,W] (squeeze-excite)
//  * concat: equal but for `axis`
//  * max_pool, avg_pool: as conv2d, padded by less than the kernel; global_avg_pool: [N,C,H,W] -> [N,C,1,1]
//  * flatten: [N,...] -> [N, rest]; reshape: keeps the batch and the number of elements; transpose: permutes all axes
//  * zero: the same shape (stride 1), or every stride-th row and column of [N,C,H,W]
//
// No tensor and no weight may have more than tensor_elements_limit, no operator more than operator_macs_limit
// multiply-accumulates, so that sums over a network fit 64 bits.
inline constexpr std::int64_t tensor_elements_limit = std::int64_t{1} << 40;
inline constexpr std::int64_t operator_macs_limit = std::int64_t{1} << 48;
Shape infer_shape(const Op& op, std::span<const Shape> inputs);
Shape infer_shape(const Op& op, std::span<const Shape* const> inputs);  // the same without copies

}  // namespace ridgeline
