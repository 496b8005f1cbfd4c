#include "search/fronts/pareto.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "search/fronts/points.hpp"

namespace ridgeline {
namespace {

// Below this many pairs a plain double loop is faster than splitting further.
constexpr std::size_t few_pairs = 1024;

// The points that the most central one does not dominate. On a cloud of points this leaves few to sort; on a front it
// costs two passes.
std::vector<std::size_t> without_plainly_dominated(std::span<const Point> points, std::size_t m) {
  Point low = points[0];
  Point high = points[0];
  for (const Point& point : points) {
    for (std::size_t k = 0; k < m; ++k) {
      low[k] = std::min(low[k], point[k]);
      high[k] = std::max(high[k], point[k]);
    }
  }
  std::size_t pivot = 0;
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < points.size(); ++i) {
    double score = 0.0;
    for (std::size_t k = 0; k < m; ++k) {
      if (high[k] > low[k]) score += (points[i][k] - low[k]) / (high[k] - low[k]);
    }
    if (score < best) {  // never true of the NaN that infinities may give: then another point is the pivot
      best = score;
      pivot = i;
    }
  }
  std::vector<std::size_t> left;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!dominates(points[pivot], points[i])) left.push_back(i);
  }
  return left;
}

struct Pair {
  double x;
  double y;
  std::size_t index;
};

std::vector<std::size_t> front_of_pairs(std::span<const Point> points, std::span<const std::size_t> candidates) {
  std::vector<Pair> pairs;
  pairs.reserve(candidates.size());
  for (const std::size_t i : candidates) pairs.push_back({points[i][0], points[i][1], i});
  std::sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) {
    if (a.x != b.x) return a.x < b.x;
    return a.y != b.y ? a.y < b.y : a.index < b.index;
  });
  std::vector<std::size_t> front;
  for (const Pair& pair : pairs) {
    if (front.empty() || pair.y < points[front.back()][1]) front.push_back(pair.index);
  }
  return front;
}

// Distinct points in lexicographic order: what dominates a point stands before it, and of those before it exactly the
// ones that are no worse from the second value on dominate it.
class SortedFront {
 public:
  SortedFront(std::span<const Point> points, std::vector<std::size_t> candidates, std::size_t m) : m_(m) {
    std::sort(candidates.begin(), candidates.end(),
              [&](std::size_t a, std::size_t b) { return points[a] != points[b] ? points[a] < points[b] : a < b; });
    for (const std::size_t i : candidates) {
      if (!index_.empty() && points[index_.back()] == points[i]) continue;
      index_.push_back(i);
      values_.insert(values_.end(), points[i].begin(), points[i].end());
    }
    alive_.assign(index_.size(), 1);
  }

  std::vector<std::size_t> solve() {
    if (m_ == 3) {
      sweep();
    } else if (m_ > 1) {
      divide(0, index_.size());
    } else {
      std::fill(alive_.begin() + 1, alive_.end(), std::uint8_t{0});
    }
    std::vector<std::size_t> front;
    for (std::size_t i = 0; i < index_.size(); ++i) {
      if (alive_[i] != 0) front.push_back(index_[i]);
    }
    return front;
  }

 private:
  using Rows = std::vector<std::size_t>;

  double value(std::size_t row, std::size_t k) const { return values_[row * m_ + k]; }

  // Three values: a staircase of the second and third of all points so far.
  void sweep() {
    std::map<double, double> stairs;  // second value -> third, strictly decreasing
    for (std::size_t i = 0; i < index_.size(); ++i) {
      const double y = value(i, 1);
      const double z = value(i, 2);
      auto after = stairs.upper_bound(y);
      if (after != stairs.begin() && std::prev(after)->second <= z) {
        alive_[i] = 0;
        continue;
      }
      auto first = stairs.lower_bound(y);
      auto last = first;
      while (last != stairs.end() && last->second >= z) ++last;
      stairs.emplace_hint(stairs.erase(first, last), y, z);
    }
  }

