#include "experiments/report/comparison.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace ridgeline {
namespace {

constexpr double margin = 0.1;  // of the range, beyond the worst

// The members that count: all values minimised, none dominated.
std::vector<Point> minimised_front(std::span<const Objective> objectives, std::span<const Point> members) {
  std::vector<Point> all;
  for (const Point& member : members) {
    if (member.size() != objectives.size()) throw std::invalid_argument("a member needs one value an objective");
    Point point;
    for (std::size_t i = 0; i < member.size(); ++i) {
      if (!std::isfinite(member[i])) throw std::invalid_argument("a member's value is not finite");
      point.push_back(minimised(member[i], objectives[i].direction));
    }
    all.push_back(std::move(point));
  }
  if (all.empty()) return all;
  std::vector<Point> front;
  for (const std::size_t i : non_dominated(all)) front.push_back(std::move(all[i]));
  return front;
}

Point in_direction(std::span<const Objective> objectives, const Point& values) {
  Point turned(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) turned[i] = minimised(values[i], objectives[i].direction);
  return turned;
}

struct RowValues {
  std::vector<double> trials, members, hypervolume, ratio, largest, matched;
};

void add_figures(RowValues& values, const ComparedFront& front, const FrontFigures& figures) {
  values.trials.push_back(static_cast<double>(front.trials));
  values.members.push_back(static_cast<double>(figures.members));
  values.hypervolume.push_back(figures.hypervolume);
  if (!figures.equal_quality || figures.equal_quality->members == 0) return;
  const EqualQuality& equal = *figures.equal_quality;
  values.matched.push_back(static_cast<double>(equal.matched) / static_cast<double>(equal.members));
  if (!equal.mean) return;
  values.ratio.push_back(*equal.mean);
  values.largest.push_back(*equal.largest);
}

std::vector<ComparisonRow> rows_of(std::span<const ComparedFront> fronts, std::span<const FrontFigures> figures) {
  std::vector<ComparisonRow> rows;
  for (std::size_t i = 0; i < fronts.size(); ++i) {
    auto row = std::ranges::find(rows, fronts[i].variant, &ComparisonRow::variant);
    if (row == rows.end()) {
      rows.emplace_back();
      row = std::prev(rows.end());
      row->variant = fronts[i].variant;
    }
    for (const std::size_t other : row->fronts) {
      if (fronts[other].run == fronts[i].run) throw std::invalid_argument("two fronts of one variant in one run");
    }
    row->fronts.push_back(i);
  }
  for (ComparisonRow& row : rows) {
    RowValues values;
    for (const std::size_t i : row.fronts) add_figures(values, fronts[i], figures[i]);
    row.trials = spread_of(values.trials);
    row.members = spread_of(values.members);
    row.hypervolume = spread_of(values.hypervolume);
    row.ratio = spread_of(values.ratio);
    row.largest = spread_of(values.largest);
    row.matched_share = spread_of(values.matched);
  }
  return rows;
}

}  // namespace

bool quality_and_cost(std::span<const Objective> objectives) {
  return objectives.size() == 2 && objectives[0].direction == Direction::maximise &&
         objectives[1].direction == Direction::minimise;
}

ComparisonBox common_box(std::span<const Objective> objectives, std::span<const ComparedFront> fronts) {
  Point best(objectives.size(), std::numeric_limits<double>::infinity());
  Point worst(objectives.size(), -std::numeric_limits<double>::infinity());
  bool any = false;
  for (const ComparedFront& front : fronts) {
    for (const Point& member : minimised_front(objectives, front.members)) {
      any = true;
      for (std::size_t i = 0; i < member.size(); ++i) {
        best[i] = std::min(best[i], member[i]);
        worst[i] = std::max(worst[i], member[i]);
      }
    }
  }
  if (!any) return {};
  for (std::size_t i = 0; i < worst.size(); ++i) {
    const double range = worst[i] - best[i];
    const double scale = range > 0 ? range : worst[i] != 0.0 ? std::abs(worst[i]) : 1.0 / margin;
    worst[i] += margin * scale;
  }
  return {in_direction(objectives, best), in_direction(objectives, worst)};
}

double hypervolume_share(std::span<const Objective> objectives, const ComparisonBox& box,
                         std::span<const Point> members) {
  if (box.ideal.empty()) return 0.0;
  // In units of the box, so that quantities of any size multiply without loss.
  const Point ideal = in_direction(objectives, box.ideal), reference = in_direction(objectives, box.reference);
  std::vector<Point> scaled = minimised_front(objectives, members);
  for (Point& point : scaled) {
    for (std::size_t i = 0; i < point.size(); ++i) point[i] = (point[i] - ideal[i]) / (reference[i] - ideal[i]);
  }
  return hypervolume(scaled, Point(objectives.size(), 1.0));
}

EqualQuality at_equal_quality(std::span<const Point> baseline, std::span<const Point> other) {
  EqualQuality equal;
  equal.members = baseline.size();
  double logarithms = 0;
  for (const Point& member : baseline) {
    std::optional<double> least;
    for (const Point& candidate : other) {
      if (candidate[0] >= member[0] && (!least || candidate[1] < *least)) least = candidate[1];
    }
    if (!least || !(*least > 0) || !(member[1] > 0)) continue;
    const double ratio = member[1] / *least;
    ++equal.matched;
    logarithms += std::log(ratio);
    equal.largest = std::max(equal.largest.value_or(ratio), ratio);
  }
  if (equal.matched > 0) equal.mean = std::exp(logarithms / static_cast<double>(equal.matched));
  return equal;
}

Spread spread_of(std::span<const double> values) {
  Spread spread;
  spread.count = values.size();
  if (values.empty()) return spread;
  for (const double value : values) spread.mean += value;
  spread.mean /= static_cast<double>(values.size());
  if (values.size() < 2) return spread;
  double squares = 0;
  for (const double value : values) squares += (value - spread.mean) * (value - spread.mean);
  spread.deviation = std::sqrt(squares / static_cast<double>(values.size() - 1));
  return spread;
}

FrontComparison compare_fronts(std::span<const Objective> objectives, std::span<const ComparedFront> fronts,
                               const std::string& baseline) {
  FrontComparison comparison;
  comparison.box = common_box(objectives, fronts);
  std::vector<std::vector<Point>> kept;  // natural, none dominated
  for (const ComparedFront& front : fronts) {
    kept.emplace_back();
    for (const Point& member : minimised_front(objectives, front.members)) {
      kept.back().push_back(in_direction(objectives, member));
    }
    FrontFigures figures;
    figures.members = kept.back().size();
    figures.hypervolume = hypervolume_share(objectives, comparison.box, kept.back());
    comparison.fronts.push_back(figures);
  }
  if (quality_and_cost(objectives)) {
    comparison.baseline = baseline;
    for (std::size_t b = 0; b < fronts.size(); ++b) {
      if (fronts[b].variant != baseline) continue;
      for (std::size_t i = 0; i < fronts.size(); ++i) {
        if (fronts[i].run == fronts[b].run) comparison.fronts[i].equal_quality = at_equal_quality(kept[b], kept[i]);
      }
    }
  }
  comparison.rows = rows_of(fronts, comparison.fronts);
  return comparison;
}

}  // namespace ridgeline
