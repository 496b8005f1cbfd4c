// A benchmark's charts as inline SVG in the colours of the page: quality against evaluations, and spreads over
// settings.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "experiments/bench/report.hpp"
#include "experiments/report/report_markup.hpp"
#include "experiments/report/report_units.hpp"

namespace ridgeline {
namespace {

constexpr double width = 1040, left = 84, right = 24, top = 14;
constexpr std::array<const char*, 8> palette{"#3f74d8", "#d9822b", "#2f9e6e", "#a65bc0",
                                             "#c9a227", "#c8504f", "#3aa6b9", "#8a7a68"};

// 1, 2 or 5 times a power of ten, about a sixth of the range.
double tick_step(double range) {
  const double rough = range / 6, power = std::pow(10.0, std::floor(std::log10(rough))), lead = rough / power;
  return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
}

std::string text_at(double x, double y, std::string_view anchor, const std::string& words, std::string_view fill) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" style=\"fill: var(--{})\">{}</text>\n", x, y,
                     anchor, fill, html_escaped(words));
}

std::string line_of(double x1, double y1, double x2, double y2, std::string_view style) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" style=\"{}\"/>\n", x1, y1, x2, y2,
                     style);
}

// A linear scale from values to pixels with room at both ends.
class Axis {
 public:
  Axis(double least, double most, double from, double to) : from_(from), to_(to) {
    // Values that rounding alone tells apart are one: steps between them would not move a double.
    const double size = std::max(std::abs(least), std::abs(most));
    const double room = most - least > std::max(1e-9 * size, 1e-300) ? 0.04 * (most - least)
                        : size > 1e-300                              ? 0.05 * size
                                                                     : 0.1;
    least_ = least - room;
    most_ = most + room;
    step_ = tick_step(most_ - least_);
  }
  double operator()(double value) const { return from_ + (to_ - from_) * (value - least_) / (most_ - least_); }
  std::vector<double> ticks() const {
    std::vector<double> ticks;
    for (double k = std::ceil(least_ / step_); k * step_ <= most_; ++k)
      ticks.push_back(k == 0.0 ? 0.0 : k * step_);  // not -0

    return ticks;
  }
  std::string label(double value) const {
    const int decimals = std::max(static_cast<int>(std::ceil(-std::log10(step_) - 1e-9)), 0);
    return std::abs(value) >= 1e6 || decimals > 7 ? fmt::format("{:.3g}", value)
                                                  : fmt::format("{:.{}f}", value, decimals);
  }

 private:
  double from_, to_, least_, most_, step_;
};

std::string opening(double height, const std::string& label) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0f} {:.0f}\" width=\"100%\" role=\"img\" "
      "aria-label=\"{}\" font-size=\"12\">\n",
      width, height, html_escaped(label));
}

std::string quality_label(const BenchFigures& figures) {
  if (figures.hypervolume) return "hypervolume";
  const Objective& objective = figures.objectives[0];
  return "best " + objective.name + (objective.unit.empty() ? "" : " (" + objective.unit + ")");
}

struct Extent {
  double least = 0, most = 0;
  bool any = false;
  void add(double value) {
    least = any ? std::min(least, value) : value;
    most = any ? std::max(most, value) : value;
    any = true;
  }
};

// What is reached after a tenth of the evaluations and later: the climb before it would leave no height for the rest.
Extent late_extent(const BenchFigures& figures) {
  Extent extent;
  for (const BenchRow& row : figures.rows) {
    for (const BenchCurvePoint& point : row.curve) {
      if (10 * point.evaluations < figures.at.back()) continue;
      extent.add(point.interval.low);
      extent.add(point.interval.high);
    }
  }
  return extent;
}

std::string legend(const BenchFigures& figures, double y) {
  std::string svg;
  double x = left;
  for (std::size_t i = 0; i < figures.rows.size(); ++i) {
    const double wide = 30 + 7.0 * static_cast<double>(characters(figures.rows[i].label));
    if (x + wide > width - right && x > left) {
      x = left;
      y += 18;
    }
    svg += line_of(x, y - 4, x + 16, y - 4, fmt::format("stroke: {}; stroke-width: 2.5", palette[i % palette.size()]));
    svg += text_at(x + 21, y, "start", figures.rows[i].label, "soft");
    x += wide;
  }
  return svg;
}

double legend_height(const BenchFigures& figures) {
  double x = left, height = 18;
  for (const BenchRow& row : figures.rows) {
    const double wide = 30 + 7.0 * static_cast<double>(characters(row.label));
    if (x + wide > width - right && x > left) {
      x = left;
      height += 18;
    }
    x += wide;
  }
  return height;
}

}  // namespace