  void divide(std::size_t begin, std::size_t end) {
    if (end - begin < 2) return;
    const std::size_t middle = begin + (end - begin) / 2;
    divide(begin, middle);
    divide(middle, end);
    Rows before;
    Rows after;
    for (std::size_t i = begin; i < end; ++i) {
      if (alive_[i] != 0) (i < middle ? before : after).push_back(i);
    }
    filter(std::move(before), std::move(after), m_ - 1);
  }

  // Marks each of `after` that one of `before` matches or beats in values 1 to `last`.
  void filter(Rows before, Rows after, std::size_t last) {
    if (before.empty() || after.empty()) return;
    if (before.size() * after.size() <= few_pairs) return filter_pairs(before, after, last);
    if (last == 2) return filter_sweep(before, after);
    Rows all = before;
    all.insert(all.end(), after.begin(), after.end());
    const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
    std::nth_element(all.begin(), middle, all.end(),
                     [&](std::size_t a, std::size_t b) { return value(a, last) < value(b, last); });
    const double split = value(*middle, last);
    const auto part = [&](const Rows& rows, auto&& keep) {
      Rows kept;
      for (const std::size_t row : rows) {
        if (alive_[row] != 0 && keep(value(row, last))) kept.push_back(row);
      }
      return kept;
    };
    const auto below = [&](double v) { return v < split; };
    const auto above = [&](double v) { return v > split; };
    filter(part(before, [&](double v) { return v <= split; }), part(after, [&](double v) { return v >= split; }),
           last - 1);
    filter(part(before, below), part(after, below), last);
    filter(part(before, above), part(after, above), last);
  }

  void filter_pairs(const Rows& before, const Rows& after, std::size_t last) {
    for (const std::size_t b : after) {
      for (const std::size_t a : before) {
        std::size_t k = 1;
        while (k <= last && value(a, k) <= value(b, k)) ++k;
        if (k > last) {
          alive_[b] = 0;
          break;
        }
      }
    }
  }

  void filter_sweep(Rows& before, Rows& after) {
    const auto by_second = [&](std::size_t a, std::size_t b) { return value(a, 1) < value(b, 1); };
    std::sort(before.begin(), before.end(), by_second);
    std::sort(after.begin(), after.end(), by_second);
    double least = std::numeric_limits<double>::infinity();
    std::size_t seen = 0;
    for (const std::size_t b : after) {
      for (; seen < before.size() && value(before[seen], 1) <= value(b, 1); ++seen) {
        least = std::min(least, value(before[seen], 2));
      }
      if (seen > 0 && least <= value(b, 2)) alive_[b] = 0;
    }
  }

  std::size_t m_;
  std::vector<std::size_t> index_;
  std::vector<double> values_;
  std::vector<std::uint8_t> alive_;
};

}  // namespace

bool dominates(std::span<const double> a, std::span<const double> b) {
  bool better = false;
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (a[k] > b[k]) return false;
    better |= a[k] < b[k];
  }
  return better;
}

std::vector<std::size_t> non_dominated(std::span<const Point> points) {
  if (points.empty()) return {};
  const std::size_t m = check_points(points, points[0].size());
  std::vector<std::size_t> candidates = without_plainly_dominated(points, m);
  std::vector<std::size_t> front =
      m == 2 ? front_of_pairs(points, candidates) : SortedFront(points, std::move(candidates), m).solve();
  std::sort(front.begin(), front.end());
  return front;
}

