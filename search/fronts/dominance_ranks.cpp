#include "search/fronts/dominance_ranks.hpp"

#include <algorithm>

namespace ridgeline {
namespace {

// Below this many pairs a plain double loop is faster than splitting further.
constexpr std::size_t few_pairs = 1024;

// Of two points the one behind in lexicographic order is dominated exactly when it is no better from the second value
// on: the first value counts no more.
class Ranks {
 public:
  Ranks(std::span<const double> values, std::size_t m) : values_(values), m_(m), ranks_(values.size() / m, 0) {}

  std::vector<std::uint32_t> find() {
    divide(0, ranks_.size());
    return std::move(ranks_);
  }

 private:
  using Rows = std::vector<std::uint32_t>;

  double value(std::size_t row, std::size_t k) const { return values_[row * m_ + k]; }
  bool no_better(std::size_t a, std::size_t b, std::size_t last) const {  // b, than a
    std::size_t k = 1;
    while (k <= last && value(a, k) <= value(b, k)) ++k;
    return k > last;
  }
  void raise(std::size_t row, std::uint32_t least) { ranks_[row] = std::max(ranks_[row], least); }

  // The rows before `begin` have had their say.
  void divide(std::size_t begin, std::size_t end) {
    if ((end - begin) * (end - begin) <= few_pairs) {
      for (std::size_t b = begin; b < end; ++b) {
        for (std::size_t a = begin; a < b; ++a) {
          if (ranks_[a] >= ranks_[b] && no_better(a, b, m_ - 1)) ranks_[b] = ranks_[a] + 1;
        }
      }
      return;
    }
    const std::size_t middle = begin + (end - begin) / 2;
    divide(begin, middle);
    Rows before, after;
    for (std::size_t i = begin; i < end; ++i) (i < middle ? before : after).push_back(static_cast<std::uint32_t>(i));
    push(before, after, m_ - 1);
    divide(middle, end);
  }

  // Raises each of `after` above those of `before`, whose ranks are final, that match or beat it in values 1 to `last`.
  void push(Rows& before, Rows& after, std::size_t last) {
    if (before.empty() || after.empty()) return;
    if (before.size() * after.size() <= few_pairs) return push_pairs(before, after, last);
    if (last == 1) return push_sorted(before, after);
    if (last == 2) return push_sweep(before, after);
    Rows all = before;
    all.insert(all.end(), after.begin(), after.end());
    const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
    std::nth_element(all.begin(), middle, all.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return value(a, last) < value(b, last); });
    const double split = value(*middle, last);
    const auto part = [&](const Rows& rows, auto&& keep) {
      Rows kept;
      for (const std::uint32_t row : rows) {
        if (keep(value(row, last))) kept.push_back(row);
      }
      return kept;
    };
    const auto push_parts = [&](auto&& keep_before, auto&& keep_after, std::size_t values) {
      Rows some = part(before, keep_before), others = part(after, keep_after);
      push(some, others, values);
    };
    push_parts([&](double v) { return v <= split; }, [&](double v) { return v >= split; }, last - 1);
    const auto below = [&](double v) { return v < split; };
    const auto above = [&](double v) { return v > split; };
    push_parts(below, below, last);
    push_parts(above, above, last);
  }

  void push_pairs(const Rows& before, const Rows& after, std::size_t last) {
    for (const std::uint32_t b : after) {
      for (const std::uint32_t a : before) {
        if (ranks_[a] >= ranks_[b] && no_better(a, b, last)) ranks_[b] = ranks_[a] + 1;
      }
    }
  }

  void sort_by_second(Rows& rows) const {
    std::sort(rows.begin(), rows.end(), [&](std::uint32_t a, std::uint32_t b) { return value(a, 1) < value(b, 1); });
  }

  void push_sorted(Rows& before, Rows& after) {
    sort_by_second(before);
    sort_by_second(after);
    std::uint32_t above = 0;
    std::size_t seen = 0;
    for (const std::uint32_t b : after) {
      for (; seen < before.size() && value(before[seen], 1) <= value(b, 1); ++seen) {
        above = std::max(above, ranks_[before[seen]] + 1);
      }
      raise(b, above);
    }
  }

  // By the second value; a staircase holds the greatest rank so far up to each third value.
  void push_sweep(Rows& before, Rows& after) {
    sort_by_second(before);
    sort_by_second(after);
    stairs_.clear();
    std::size_t seen = 0;
    for (const std::uint32_t b : after) {
      for (; seen < before.size() && value(before[seen], 1) <= value(b, 1); ++seen) {
        climb(value(before[seen], 2), ranks_[before[seen]]);
      }
      const auto step = step_above(value(b, 2));
      if (step != stairs_.begin()) raise(b, std::prev(step)->rank + 1);
    }
  }

  struct Step {
    double third;
    std::uint32_t rank;
  };  // both ascend

  std::vector<Step>::iterator step_above(double third) {
    return std::partition_point(stairs_.begin(), stairs_.end(), [third](const Step& s) { return s.third <= third; });
  }

  void climb(double third, std::uint32_t rank) {
    auto first = step_above(third);
    if (first != stairs_.begin() && std::prev(first)->rank >= rank) return;
    if (first != stairs_.begin() && std::prev(first)->third == third) --first;
    auto last = first;
    while (last != stairs_.end() && last->rank <= rank) ++last;
    if (first == last) {
      stairs_.insert(first, {third, rank});
    } else {
      *first = {third, rank};
      stairs_.erase(first + 1, last);
    }
  }

  std::span<const double> values_;
  std::size_t m_;
  std::vector<std::uint32_t> ranks_;
  std::vector<Step> stairs_;
};

}  // namespace

std::vector<std::uint32_t> dominance_ranks(std::span<const double> values, std::size_t m) {
  return Ranks(values, m).find();
}

}  // namespace ridgeline
