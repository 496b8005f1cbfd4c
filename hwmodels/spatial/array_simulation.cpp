#include "hwmodels/spatial/array_simulation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

using Address = std::int32_t;
constexpr Address nothing = -1;
constexpr std::int64_t hit_cycles = 1;                // of a scratchpad
constexpr std::int64_t dram_cycles = 1;               // of a read
constexpr std::int64_t lines_a_buffer = 100;          // windows move by lines
constexpr std::int64_t unbound_words_per_cycle = 10;  // of DRAM before the first request, where nothing ever stalls

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Where the words of the three operands lie: equal numbers are the same word.
class Addresses {
 public:
  explicit Addresses(const ArrayOperands& operands) : product_(operands.product) {
    if (operands.convolution) key_ = *operands.convolution;
    convolution_ = operands.convolution.has_value();
  }
  Address input(std::int64_t m, std::int64_t k) const {
    if (!convolution_) return static_cast<Address>(m * product_.k + k);
    const std::int64_t channels = key_.in[0], across = key_.out[2];
    const std::int64_t channel = k % channels, column = k / channels % key_.kernel[1];
    const std::int64_t row = k / channels / key_.kernel[1];
    const std::int64_t y = m / across * key_.stride[0] + row * key_.dilation[0];
    const std::int64_t x = m % across * key_.stride[1] + column * key_.dilation[1];
    if (y >= key_.in[1] || x >= key_.in[2]) return nothing;  // padding
    return static_cast<Address>((y * key_.in[2] + x) * channels + channel);
  }
  Address weight(std::int64_t k, std::int64_t n) const { return static_cast<Address>(k * product_.n + n); }
  std::int64_t inputs() const { return convolution_ ? key_.in[0] * key_.in[1] * key_.in[2] : product_.m * product_.k; }
  std::int64_t weights() const { return product_.k * product_.n; }

 private:
  MatrixProduct product_;
  LayerKey key_;
  bool convolution_ = false;
};

// The two operands as the array sees them: what comes in along the rows, and what comes in through the columns.
struct Sides {
  std::int64_t rows = 0, cols = 0, stream = 0;  // to be folded over rows and columns, and streamed
  bool stationary = true;                       // the columns' operand is loaded and stays
  std::function<Address(std::int64_t step, std::int64_t row)> along_rows;
  // Stationary: (row, column). Otherwise: (step, column).
  std::function<Address(std::int64_t index, std::int64_t col)> through_cols;
};

Sides sides_of(const MatrixProduct& product, const Addresses& at, Dataflow dataflow) {
  const auto input = [&at](std::int64_t m, std::int64_t k) { return at.input(m, k); };
  const auto input_by_k = [&at](std::int64_t k, std::int64_t m) { return at.input(m, k); };
  const auto weight = [&at](std::int64_t k, std::int64_t n) { return at.weight(k, n); };
  const auto weight_by_n = [&at](std::int64_t n, std::int64_t k) { return at.weight(k, n); };
  switch (dataflow) {
    case Dataflow::input_stationary:
      return {product.k, product.m, product.n, true, weight_by_n, input_by_k};
    case Dataflow::output_stationary:
      return {product.m, product.n, product.k, false, input_by_k, weight};
    default:
      return {product.k, product.n, product.m, true, input, weight};
  }
}

// Words of a matrix in the order of its diagonals, each from its lowest row up.
std::vector<Address> by_diagonals(std::int64_t rows, std::int64_t cols,
                                  const std::function<Address(std::int64_t, std::int64_t)>& at) {
  std::vector<Address> order;
  order.reserve(static_cast<std::size_t>(rows * cols));
  for (std::int64_t diagonal = 0; diagonal < rows + cols - 1; ++diagonal) {
    const std::int64_t top = std::max<std::int64_t>(0, diagonal - cols + 1);
    for (std::int64_t row = std::min(diagonal, rows - 1); row >= top; --row) order.push_back(at(row, diagonal - row));
  }
  return order;
}

