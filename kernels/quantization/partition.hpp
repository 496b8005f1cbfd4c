// Internal: which numbers of an array share a scale.
#pragma once

#include <algorithm>
#include <cstddef>
#include <stdexcept>

#include "spaces/format.hpp"

namespace ridgeline {

// [rows, row_length] in runs of `group`; the last run of a row may be shorter. Runs are numbered row by row.
struct Partition {
  std::size_t rows, row_length, group;

  // Throws std::invalid_argument where `values` numbers are no rows of row_length.
  Partition(const Format& format, std::size_t values, std::size_t length) : rows(1), row_length(values), group(values) {
    if (values % std::max<std::size_t>(length, 1) != 0 || (length == 0 && values > 0)) {
      throw std::invalid_argument("the numbers to quantize are not whole rows");
    }
    if (!format.is_quantized() || format.granularity == Format::Granularity::tensor || values == 0) return;
    rows = values / length;
    row_length = length;
    group = format.has_groups() ? format.group_size : length;
  }

  std::size_t runs() const { return row_length == 0 ? 0 : rows * ((row_length + group - 1) / group); }

  // f(number of the run, its first index, its length)
  template <typename Function>
  [[gnu::always_inline]] void for_each_run(const Function& f) const {
    std::size_t run = 0;
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t first = 0; first < row_length; first += group) {
        f(run++, row * row_length + first, std::min(group, row_length - first));
      }
    }
  }
};

}  // namespace ridgeline
