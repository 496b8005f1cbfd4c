#include "kernels/quantization/matrix_product.hpp"

#include "kernels/onednn.hpp"

namespace ridgeline {

void multiply(const FactorView& a, const FactorView& b, std::size_t inner, const ProductView& to) {
  const auto dim = [](std::size_t size) { return static_cast<dnnl_dim_t>(size); };
  if (to.rows == 0 || to.columns == 0) return;
  const ThreadScope alone(1);
  const dnnl::status status =
      dnnl::sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', dim(to.rows), dim(to.columns), dim(inner),
                  to.scale, a.values, dim(a.stride), b.values, dim(b.stride), to.keep, to.values, dim(to.stride));
  if (status != dnnl::status::success) throw dnnl::error(static_cast<dnnl_status_t>(status), "sgemm refused its sizes");
}

}  // namespace ridgeline