// The order in which an operand is fetched ahead: its folds below one another, padded to the array.
std::vector<Address> order_along_rows(const Sides& sides, std::int64_t height) {
  const std::int64_t folds = ceil_div(sides.rows, height);
  return by_diagonals(folds * sides.stream, height, [&](std::int64_t row, std::int64_t col) {
    const std::int64_t at = row / sides.stream * height + col;
    return at < sides.rows ? sides.along_rows(row % sides.stream, at) : nothing;
  });
}

std::vector<Address> order_through_cols(const Sides& sides, std::int64_t width) {
  const std::int64_t folds = ceil_div(sides.cols, width), length = sides.stationary ? sides.rows : sides.stream;
  const auto at = [&](std::int64_t row, std::int64_t col) {
    const std::int64_t column = row / length * width + col;
    return column < sides.cols ? sides.through_cols(row % length, column) : nothing;
  };
  if (!sides.stationary) return by_diagonals(folds * length, width, at);
  std::vector<Address> order;
  order.reserve(static_cast<std::size_t>(folds * length * width));
  for (std::int64_t row = 0; row < folds * length; ++row) {
    for (std::int64_t col = 0; col < width; ++col) order.push_back(at(row, col));
  }
  return order;
}

// First and last of the cycles in which something happened.
struct Span {
  std::int64_t first = std::numeric_limits<std::int64_t>::max(), last = std::numeric_limits<std::int64_t>::min();
  void add(std::int64_t from, std::int64_t to) {
    first = std::min(first, from);
    last = std::max(last, to);
  }
  PortUse use(std::int64_t words) const { return {first, last, words}; }
};

// A scratchpad for reading. service() takes the requests of a cycle and gives the cycles that the array waits for them.
class ReadBuffer {
 public:
  virtual ~ReadBuffer() = default;
  virtual std::int64_t service(std::int64_t cycle, std::span<const Address> requests) = 0;
  virtual PortUse finish() = 0;  // after the last request: what DRAM gave
};

// With a bandwidth: half of it serves while the other half is filled.
class DoubleBuffer final : public ReadBuffer {
 public:
  DoubleBuffer(const std::vector<Address>& order, std::int64_t addresses, std::int64_t words, std::int64_t bandwidth)
      : serving_(ceil_div(words, 2)), filling_(words - serving_), bandwidth_(bandwidth) {
    const std::int64_t line_words = ceil_div(words, lines_a_buffer);
    lines_of_.resize(static_cast<std::size_t>(addresses));
    std::int64_t line = 0, in_line = 0;
    for (const Address address : order) {
      if (address == nothing) continue;
      std::vector<std::int32_t>& lines = lines_of_[static_cast<std::size_t>(address)];
      if (lines.empty() || lines.back() != line) lines.push_back(static_cast<std::int32_t>(line));
      if (++in_line == line_words) ++line, in_line = 0;
    }
    lines_ = line + 1;
    serving_lines_ = std::min(lines_, ceil_div(serving_, line_words));
    filling_lines_ = std::min(lines_ - serving_lines_, ceil_div(filling_, line_words));
    end_ = serving_lines_;
    const std::int64_t requests =
        std::min(ceil_div(serving_, bandwidth_), ceil_div(static_cast<std::int64_t>(order.size()), bandwidth_));
    words_ = requests * bandwidth_;
    filled_at_ = -1;  // everything is there when the array starts
    span_.add(-requests, filled_at_);
  }

  std::int64_t service(std::int64_t cycle, std::span<const Address> requests) override {
    std::int64_t wait = 0;
    for (const Address address : requests) {
      while (address != nothing && !serves(address)) {
        next_window();
        wait = std::max(wait, filled_at_ - cycle - hit_cycles);
      }
    }
    return wait;
  }

  PortUse finish() override { return span_.use(words_); }

 private:
  bool serves(Address address) const {
    for (const std::int32_t line : lines_of_[static_cast<std::size_t>(address)]) {
      if (begin_ < end_ ? begin_ <= line && line < end_ : begin_ <= line || line < end_) return true;
    }
    return false;
  }

