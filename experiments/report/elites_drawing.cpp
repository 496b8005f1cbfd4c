// The archive as a heat map: a cell a kind, coloured by its best candidate's score.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "experiments/report/elites.hpp"
#include "experiments/report/report_markup.hpp"

namespace ridgeline {
namespace {

constexpr double width = 1080, top = 84, right = 140, below = 78, most_height = 560;

struct Colour {
  double red, green, blue;
  std::string text() const {
    const auto part = [](double value) { return static_cast<int>(std::lround(value)); };
    return fmt::format("#{:02x}{:02x}{:02x}", part(red), part(green), part(blue));
  }
  bool dark() const { return 0.299 * red + 0.587 * green + 0.114 * blue < 140; }
};

// Light to dark with growing share, told apart in grey and by most who see colours otherwise.
Colour colour_of(double share) {
  constexpr std::array<Colour, 5> steps{
      {{242, 240, 205}, {172, 215, 180}, {84, 170, 185}, {44, 105, 165}, {29, 38, 102}}};
  const double at = std::clamp(share, 0.0, 1.0) * static_cast<double>(steps.size() - 1);
  const auto i = std::min(static_cast<std::size_t>(at), steps.size() - 2);
  const double rest = at - static_cast<double>(i);
  const auto mixed = [&](double a, double b) { return a + rest * (b - a); };
  return {mixed(steps[i].red, steps[i + 1].red), mixed(steps[i].green, steps[i + 1].green),
          mixed(steps[i].blue, steps[i + 1].blue)};
}

std::string text_at(double x, double y, std::string_view anchor, double size, const std::string& words,
                    std::string_view more = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" font-size=\"{}\"{}>{}</text>\n", x, y, anchor,
                     size, more, html_escaped(words));
}

class HeatMap {
 public:
  explicit HeatMap(const ElitesReport& report)
      : report_(report),
        score_(report.objectives[report.score]),
        table_(elites_table(report)),
        left_(labels_width(report)),
        cell_width_((width - left_ - right) / static_cast<double>(table_[0].size())),
        cell_height_(std::min(44.0, most_height / static_cast<double>(table_.size()))),
        bottom_(top + cell_height_ * static_cast<double>(table_.size())) {
    for (const Elite& elite : report.elites) {
      const double quality = better_by(elite.score);
      least_ = std::min(least_, quality);
      most_ = std::max(most_, quality);
    }
  }

