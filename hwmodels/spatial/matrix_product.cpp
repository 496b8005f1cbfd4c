#include "hwmodels/spatial/matrix_product.hpp"

namespace ridgeline {

std::optional<MatrixProduct> matrix_product(const LayerKey& key) {
  MatrixProduct product;
  switch (key.kind) {
    case OpKind::conv2d:
      product.m = key.batch * key.out[1] * key.out[2];
      product.k = key.in[0] / key.groups * key.kernel[0] * key.kernel[1];
      product.n = key.out[0] / key.groups;
      product.count = key.groups;
      return product;
    case OpKind::linear:
      product.m = key.batch * key.in[1];
      product.k = key.in[0];
      product.n = key.out[0];
      return product;
    case OpKind::matmul:
      product.m = key.in[1];
      product.k = key.in[0];
      product.n = key.out[0];
      product.count = key.batch;
      product.weights = false;
      return product;
    default:
      return std::nullopt;
  }
}

}  // namespace ridgeline