  void next_window() {
    begin_ = (begin_ + filling_lines_) % lines_;
    end_ = (begin_ + serving_lines_) % lines_;
    const std::int64_t requests = ceil_div(filling_, bandwidth_);
    span_.add(filled_at_ + 1 + dram_cycles, filled_at_ + requests + dram_cycles);
    filled_at_ += requests + dram_cycles;
    words_ += requests * bandwidth_;
  }

  std::int64_t serving_, filling_, bandwidth_;
  std::vector<std::vector<std::int32_t>> lines_of_;  // by address
  std::int64_t lines_ = 1, serving_lines_ = 1, filling_lines_ = 0;
  std::int64_t begin_ = 0, end_ = 0;  // of the window, around the end of the order
  std::int64_t filled_at_ = 0, words_ = 0;
  Span span_;
};

// Without one: everything is there in time, and how much of it has to come between two windows is counted.
class UnboundBuffer final : public ReadBuffer {
 public:
  UnboundBuffer(std::int64_t addresses, std::int64_t words)
      : line_words_(words / lines_a_buffer), line_of_(static_cast<std::size_t>(addresses), -1) {}

  std::int64_t service(std::int64_t cycle, std::span<const Address> requests) override {
    for (const Address address : requests) {
      if (address == nothing) continue;
      if (first_request_ < 0) first_request_ = cycle;
      std::int64_t& line = line_of_[static_cast<std::size_t>(address)];
      if (line >= window_ || line == line_) continue;
      line = line_;
      if (++in_line_ < line_words_) continue;
      in_line_ = 0;
      if (++line_ == window_ + half) next_window(cycle);
    }
    return 0;
  }

  PortUse finish() override {
    const std::int64_t rest = (line_ - fetched_) * line_words_ + in_line_;
    if (fetched_ == 0) set_first_window(0, ceil_div(rest, line_words_));
    fetch(rest);
    return span_.use(words_);
  }

 private:
  static constexpr std::int64_t half = lines_a_buffer / 2;

  void set_first_window(std::int64_t first_request, std::int64_t lines) {
    until_ = first_request - 1 - dram_cycles;
    from_ = until_ - ceil_div(lines * line_words_, unbound_words_per_cycle) + 1;
  }
  void fetch(std::int64_t words) {
    words_ += words;
    span_.add(from_ + dram_cycles, until_ + dram_cycles);
  }
  void next_window(std::int64_t cycle) {
    if (fetched_ == 0) set_first_window(first_request_, half);
    fetch(half * line_words_);
    fetched_ += half;
    window_ += half;
    from_ = until_ + 1;
    until_ = cycle;
  }

  std::int64_t line_words_;
  std::vector<std::int64_t> line_of_;  // the last line that has an address, by address
  std::int64_t line_ = 0, in_line_ = 0, window_ = 0, fetched_ = 0;
  std::int64_t first_request_ = -1, from_ = 0, until_ = 0, words_ = 0;
  Span span_;
};

// A scratchpad for writing: half of it leaves when more than half is full.
class WriteBuffer {
 public:
  WriteBuffer(std::int64_t words, std::int64_t bandwidth)
      : words_(words), leaving_(words - ceil_div(words, 2)), bandwidth_(bandwidth), free_(words) {}

  // `requests` words in this cycle; the cycles that the array waits.
  std::int64_t service(std::int64_t cycle, std::int64_t requests) {
    std::int64_t now = cycle;
    for (std::int64_t i = 0; i < requests; ++i) {
      --free_;
      if (++in_row_ == bandwidth_) end_row();
      if (now < drained_at_) {
        if (free_ <= 0) now = drained_at_;
      } else if (free_ < words_ - leaving_) {
        drained_at_ = drain(now);
      }
    }
    return now - cycle;
  }

  PortUse finish(std::int64_t cycle) {
    end_row();
    while (drained_rows_ < rows_.size()) cycle = drain(cycle) + 1;
    return span_.use(moved_);
  }

 private:
  void end_row() {
    if (in_row_ > 0) rows_.push_back(in_row_);
    in_row_ = 0;
  }

