#include "hwmodels/spatial/systolic_array.hpp"

#include <algorithm>
#include <vector>

namespace ridgeline {
namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Mean share of `size` places used by blocks of a length that is cut into pieces of `size`.
double filled(std::int64_t length, std::int64_t size) {
  return static_cast<double>(length) / static_cast<double>(ceil_div(length, size) * size);
}

void set_utilisation(ArrayRun& run, std::int64_t macs, const SystolicArray& array) {
  run.utilisation = static_cast<double>(macs) / (static_cast<double>(run.cycles) * static_cast<double>(array.units()));
}

ArrayRun row_stationary(const LayerKey& key, const MatrixProduct& product, const SystolicArray& array) {
  const bool convolution = key.kind == OpKind::conv2d;
  const std::int64_t kernel_rows = convolution ? key.kernel[0] : 1, kernel_cols = convolution ? key.kernel[1] : 1;
  const std::int64_t out_rows = convolution ? key.out[1] : 1, out_cols = convolution ? key.out[2] : product.m;
  const std::int64_t batch = convolution ? key.batch : 1;
  const std::int64_t channels = convolution ? key.in[0] / key.groups : product.k;
  const std::int64_t planes = batch * channels * product.n * product.count;
  const std::int64_t sets = std::max<std::int64_t>(1, array.rows / kernel_rows);
  const std::int64_t row_folds = ceil_div(kernel_rows, array.rows), col_folds = ceil_div(out_rows, array.cols);
  ArrayRun run;
  run.folds = row_folds * col_folds * ceil_div(planes, sets);
  run.streaming = run.folds * kernel_cols * out_cols;
  run.cycles = run.streaming + array.rows + array.cols - 2;
  // A row of the kernel is read for every set and broadcast along the columns; a row of the input along diagonals.
  run.weight_reads = planes * kernel_rows * kernel_cols * col_folds;
  const std::int64_t strides = convolution ? key.stride[0] : 1;
  const std::int64_t rows_a_fold = (std::min<std::int64_t>(out_rows, array.cols) - 1) * strides + kernel_rows;
  const std::int64_t in_cols = convolution ? key.in[2] : product.m;
  run.input_reads = planes * col_folds * rows_a_fold * in_cols;
  run.output_writes = planes * out_rows * out_cols;
  run.mapping_efficiency =
      std::min(1.0, static_cast<double>(std::min(planes, sets) * std::min<std::int64_t>(kernel_rows, array.rows)) /
                        static_cast<double>(array.rows)) *
      filled(out_rows, array.cols);
  set_utilisation(run, product.macs(), array);
  return run;
}

}  // namespace

std::span<const std::string> dataflow_names() {
  static const std::vector<std::string> names{"ws", "is", "os", "rs"};
  return names;
}

ArrayRun run_on_array(const MatrixProduct& product, const SystolicArray& array) {
  const auto& [m, k, n, count, weights] = product;
  const std::int64_t height = array.rows, width = array.cols;
  std::int64_t rows = k, cols = n, stream = m;
  if (array.dataflow == Dataflow::row_stationary) return row_stationary({}, product, array);
  if (array.dataflow == Dataflow::input_stationary) cols = m, stream = n;
  if (array.dataflow == Dataflow::output_stationary) rows = m, stream = k;
  const std::int64_t row_folds = ceil_div(rows, height), col_folds = ceil_div(cols, width);
  const std::int64_t load = array.dataflow == Dataflow::output_stationary ? 0 : height;
  ArrayRun run;
  run.folds = row_folds * col_folds * count;
  run.streaming = run.folds * stream;
  run.cycles = run.folds * (load + height + width - 2) + run.streaming;
  run.input_reads = m * k * count * (array.dataflow == Dataflow::input_stationary ? 1 : col_folds);
  const std::int64_t again[] = {1, col_folds, row_folds};
  run.weight_reads = k * n * count * again[static_cast<std::size_t>(array.dataflow)];
  run.output_writes = m * n * count * (array.dataflow == Dataflow::output_stationary ? 1 : row_folds);
  run.mapping_efficiency = filled(rows, height) * filled(cols, width);
  set_utilisation(run, product.macs(), array);
  return run;
}

ArrayRun run_on_array(const LayerKey& layer, const SystolicArray& array) {
  const std::optional<MatrixProduct> product = matrix_product(layer);
  if (!product) return {};
  if (array.dataflow == Dataflow::row_stationary) return row_stationary(layer, *product, array);
  return run_on_array(*product, array);
}

}  // namespace ridgeline