double inverted_generational_distance(std::span<const Point> points, std::span<const Point> target) {
  if (target.empty()) throw std::invalid_argument("inverted_generational_distance: the target has no points");
  const std::size_t m = check_finite(target, target[0].size());
  check_finite(points, m);
  std::vector<double> scale(m, 1.0);
  for (std::size_t k = 0; k < m; ++k) {
    const auto by_value = [k](const Point& a, const Point& b) { return a[k] < b[k]; };
    const auto [low, high] = std::minmax_element(target.begin(), target.end(), by_value);
    if ((*high)[k] > (*low)[k]) scale[k] = 1.0 / ((*high)[k] - (*low)[k]);
  }
  double sum = 0.0;
  for (const Point& wanted : target) {
    double nearest = std::numeric_limits<double>::infinity();
    for (const Point& point : points) {
      double squares = 0.0;
      for (std::size_t k = 0; k < m; ++k) {
        const double difference = (point[k] - wanted[k]) * scale[k];
        squares += difference * difference;
      }
      nearest = std::min(nearest, squares);
    }
    sum += std::sqrt(nearest);
  }
  return sum / static_cast<double>(target.size());
}

ParetoArchive::ParetoArchive(std::vector<Objective> objectives, Fidelity fidelity)
    : values_(objectives.size()), fidelity_(fidelity) {
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    if (!objectives[i].constraint_only) counted_.push_back(i);
  }
  if (counted_.empty()) throw std::invalid_argument("ParetoArchive: no objective to optimise");
  candidate_.resize(counted_.size());
}

// Whether the candidate, which belongs at `place`, is dominated or equalled by an older trial.
bool ParetoArchive::blocked(std::size_t place, std::int64_t id) const {
  const std::size_t m = counted_.size();
  if (place < front_.size() && std::ranges::equal(row(place), candidate_)) return front_[place].id < id;
  if (place == 0 || m == 1) return place > 0;
  if (m == 2) return row(place - 1)[1] <= candidate_[1];  // of those before, the last has the least second value
  for (std::size_t i = place; i-- > 0;) {
    if (dominates(row(i), candidate_)) return true;
  }
  return false;
}

// Removes what the candidate dominates or equals: with two objectives a run that starts at `place`.
void ParetoArchive::drop_dominated(std::size_t place) {
  const std::size_t m = counted_.size();
  std::size_t kept = place;
  std::size_t i = place;
  for (; i < front_.size(); ++i) {
    const bool gone = dominates(candidate_, row(i)) || std::ranges::equal(candidate_, row(i));
    if (gone) continue;
    if (m == 2) break;  // its second value is lower, and so is that of all behind it
    if (kept != i) {
      front_[kept] = std::move(front_[i]);
      std::copy_n(row(i).begin(), m, points_.begin() + static_cast<std::ptrdiff_t>(kept * m));
    }
    ++kept;
  }
  const auto at = [](auto& block, std::size_t n) { return block.begin() + static_cast<std::ptrdiff_t>(n); };
  front_.erase(at(front_, kept), at(front_, i));
  points_.erase(at(points_, kept * m), at(points_, i * m));
}

bool ParetoArchive::add(const Trial& trial) {
  if (trial.status != Status::ok || trial.rung != 0 || trial.fidelity != fidelity_ || !trial.has_values()) return false;
  const std::size_t m = counted_.size();
  if (trial.values.size() != values_) throw std::invalid_argument("ParetoArchive: a value for each objective expected");
  for (std::size_t k = 0; k < m; ++k) {
    candidate_[k] = trial.values[counted_[k]];
    if (!std::isfinite(candidate_[k])) throw std::invalid_argument("ParetoArchive: a value is not finite");
  }
  std::size_t place = 0;
  for (std::size_t count = front_.size(); count > 0;) {
    const std::size_t half = count / 2;
    if (std::ranges::lexicographical_compare(row(place + half), candidate_)) {
      place += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  if (blocked(place, trial.id)) return false;
  drop_dominated(place);
  front_.insert(front_.begin() + static_cast<std::ptrdiff_t>(place), trial);
  points_.insert(points_.begin() + static_cast<std::ptrdiff_t>(place * m), candidate_.begin(), candidate_.end());
  return true;
}

}  // namespace ridgeline