  // Gives the cycle of the last row. A row that was cut short counts whole unless it is the last: DRAM moves rows.
  std::int64_t drain(std::int64_t cycle) {
    end_row();
    const auto begin = drained_rows_;
    drained_rows_ = std::min(rows_.size(), begin + static_cast<std::size_t>(ceil_div(leaving_, bandwidth_)));
    const auto rows = static_cast<std::int64_t>(drained_rows_ - begin);
    const std::int64_t words = (rows - 1) * bandwidth_ + rows_[drained_rows_ - 1];
    moved_ += words;
    free_ += words;
    span_.add(cycle, cycle);
    span_.last = cycle + rows - 1;  // of the last row in order, as SCALE-Sim has it, where two drains overlap
    return span_.last;
  }

  std::int64_t words_, leaving_, bandwidth_, free_;
  std::vector<std::int64_t> rows_;  // words in each
  std::size_t drained_rows_ = 0;
  std::int64_t in_row_ = 0, drained_at_ = 0, moved_ = 0;
  Span span_;
};

// The requests of one cycle of a fold.
struct Requests {
  std::vector<Address> along_rows, through_cols;
  std::int64_t writes = 0;
};

class FoldRequests {
 public:
  FoldRequests(const Sides& sides, const SystolicArray& array)
      : sides_(sides), height_(array.rows), width_(array.cols) {}

  std::int64_t cycles() const { return (sides_.stationary ? height_ : 0) + height_ + width_ + sides_.stream - 2; }

  void at(std::int64_t row_fold, std::int64_t col_fold, std::int64_t cycle, Requests& requests) const {
    requests.along_rows.clear();
    requests.through_cols.clear();
    requests.writes = 0;
    const std::int64_t first_row = row_fold * height_, first_col = col_fold * width_;
    const std::int64_t rows = std::min(height_, sides_.rows - first_row);
    const std::int64_t cols = std::min(width_, sides_.cols - first_col);
    const std::int64_t loaded = sides_.stationary ? height_ : 0;
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t step = cycle - loaded - row;
      if (0 <= step && step < sides_.stream) {
        requests.along_rows.push_back(sides_.along_rows(step, first_row + row));
      }
    }
    if (sides_.stationary) {
      const std::int64_t row = height_ - 1 - cycle;  // the lowest row first
      for (std::int64_t col = 0; 0 <= row && row < rows && col < cols; ++col) {
        requests.through_cols.push_back(sides_.through_cols(first_row + row, first_col + col));
      }
    }
    for (std::int64_t col = 0; col < cols; ++col) {
      if (!sides_.stationary && 0 <= cycle - col && cycle - col < sides_.stream) {
        requests.through_cols.push_back(sides_.through_cols(cycle - col, first_col + col));
      }
      requests.writes += writes(cycle - col, rows);
    }
  }

 private:
  // A column's results: one a step once the wave is through, or all of its rows, the lowest first, at the end.
  bool writes(std::int64_t cycle, std::int64_t rows) const {
    if (sides_.stationary) return 0 <= cycle - 2 * height_ + 1 && cycle - 2 * height_ + 1 < sides_.stream;
    const std::int64_t from_below = cycle - sides_.stream + 1;
    return 0 <= from_below && from_below < height_ && height_ - 1 - from_below < rows;
  }

  const Sides& sides_;
  std::int64_t height_, width_;
};

void check(const SystolicArray& array, const Scratchpads& scratchpads) {
  if (array.dataflow == Dataflow::row_stationary) {
    throw ConfigError(
        Problem{"", "dataflow", "ws, is or os", "\"rs\"", "cycle by cycle only systolic arrays are simulated"});
  }
  for (const std::int64_t words : {scratchpads.input_words, scratchpads.weight_words, scratchpads.output_words}) {
    if (words >= lines_a_buffer) continue;
    throw ConfigError(Problem{"", "scratchpad", "at least 100 words", fmt::format("{}", words), ""});
  }
  if (scratchpads.words_per_cycle && *scratchpads.words_per_cycle < 1) {
    throw ConfigError(
        Problem{"", "bandwidth", "at least one word a cycle", fmt::format("{}", *scratchpads.words_per_cycle), ""});
  }
}

