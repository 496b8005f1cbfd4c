// The hypervolume of search/fronts/pareto.hpp, in gains: how much better a point is than the reference in each
// objective, so that a point's box stands on the origin and more is better.
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <stdexcept>

#include "search/fronts/pareto.hpp"
#include "search/fronts/points.hpp"

namespace ridgeline {
namespace {

struct Step {
  double x;
  double y;
};

// The boxes of a set of (x, y) gains: their outline, by descending x and ascending y, and the area under it.
class Staircase {
 public:
  double area() const { return area_; }
  void clear() {
    steps_.clear();
    area_ = 0.0;
  }

  void add(double x, double y) {
    // The first step not wider than x; those before it are wider, and the last of them is their highest.
    auto first = std::partition_point(steps_.begin(), steps_.end(), [x](const Step& s) { return s.x > x; });
    double floor = first == steps_.begin() ? 0.0 : std::prev(first)->y;
    if (floor >= y) return;
    auto last = first;
    for (; last != steps_.end() && last->y <= y; ++last) {  // covered: its strip was last->x wide
      area_ += (x - last->x) * (last->y - floor);
      floor = last->y;
    }
    if (last != steps_.end() && last->x == x) {  // as wide and higher: nothing is added
      return;
    }
    area_ += (x - (last == steps_.end() ? 0.0 : last->x)) * (y - floor);
    if (first == last) {
      steps_.insert(first, {x, y});
    } else {
      *first = {x, y};
      steps_.erase(first + 1, last);
    }
  }

 private:
  std::vector<Step> steps_;
  double area_ = 0.0;
};

// While, Bradstreet and Barone (2012): the volume is the sum of what each point adds to those after it, and what a
// point adds is its own box less the boxes of the others cut to it. Points go from the least last gain up, so that the
// cut boxes share their last gain and one dimension falls away at each depth.
class Wfg {
 public:
  explicit Wfg(std::size_t m) : sets_(m + 1) {}

  std::vector<double>& rows(std::size_t m) { return sets_[m].rows; }

  // Of rows(m): n x m gains.
  double volume(std::size_t m) {
    Set& set = sets_[m];
    const std::size_t n = set.rows.size() / m;
    if (m == 1) return n == 0 ? 0.0 : *std::max_element(set.rows.begin(), set.rows.end());
    set.order.resize(n);
    std::iota(set.order.begin(), set.order.end(), std::size_t{0});
    std::sort(set.order.begin(), set.order.end(), [&](std::size_t a, std::size_t b) {
      const double left = set.rows[a * m + m - 1];
      const double right = set.rows[b * m + m - 1];
      return left != right ? left < right : a < b;
    });
    if (m == 2) return area(set);
    if (m == 3) return sweep(set);
    double total = 0.0;
    for (std::size_t i = 0; i < n; ++i) total += set.rows[set.order[i] * m + m - 1] * added(set, i, m);
    return total;
  }

 private:
  struct Set {
    std::vector<double> rows;
    std::vector<std::size_t> order;  // by ascending last gain
  };

  static double area(const Set& set) {
    double total = 0.0;
    double height = 0.0;
    double width = 0.0;
    for (std::size_t i = set.order.size(); i-- > 0;) {  // from the highest down, widening
      const double* row = &set.rows[set.order[i] * 2];
      total += width * (height - row[1]);
      height = row[1];
      width = std::max(width, row[0]);
    }
    return total + width * height;
  }

  double sweep(const Set& set) {
    stairs_.clear();
    double total = 0.0;
    double height = 0.0;
    for (std::size_t i = set.order.size(); i-- > 0;) {
      const double* row = &set.rows[set.order[i] * 3];
      total += stairs_.area() * (height - row[2]);
      height = row[2];
      stairs_.add(row[0], row[1]);
    }
    return total + stairs_.area() * height;
  }

  // What point i of the order adds to those after it, in the first m - 1 dimensions.
  double added(const Set& set, std::size_t i, std::size_t m) {
    const double* own = &set.rows[set.order[i] * m];
    const double box = std::accumulate(own, own + m - 1, 1.0, std::multiplies<>());
    std::vector<double>& cut = sets_[m - 1].rows;
    cut.clear();
    for (std::size_t j = i + 1; j < set.order.size(); ++j) {
      const double* other = &set.rows[set.order[j] * m];
      for (std::size_t k = 0; k + 1 < m; ++k) cut.push_back(std::min(own[k], other[k]));
      if (m > 4) keep_if_undominated(cut, m - 1);  // the sweeps pass over dominated boxes by themselves
    }
    return box - volume(m - 1);
  }

  // The last row of `rows` goes when another covers it, else those it covers go.
  static void keep_if_undominated(std::vector<double>& rows, std::size_t m) {
    const auto covers = [m](const double* a, const double* b) {
      for (std::size_t k = 0; k < m; ++k) {
        if (a[k] < b[k]) return false;
      }
      return true;
    };
    const std::size_t last = rows.size() / m - 1;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < last; ++i) {
      const double* row = &rows[i * m];
      if (covers(row, &rows[last * m])) {
        // Nothing the new row covers can have come before: it would be covered by this one too.
        rows.resize(last * m);
        return;
      }
      if (covers(&rows[last * m], row)) continue;
      if (kept != i) std::copy_n(row, m, &rows[kept * m]);
      ++kept;
    }
    if (kept != last) std::copy_n(&rows[last * m], m, &rows[kept * m]);
    rows.resize((kept + 1) * m);
  }

  std::vector<Set> sets_;  // by number of dimensions: one is in use at each depth
  Staircase stairs_;
};

}  // namespace

double hypervolume(std::span<const Point> points, const Point& reference) {
  const std::size_t m = check_finite({&reference, 1}, reference.size());
  check_finite(points, m);
  std::vector<Point> inside;
  for (const Point& point : points) {
    if (std::ranges::equal(point, reference, std::less<>())) inside.push_back(point);
  }
  Wfg wfg(m);
  for (const std::size_t i : non_dominated(inside)) {
    for (std::size_t k = 0; k < m; ++k) wfg.rows(m).push_back(reference[k] - inside[i][k]);
  }
  return wfg.volume(m);
}

}  // namespace ridgeline
