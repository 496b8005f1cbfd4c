// A layer as the matrix products that an array of multiply-accumulate units computes: `count` times M x K by K x N.
//
//   conv2d   M = output pixels of the batch, K = inputs a group x kernel, N = outputs a group, count = groups
//   linear   M = rows of the batch, K = inputs, N = outputs
//   matmul   M = rows, K = inner length, N = columns, count = batch
//
// A depthwise convolution is as many products as it has channels, each with one column: what fills no array.
#pragma once

#include <cstdint>
#include <optional>

#include "hwmodels/layers.hpp"

namespace ridgeline {

struct MatrixProduct {
  std::int64_t m = 1, k = 1, n = 1;
  std::int64_t count = 1;
  bool weights = true;  // the K x N operand are weights; false: both are activations
  std::int64_t macs() const { return m * k * n * count; }
  friend bool operator==(const MatrixProduct&, const MatrixProduct&) = default;
};

// nullopt: a layer that multiplies nothing (pools, additions, activations alone).
std::optional<MatrixProduct> matrix_product(const LayerKey& key);

}  // namespace ridgeline