std::unique_ptr<ReadBuffer> read_buffer(const Scratchpads& scratchpads, std::int64_t words, std::int64_t addresses,
                                        const std::function<std::vector<Address>()>& order) {
  if (!scratchpads.words_per_cycle) return std::make_unique<UnboundBuffer>(addresses, words);
  return std::make_unique<DoubleBuffer>(order(), addresses, words, *scratchpads.words_per_cycle);
}

}  // namespace

double PortUse::words_per_cycle() const {
  return static_cast<double>(words) / static_cast<double>(last_cycle - first_cycle + 1);
}

ScratchpadRun simulate_array(const ArrayOperands& operands, const SystolicArray& array,
                             const Scratchpads& scratchpads) {
  check(array, scratchpads);
  const Addresses addresses(operands);
  const Sides sides = sides_of(operands.product, addresses, array.dataflow);
  const bool rows_are_inputs = array.dataflow != Dataflow::input_stationary;
  const std::array<std::int64_t, 2> capacity{scratchpads.input_words, scratchpads.weight_words};
  const std::array<std::int64_t, 2> count{addresses.inputs(), addresses.weights()};
  const std::size_t rows_port = rows_are_inputs ? 0 : 1, cols_port = 1 - rows_port;
  const auto along_rows = read_buffer(scratchpads, capacity[rows_port], count[rows_port],
                                      [&] { return order_along_rows(sides, array.rows); });
  const auto through_cols = read_buffer(scratchpads, capacity[cols_port], count[cols_port],
                                        [&] { return order_through_cols(sides, array.cols); });
  WriteBuffer written(scratchpads.output_words, scratchpads.words_per_cycle.value_or(array.cols));

  ScratchpadRun run;
  std::array<Span, 3> spans;
  std::array<std::int64_t, 3> moved{};
  const auto note = [&](std::size_t port, std::int64_t many, bool any, std::int64_t cycle) {
    if (any) spans[port].add(cycle, cycle);
    moved[port] += many;
  };
  const auto note_reads = [&](std::size_t port, std::span<const Address> words, std::int64_t cycle) {
    note(port, std::ssize(words), std::ranges::any_of(words, [](Address word) { return word != nothing; }), cycle);
  };
  const FoldRequests fold(sides, array);
  const std::int64_t row_folds = ceil_div(sides.rows, array.rows), col_folds = ceil_div(sides.cols, array.cols);
  Requests requests;
  std::int64_t cycle = -1;
  for (std::int64_t i = 0; i < row_folds * col_folds; ++i) {
    for (std::int64_t t = 0; t < fold.cycles(); ++t) {
      fold.at(i % row_folds, i / row_folds, t, requests);
      ++cycle;
      const std::int64_t waits[] = {along_rows->service(cycle, requests.along_rows),
                                    through_cols->service(cycle, requests.through_cols),
                                    written.service(cycle, requests.writes)};
      note_reads(rows_port, requests.along_rows, cycle + waits[0] + hit_cycles);
      note_reads(cols_port, requests.through_cols, cycle + waits[1] + hit_cycles);
      note(2, requests.writes, requests.writes > 0, cycle + waits[2]);
      run.last_cycle = cycle + waits[2];
      const std::int64_t wait = std::max({waits[0], waits[1], waits[2]});
      run.stall_cycles += wait;
      cycle += wait;
    }
  }
  for (std::size_t port = 0; port < 3; ++port) run.array_side[port] = spans[port].use(moved[port]);
  run.dram_side[rows_port] = along_rows->finish();
  run.dram_side[cols_port] = through_cols->finish();
  run.dram_side[2] = written.finish(run.last_cycle);
  run.with_prefetch =
      run.dram_side[2].last_cycle - std::min(run.dram_side[0].first_cycle, run.dram_side[1].first_cycle);
  return run;
}

}  // namespace ridgeline
