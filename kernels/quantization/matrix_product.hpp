// Internal: products of f32 matrices on the calling thread alone, so that sums are in the same order for any number of
// threads. Row-major; `stride` is from one row to the next.
#pragma once

#include <cstddef>

namespace ridgeline {

struct FactorView {
  const float* values;
  std::size_t stride;
  bool transposed = false;  // the factor is the transpose of what is stored
};

struct ProductView {
  float* values;
  std::size_t stride;
  std::size_t rows, columns;
  float scale = 1;  // of the product
  float keep = 0;   // of what is there before
};

// to = scale * (a b) + keep * to; `inner` is the number of columns of a and of rows of b.
void multiply(const FactorView& a, const FactorView& b, std::size_t inner, const ProductView& to);

}  // namespace ridgeline