std::string bench_curves_svg(const BenchReport& report) {
  const BenchFigures& figures = report.figures;
  const Extent extent = late_extent(figures);
  if (!extent.any) return "";
  const double bottom = 400, height = bottom + 56 + legend_height(figures);
  const Axis x(0, static_cast<double>(figures.at.back()), left, width - right);
  const Axis y(extent.least, extent.most, bottom, top);
  std::string svg = opening(height, quality_label(figures) + " over evaluations");
  svg += fmt::format("<clipPath id=\"curves\"><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/></clipPath>\n", left,
                     top, width - left - right, bottom - top);
  for (const double tick : y.ticks()) {
    svg += line_of(left, y(tick), width - right, y(tick), "stroke: var(--hair)");
    svg += text_at(left - 8, y(tick) + 4, "end", y.label(tick), "soft");
  }
  for (const double tick : x.ticks()) svg += text_at(x(tick), bottom + 18, "middle", x.label(tick), "soft");
  svg += text_at((left + width - right) / 2, bottom + 36, "middle", "distinct evaluations", "soft");
  svg += fmt::format("<g transform=\"translate(16,{:.0f}) rotate(-90)\">{}</g>\n", (top + bottom) / 2,
                     text_at(0, 0, "middle", quality_label(figures), "soft"));
  if (figures.optimum && y(*figures.optimum) >= top) {
    svg += line_of(left, y(*figures.optimum), width - right, y(*figures.optimum),
                   "stroke: var(--faint); stroke-dasharray: 5 4");
  }
  for (std::size_t i = 0; i < figures.rows.size(); ++i) {
    const std::vector<BenchCurvePoint>& curve = figures.rows[i].curve;
    if (curve.empty()) continue;
    std::string mean, band;
    for (const BenchCurvePoint& point : curve) {
      const double at = x(static_cast<double>(point.evaluations));
      mean += fmt::format("{:.1f},{:.1f} ", at, y(point.mean));
      band += fmt::format("{:.1f},{:.1f} ", at, y(point.interval.high));
    }
    for (std::size_t k = curve.size(); k-- > 0;) {
      band += fmt::format("{:.1f},{:.1f} ", x(static_cast<double>(curve[k].evaluations)), y(curve[k].interval.low));
    }
    const char* const colour = palette[i % palette.size()];
    svg += fmt::format(
        "<g clip-path=\"url(#curves)\"><polygon points=\"{}\" fill=\"{}\" opacity=\"0.14\"/>"
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"><title>{}</title></polyline></g>\n",
        band, colour, mean, colour, html_escaped(figures.rows[i].label));
  }
  return svg + legend(figures, bottom + 60) + "</svg>\n";
}

std::string bench_spread_svg(const BenchReport& report) {
  const std::vector<BenchSpread>& spreads = report.figures.spreads;
  if (spreads.empty()) return "";
  Extent extent;
  for (const BenchSpread& spread : spreads) {
    extent.add(spread.quality.least);
    extent.add(spread.quality.most);
  }
  constexpr double lane = 44, names = 190;
  const double bottom = top + lane * static_cast<double>(spreads.size());
  const Axis x(extent.least, extent.most, names, width - right);
  std::string svg = opening(bottom + 44, "spread over settings");
  for (const double tick : x.ticks()) {
    svg += line_of(x(tick), top, x(tick), bottom, "stroke: var(--hair)");
    svg += text_at(x(tick), bottom + 18, "middle", x.label(tick), "soft");
  }
  svg += text_at((names + width - right) / 2, bottom + 36, "middle",
                 "mean " + quality_label(report.figures) + " of a setting", "soft");
  for (std::size_t i = 0; i < spreads.size(); ++i) {
    const FiveNumbers& five = spreads[i].quality;
    const double middle = top + lane * (static_cast<double>(i) + 0.5);
    const std::string stroke = fmt::format("stroke: {}; stroke-width: 2", palette[i % palette.size()]);
    svg +=
        text_at(names - 14, middle + 4, "end", fmt::format("{} ({})", spreads[i].searcher, spreads[i].settings), "ink");
    svg += line_of(x(five.least), middle, x(five.lower), middle, stroke);
    svg += line_of(x(five.upper), middle, x(five.most), middle, stroke);
    for (const double end : {five.least, five.most}) svg += line_of(x(end), middle - 6, x(end), middle + 6, stroke);
    svg += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"22\" fill=\"{}\" fill-opacity=\"0.18\" "
        "stroke=\"{}\" "
        "stroke-width=\"1.5\"><title>best: {}; worst: {}</title></rect>\n",
        x(five.lower), middle - 11, std::max(1.0, x(five.upper) - x(five.lower)), palette[i % palette.size()],
        palette[i % palette.size()], html_escaped(spreads[i].best), html_escaped(spreads[i].worst));
    svg += line_of(x(five.median), middle - 11, x(five.median), middle + 11, stroke);
  }
  return svg + "</svg>\n";
}

}  // namespace ridgeline