  std::string svg() {
    text_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1:.0f}\" width=\"{0}\" height=\"{1:.0f}\" "
        "font-family=\"system-ui, sans-serif\" fill=\"#1c1c1c\">\n<rect width=\"100%\" height=\"100%\" "
        "fill=\"#ffffff\"/>\n",
        width, bottom_ + below);
    text_ += text_at(24, 30, "start", 18, fmt::format("{}: best {} of each kind", report_.study, score_.label));
    text_ += text_at(24, 52, "start", 13,
                     fmt::format("{} of {} cells hold a candidate ({}), QD score {}",
                                 grouped(static_cast<std::int64_t>(report_.elites.size())),
                                 grouped(static_cast<std::int64_t>(report_.cells)), percent(report_.coverage()),
                                 pretty(report_.qd_score, score_.objective.unit)));
    for (std::size_t i = 0; i < table_.size(); ++i) {
      for (std::size_t j = 0; j < table_[i].size(); ++j) cell(i, j);
    }
    axes();
    legend();
    return text_ + "</svg>\n";
  }

 private:
  static double labels_width(const ElitesReport& report) {
    double wide = 40;
    if (report.axes[0].by_value) {
      for (const double bound : report.axes[0].bounds) {
        wide = std::max(wide, 7.5 * static_cast<double>(characters(report.axes[0].scale.number(bound))));
      }
    } else {
      for (const std::string& label : report.axes[0].labels) {
        wide = std::max(wide, 6.8 * static_cast<double>(characters(shortened(label, 24))));
      }
    }
    return wide + 66;
  }
  double better_by(double score) const { return score_.objective.direction == Direction::maximise ? score : -score; }
  double share(double score) const { return most_ > least_ ? (better_by(score) - least_) / (most_ - least_) : 1.0; }
  double x(double column) const { return left_ + cell_width_ * column; }
  double y(double row) const { return bottom_ - cell_height_ * row; }  // of its lower edge

  void cell(std::size_t i, std::size_t j) {
    const std::optional<std::size_t>& held = table_[i][j];
    const double row = static_cast<double>(i), column = static_cast<double>(j);
    const Colour colour = held ? colour_of(share(report_.elites[*held].score)) : Colour{244, 244, 244};
    std::string title = report_.axes[0].label + " " + report_.axes[0].labels[i];
    if (report_.axes.size() > 1) title += ", " + report_.axes[1].label + " " + report_.axes[1].labels[j];
    title += held ? fmt::format(": trial {}, {}", report_.elites[*held].trial,
                                elite_values_text(report_, report_.elites[*held]))
                  : ": empty";
    text_ += fmt::format(
        "<rect x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\" fill=\"{}\" stroke=\"#ffffff\"{}>"
        "<title>{}</title></rect>\n",
        x(column), y(row + 1), cell_width_, cell_height_, colour.text(), held ? "" : " class=\"empty\"",
        html_escaped(title));
    if (!held) return;
    const std::string number = score_.scale.number(report_.elites[*held].score);
    if (cell_width_ < 7.2 * static_cast<double>(characters(number)) + 4 || cell_height_ < 15) return;
    text_ += text_at(x(column + 0.5), y(row + 0.5) + 4, "middle", 12, number,
                     colour.dark() ? " fill=\"#ffffff\" pointer-events=\"none\"" : " pointer-events=\"none\"");
  }

  void axes() {
    const ElitesAxis& rows = report_.axes[0];
    const std::size_t count = rows.labels.size() + (rows.by_value ? 1 : 0);
    const std::size_t every = std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(15.0 / cell_height_)));
    for (std::size_t i = 0; i < count; i += every) {
      const double at = static_cast<double>(i) + (rows.by_value ? 0.0 : 0.5);
      text_ += text_at(left_ - 8, y(at) + 4, "end", 12,
                       rows.by_value ? rows.scale.number(rows.bounds[i]) : shortened(rows.labels[i], 24));
    }
    const double middle = (top + bottom_) / 2;
    text_ += text_at(20, middle, "middle", 13, rows.scale.heading(rows.label),
                     fmt::format(" transform=\"rotate(-90 20 {:.1f})\"", middle));
    if (report_.axes.size() < 2) return;
    const ElitesAxis& columns = report_.axes[1];
    std::size_t longest = 1;
    for (std::size_t j = 0; j < columns.labels.size(); ++j) longest = std::max(longest, characters(column_label(j)));
    const double room = 7.2 * static_cast<double>(longest) + 10;
    const std::size_t step = std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(room / cell_width_)));
    for (std::size_t j = 0; j < columns.labels.size() + (columns.by_value ? 1 : 0); j += step) {
      text_ += text_at(x(static_cast<double>(j) + (columns.by_value ? 0.0 : 0.5)), bottom_ + 18, "middle", 12,
                       column_label(j));
    }
    text_ += text_at((left_ + width - right) / 2, bottom_ + 42, "middle", 13, columns.scale.heading(columns.label));
    if (report_.axes.size() < 3) return;
    std::string others;
    for (std::size_t a = 2; a < report_.axes.size(); ++a) others += (a > 2 ? ", " : "") + report_.axes[a].label;
    text_ += text_at((left_ + width - right) / 2, bottom_ + 64, "middle", 12, "the best over " + others);
  }

  std::string column_label(std::size_t j) const {
    const ElitesAxis& columns = report_.axes[1];
    return columns.by_value ? columns.scale.number(columns.bounds[j]) : shortened(columns.labels[j], 20);
  }

  // A bar from the worst to the best elite.
  void legend() {
    constexpr int steps = 40;
    const double height = std::max(120.0, std::min(bottom_ - top, 240.0)), at = width - right + 36;
    text_ += text_at(at, top - 10, "start", 12, score_.scale.heading(score_.label));
    for (int i = 0; i < steps; ++i) {
      const double at_step = 1.0 - (i + 0.5) / steps;
      text_ += fmt::format("<rect x=\"{:.1f}\" y=\"{:.2f}\" width=\"16\" height=\"{:.2f}\" fill=\"{}\"/>\n", at,
                           top + height * i / steps, height / steps + 0.3, colour_of(at_step).text());
    }
    const double sign = score_.objective.direction == Direction::maximise ? 1.0 : -1.0;
    for (int i = 0; i <= 4; ++i) {
      const double quality = most_ + (least_ - most_) * i / 4.0;
      text_ += text_at(at + 22, top + height * i / 4.0 + 4, "start", 12, score_.scale.number(sign * quality));
      if (!(most_ > least_)) break;
    }
  }

  const ElitesReport& report_;
  const ReportObjective& score_;
  std::vector<std::vector<std::optional<std::size_t>>> table_;
  double left_, cell_width_, cell_height_, bottom_;
  double least_ = std::numeric_limits<double>::infinity(), most_ = -std::numeric_limits<double>::infinity();
  std::string text_;
};

