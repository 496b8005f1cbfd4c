// The schedule as SVG: a row an accelerator, a box a layer from its start to its end, a colour a network.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "experiments/report/report_markup.hpp"
#include "experiments/report/report_units.hpp"
#include "experiments/report/schedule_report.hpp"

namespace ridgeline {
namespace {

constexpr double width = 1120, margin = 24, right = 24, top = 96, row_height = 54, box_height = 40, below = 56;
// By network, light enough for dark text; each twice, so that neighbours can be told apart.
constexpr std::array<std::array<const char*, 2>, 6> fills{{{"#a9c8e8", "#c6dbf0"},
                                                           {"#f7c99b", "#fadcbd"},
                                                           {"#bfe0b5", "#d5ebce"},
                                                           {"#e6b8d8", "#efd2e6"},
                                                           {"#c9c9c9", "#dddddd"},
                                                           {"#e8dc94", "#f0e8b9"}}};

std::string text_at(double x, double y, std::string_view anchor, double size, const std::string& words) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" font-size=\"{}\">{}</text>\n", x, y, anchor,
                     size, html_escaped(words));
}

class Drawing {
 public:
  explicit Drawing(const ScheduleReport& report)
      : report_(report),
        shown_(report.schedules[report.shown]),
        makespan_s_(std::max(shown_.schedule.makespan_s(), 1e-30)),
        left_(labels_end(report) + 10),
        height_(top + row_height * static_cast<double>(report.accelerators.size()) + below) {}

  std::string svg() {
    text_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
        "font-family=\"system-ui, sans-serif\" fill=\"#1c1c1c\">\n<rect width=\"100%\" height=\"100%\" "
        "fill=\"#ffffff\"/>\n",
        width, height_);
    heading();
    axis();
    const auto rows = tasks_by_processor(report_.tasks.graph, shown_.schedule);
    for (std::size_t a = 0; a < rows.size(); ++a) row(a, rows[a]);
    return text_ + "</svg>\n";
  }

 private:
  static std::string about(const SubAccelerator& one) {
    return fmt::format("{}, {} elements", one.kind, grouped(one.elements));
  }
  // Where the words at the left end at the latest: nobody knows the reader's font, so about as wide as a wide one.
  static double labels_end(const ScheduleReport& report) {
    double end = 140;
    for (const SubAccelerator& one : report.accelerators) {
      end = std::max({end, margin + 7.8 * static_cast<double>(characters(one.name)),
                      margin + 6.6 * static_cast<double>(characters(about(one)))});
    }
    return std::min(end, width / 2);
  }
  double x(double seconds) const { return left_ + (width - left_ - right) * seconds / makespan_s_; }
  double y(std::size_t accelerator) const { return top + row_height * static_cast<double>(accelerator); }

  void heading() {
    text_ += text_at(margin, 30, "start", 18, fmt::format("{} on {}", report_.network, report_.device));
    text_ += text_at(margin, 52, "start", 13,
                     fmt::format("{}: {} in all, {}, {}", shown_.name, pretty(makespan_s_, "s"),
                                 pretty(shown_.cost.energy_j, "J"), proof_text(report_, shown_)));
    double at = margin;
    for (std::size_t part = 0; part < report_.parts.size(); ++part) {
      text_ += fmt::format("<rect x=\"{:.1f}\" y=\"64\" width=\"14\" height=\"14\" fill=\"{}\"/>\n", at,
                           fills[part % fills.size()][0]);
      text_ += text_at(at + 20, 76, "start", 12, report_.parts[part]);
      at += 46 + 7 * static_cast<double>(characters(report_.parts[part]));
    }
  }

  void axis() {
    constexpr int ticks = 8;
    const UnitScale scale = scale_for(std::span(&makespan_s_, 1), "s");
    const double bottom = height_ - below + 6;
    for (int i = 0; i <= ticks; ++i) {
      const double at = makespan_s_ * i / ticks;
      text_ += fmt::format("<line x1=\"{0:.1f}\" y1=\"{1:.1f}\" x2=\"{0:.1f}\" y2=\"{2:.1f}\" stroke=\"#dddddd\"/>\n",
                           x(at), top - 4, bottom);
      text_ += text_at(x(at), bottom + 16, "middle", 12, scale.number(at));
    }
    text_ += text_at((left_ + width - right) / 2, bottom + 34, "middle", 13, scale.heading("time"));
  }

  void row(std::size_t accelerator, const std::vector<std::size_t>& tasks) {
    const SubAccelerator& one = report_.accelerators[accelerator];
    const double at = y(accelerator);
    text_ += text_at(margin, at + 18, "start", 13, one.name);
    text_ += text_at(margin, at + 34, "start", 11, about(one));
    for (std::size_t k = 0; k < tasks.size(); ++k) box(tasks[k], at, k % 2);
  }

  void box(std::size_t task, double at, std::size_t shade) {
    const TaskPlacement& place = shown_.schedule.tasks[task];
    const double from = x(place.start_s), to = x(place.finish_s);
    const std::string& part = report_.parts[report_.part_of[task]];
    const std::string title = fmt::format("{}: {}, {} to {}", part, report_.labels[task], pretty(place.start_s, "s"),
                                          pretty(place.finish_s, "s"));
    text_ += fmt::format(
        "<rect x=\"{:.2f}\" y=\"{:.1f}\" width=\"{:.2f}\" height=\"{:.0f}\" fill=\"{}\" stroke=\"#ffffff\" "
        "stroke-width=\"0.6\"><title>{}</title></rect>\n",
        from, at, to - from, box_height, fills[report_.part_of[task] % fills.size()][shade], html_escaped(title));
    const std::string words = report_.labels[task].substr(0, report_.labels[task].find(" ->"));
    if (to - from > 6.2 * static_cast<double>(characters(words)) + 8) {
      text_ += text_at((from + to) / 2, at + 24, "middle", 11, words);
    }
  }

  const ScheduleReport& report_;
  const NamedSchedule& shown_;
  double makespan_s_, left_, height_;
  std::string text_;
};

}  // namespace

std::string schedule_svg(const ScheduleReport& report) { return Drawing(report).svg(); }

std::string schedule_html(const ScheduleReport& report) {
  std::string rows;
  const NamedSchedule& shown = report.schedules[report.shown];
  for (const std::vector<std::size_t>& tasks : tasks_by_processor(report.tasks.graph, shown.schedule)) {
    for (const std::size_t task : tasks) {
      const TaskPlacement& place = shown.schedule.tasks[task];
      rows += "<tr>" + html_cell(html_escaped(report.accelerators[place.processor].name)) +
              html_cell(html_escaped(report.parts[report.part_of[task]])) +
              html_cell(html_escaped(report.labels[task])) +
              html_cell(fmt::format("{:.2f}", place.start_s * 1e6), true) +
              html_cell(fmt::format("{:.2f}", place.finish_s * 1e6), true) + "</tr>\n";
    }
  }
  const std::string body = "<div class=\"panel\">" + schedule_svg(report) +
                           "</div>\n<section>\n<h2>What runs when</h2>\n<div class=\"scroll\"><table><thead><tr>"
                           "<th>accelerator</th><th>network</th><th>layer</th><th class=\"n\">start (µs)</th>"
                           "<th class=\"n\">end (µs)</th></tr></thead><tbody>\n" +
                           rows + "</tbody></table></div>\n</section>\n";
  return html_page({"schedule", report.network + " on " + report.device, "", body,
                    ".panel svg { width: 100%; height: auto; display: block; }\n"});
}

}  // namespace ridgeline
