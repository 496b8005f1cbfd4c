#include "search/fronts/contributions.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <numeric>

namespace ridgeline {
namespace {

// A part of a slice that one point alone covers, from where it began downwards.
struct Box {
  double left, right, bottom, top, since;
};

// The slices of a front from the highest third gain down. A slice is the union of boxes from the origin: its outline
// are the points by descending first and ascending second gain, and each holds alone a row of boxes, by ascending first
// gain and descending bottom, which all end at its second gain.
class Sweep {
 public:
  explicit Sweep(std::size_t count) : held_(count, 0.0), boxes_(count) {}

  void add(std::size_t point, double x, double y, double z) {
    std::vector<Box>& own = boxes_[point];
    // Those that the new one covers leave the outline: it is alone above them, in strips from the narrowest on.
    auto at = outline_.upper_bound(x);  // the first wider one
    const auto wider = at;
    std::vector<Step> covered;
    while (at != outline_.begin() && std::prev(at)->second.y <= y) covered.push_back({(--at)->first, at->second});
    double left = at == outline_.begin() ? 0.0 : std::prev(at)->first;
    for (auto step = covered.rbegin(); step != covered.rend(); ++step) {
      own.push_back({left, step->x, step->corner.y, y, z});
      left = step->x;
      for (const Box& box : boxes_[step->corner.point]) close(step->corner.point, box, z);
      boxes_[step->corner.point].clear();
    }
    own.push_back({left, x, wider == outline_.end() ? 0.0 : wider->second.y, y, z});
    if (wider != outline_.end()) cut_left(wider->second.point, x, z);
    if (at != outline_.begin()) cut_below(std::prev(at)->second.point, y, z);
    outline_.erase(at, wider);
    std::reverse(own.begin(), own.end());
    outline_.emplace(x, Corner{y, point});
  }

  std::vector<double> finish() {
    for (std::size_t point = 0; point < boxes_.size(); ++point) {
      for (const Box& box : boxes_[point]) close(point, box, 0.0);
    }
    return std::move(held_);
  }

 private:
  struct Corner {
    double y;
    std::size_t point;
  };
  struct Step {
    double x;
    Corner corner;
  };

  void close(std::size_t point, const Box& box, double z) {
    held_[point] += (box.right - box.left) * (box.top - box.bottom) * (box.since - z);
  }

  // What lies left of x is no longer the point's alone. Boxes are kept with the leftmost last.
  void cut_left(std::size_t point, double x, double z) {
    std::vector<Box>& row = boxes_[point];
    while (!row.empty() && row.back().left < x) {
      Box box = row.back();
      row.pop_back();
      close(point, box, z);
      if (box.right <= x) continue;
      box.left = x;
      box.since = z;
      row.push_back(box);
      return;
    }
  }

  // What lies below y is no longer the point's alone: the rightmost boxes, which reach lowest, become one. They are
  // first in the row.
  void cut_below(std::size_t point, double y, double z) {
    std::vector<Box>& row = boxes_[point];
    std::size_t cut = 0;
    while (cut < row.size() && row[cut].bottom < y) close(point, row[cut++], z);
    if (cut == 0) return;
    const Box one{row[cut - 1].left, row[0].right, y, row[0].top, z};
    row.erase(row.begin() + 1, row.begin() + static_cast<std::ptrdiff_t>(cut));
    row[0] = one;
  }

  std::map<double, Corner> outline_;  // by first gain; the second descends
  std::vector<double> held_;
  std::vector<std::vector<Box>> boxes_;  // by point, from right to left
};

}  // namespace

std::vector<double> contributions_of_three(std::span<const double> gains) {
  const std::size_t count = gains.size() / 3;
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const double left = gains[3 * a + 2], right = gains[3 * b + 2];
    return left != right ? left > right : a < b;
  });
  Sweep sweep(count);
  for (const std::size_t i : order) sweep.add(i, gains[3 * i], gains[3 * i + 1], gains[3 * i + 2]);
  return sweep.finish();
}

}  // namespace ridgeline