constexpr std::string_view own_style = R"(
.map svg { width: 100%; height: auto; display: block; }
td { white-space: nowrap; }
td.wide { white-space: normal; }
)";

std::string rows_html(const ElitesReport& report) {
  std::string html = "<div class=\"scroll\"><table><thead><tr>";
  for (const ElitesAxis& axis : report.axes) html += "<th>" + html_escaped(axis.scale.heading(axis.label)) + "</th>";
  for (const ReportObjective& one : report.objectives) {
    html += "<th class=\"n\">" + html_escaped(one.scale.heading(one.label)) + "</th>";
  }
  html += "<th class=\"n\">trial</th><th class=\"wide\">genome</th></tr></thead><tbody>\n";
  for (const Elite& elite : report.elites) {
    html += "<tr>";
    for (std::size_t a = 0; a < report.axes.size(); ++a) {
      html += html_cell(html_escaped(report.axes[a].labels[elite.place[a]]));
    }
    for (std::size_t k = 0; k < report.objectives.size(); ++k) {
      html += html_cell(html_escaped(report.objectives[k].scale.number(elite.values[k])), true);
    }
    std::string genome;
    for (const auto& [name, choices] : elite.choices) genome += (genome.empty() ? "" : ", ") + name + " " + choices;
    html +=
        html_cell(std::to_string(elite.trial), true) + "<td class=\"wide\">" + html_escaped(genome) + "</td></tr>\n";
  }
  return html + "</tbody></table></div>";
}

std::string answers_html(const ElitesReport& report) {
  std::string html;
  const auto say = [&](const std::string& question, const std::string& answer, const Elite& elite) {
    html += fmt::format("<p><b>{}</b>: {} trial {}, {}.</p>\n", html_escaped(question), answer, elite.trial,
                        html_escaped(elite_values_text(report, elite)));
  };
  if (const auto& answer = report.answer) {
    say(answer->asked, answer->best ? "the best is" : "none; the nearest filled cell holds",
        answer->best ? *answer->best : *answer->nearest);
  }
  if (const auto& one = report.neighbour) {
    say(one->asked, one->distance == 0.0 ? "the best there is" : "nothing there; the nearest filled cell holds",
        one->elite);
  }
  return html;
}

}  // namespace

std::string elites_svg(const ElitesReport& report) { return HeatMap(report).svg(); }

std::string elites_html(const ElitesReport& report) {
  const std::string title =
      fmt::format("{}: best {} of each kind", report.study, report.objectives[report.score].label);
  const std::string body = "<div class=\"panel map\">" + elites_svg(report) + "</div>\n" + answers_html(report) +
                           "<section>\n<h2>The best of each kind</h2>\n" + rows_html(report) + "\n</section>\n";
  return html_page({"archive", title, elites_summary(report), body, own_style});
}

}  // namespace ridgeline
