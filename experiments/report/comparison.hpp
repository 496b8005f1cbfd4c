// Fronts of several searches side by side: one box for the hypervolume of all, and what one front costs at the quality
// of another. Pure functions of the fronts; values are natural, in the direction that the objectives state, and of the
// optimised objectives alone. What does not reach a number (an empty front, a cost that is not above 0) has none.
//
// The box: the ideal is the best value in each objective of any member of any front; the reference point is the worst,
// moved out by 10 % of the range between both (by 10 % of the value itself, or by 1, where the range is 0), so that
// extreme members count too. A hypervolume is a share of this box. It depends on which fronts are compared.
//
// At equal quality (of studies with two objectives, the first maximised and the second minimised): for each member b of
// the baseline's front, the least cost of a member of the other front with at least b's quality; the ratio is b's cost
// over that. Members without such a counterpart have no ratio and are counted.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "search/fronts/pareto.hpp"

namespace ridgeline {

struct ComparedFront {
  std::string variant;  // the row it belongs to
  std::string run;      // fronts are compared at equal quality within a run: the same comparison, searched once
  std::int64_t trials = 0;
  std::vector<Point> members;  // n x optimised objectives; may hold dominated ones, which count for nothing
};

struct ComparisonBox {
  Point ideal, reference;  // natural; empty where no front has a member
};

struct EqualQuality {
  std::size_t members = 0;              // of the baseline's front
  std::size_t matched = 0;              // of them, those with a ratio
  std::optional<double> mean, largest;  // of the ratios: geometric mean, and the largest; none where matched is 0
};

struct Spread {
  std::size_t count = 0;
  double mean = 0;
  std::optional<double> deviation;  // standard, of a sample (n - 1); none below two
};

struct FrontFigures {
  std::size_t members = 0;  // not dominated within their front
  double hypervolume = 0;   // share of the box, 0 to 1
  std::optional<EqualQuality> equal_quality;
};

// A variant: of one front, or the mean of several runs.
struct ComparisonRow {
  std::string variant;
  std::vector<std::size_t> fronts;  // indices into what was compared
  Spread trials, members, hypervolume;
  Spread ratio, largest, matched_share;  // over the runs that have them
};

struct FrontComparison {
  ComparisonBox box;
  std::vector<FrontFigures> fronts;  // as given
  std::vector<ComparisonRow> rows;   // in order of first appearance
  std::string baseline;              // a variant; empty where the objectives are no quality and cost
};

// Whether ratios at equal quality can be formed of these optimised objectives.
bool quality_and_cost(std::span<const Objective> objectives);

ComparisonBox common_box(std::span<const Objective> objectives, std::span<const ComparedFront> fronts);
double hypervolume_share(std::span<const Objective> objectives, const ComparisonBox& box,
                         std::span<const Point> members);
EqualQuality at_equal_quality(std::span<const Point> baseline, std::span<const Point> other);  // {quality, cost}
Spread spread_of(std::span<const double> values);                                              // of none: all 0

// `objectives`: the optimised ones. `baseline`: a variant, or empty where there is none to be. Throws
// std::invalid_argument for members of another length, values that are not finite, or a run with two fronts of one
// variant.
FrontComparison compare_fronts(std::span<const Objective> objectives, std::span<const ComparedFront> fronts,
                               const std::string& baseline);

}  // namespace ridgeline
