// The memory plan as SVG: a rectangle a buffer, from its first to its last step and from its offset upwards.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "experiments/report/memory_report.hpp"
#include "experiments/report/report_markup.hpp"
#include "experiments/report/report_units.hpp"

namespace ridgeline {
namespace {

constexpr double width = 1120, height = 620, left = 92, right = 24, top = 92, bottom = 74;
// By MemoryBuffer::Role, light enough for dark text.
constexpr std::array<const char*, 5> fills{"#a9c8e8", "#bfe0b5", "#f7c99b", "#e6b8d8", "#c9c9c9"};

std::string text_at(double x, double y, std::string_view anchor, double size, const std::string& words,
                    std::string_view more = {}) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" font-size=\"{}\"{}>{}</text>\n", x, y, anchor,
                     size, more, html_escaped(words));
}

// 1, 2 or 5 times a power of ten, about a sixth of the range.
double tick_step(double range) {
  const double rough = std::max(range / 6, 1.0), power = std::pow(10.0, std::floor(std::log10(rough)));
  const double lead = rough / power;
  return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
}

class Drawing {
 public:
  explicit Drawing(const MemoryReport& report)
      : report_(report),
        steps_(std::max<std::size_t>(report.steps.size(), 1)),
        most_(static_cast<double>(std::max<std::int64_t>(report.layout.plan.arena_bytes, 1))) {
    const auto sram = static_cast<double>(report.sram_bytes - report.reserved_bytes);
    if (sram > 0 && sram < 2.5 * most_) most_ = std::max(most_, sram);
    most_ *= 1.06;
  }

  std::string svg() {
    text_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
        "font-family=\"system-ui, sans-serif\" fill=\"#1c1c1c\">\n<rect width=\"100%\" height=\"100%\" "
        "fill=\"#ffffff\"/>\n",
        width, height);
    heading();
    stage();
    axes();
    for (std::size_t i = 0; i < report_.layout.buffers.size(); ++i) buffer(i);
    line(report_.layout.plan.arena_bytes, "#b3261e", "peak");
    if (report_.layout.plan.lower_bound_bytes != report_.layout.plan.arena_bytes) {
      line(report_.layout.plan.lower_bound_bytes, "#555555", "lower bound");
    }
    if (report_.sram_bytes > 0) line(report_.sram_bytes - report_.reserved_bytes, "#1b5e9e", "SRAM left of reserved");
    legend();
    return text_ + "</svg>\n";
  }

 private:
  double x(double step) const { return left + (width - left - right) * step / static_cast<double>(steps_); }
  double y(double bytes) const { return height - bottom - (height - top - bottom) * bytes / most_; }

  void heading() {
    const MemoryPlan& plan = report_.layout.plan;
    text_ += text_at(left, 30, "start", 18, report_.network + ": activations in memory", " font-weight=\"600\"");
    std::string words = fmt::format("peak {} B", grouped(plan.arena_bytes));
    words += plan.optimal ? ", no plan is smaller" : fmt::format(", at least {} B", grouped(plan.lower_bound_bytes));
    if (report_.layout.patches) {
      words += fmt::format("; {0} layers on a grid of {1} x {1}: {2:.2f} times less than whole, {3:.2f} % more MACs",
                           report_.layout.patches->schedule.layers, report_.layout.patches->schedule.grid,
                           static_cast<double>(*report_.whole_arena_bytes) / static_cast<double>(plan.arena_bytes),
                           100.0 * static_cast<double>(report_.layout.extra_macs) /
                               static_cast<double>(std::max<std::int64_t>(report_.layout.macs, 1)));
    }
    text_ += text_at(left, 52, "start", 13, words, " fill=\"#444444\"");
  }

  void stage() {
    if (!report_.layout.patches) return;
    const auto end = static_cast<double>(report_.layout.patches->schedule.layers);
    text_ += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"#fff4e3\"/>\n",
                         x(0), top, x(end) - x(0), height - top - bottom);
    text_ += text_at(x(end / 2), top - 4, "middle", 12, "once a patch", " fill=\"#8a5a00\"");
  }

  void axes() {
    const double every = tick_step(most_);
    for (double bytes = 0; bytes <= most_; bytes += every) {
      text_ += fmt::format(
          "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#dddddd\" stroke-width=\"1\"/>\n",
          left, y(bytes), width - right, y(bytes));
      text_ += text_at(left - 8, y(bytes) + 4, "end", 12, grouped(static_cast<std::int64_t>(bytes)));
    }
    const std::size_t each = std::max<std::size_t>(1, steps_ / 24);
    for (std::size_t step = 0; step < steps_; step += each) {
      text_ += text_at(x(static_cast<double>(step) + 0.5), height - bottom + 18, "middle", 12, std::to_string(step));
    }
    text_ += text_at((left + width - right) / 2, height - bottom + 38, "middle", 13, "step (executed layer)");
    text_ += fmt::format("<g transform=\"translate(18,{:.1f}) rotate(-90)\">{}</g>\n", (top + height - bottom) / 2,
                         text_at(0, 0, "middle", 13, "address (bytes)"));
  }

  void buffer(std::size_t i) {
    const MemoryBuffer& one = report_.layout.buffers[i];
    const auto offset = static_cast<double>(report_.layout.plan.offsets_bytes[i]);
    const auto bytes = static_cast<double>(one.life.bytes);
    const double from = x(static_cast<double>(one.life.first_step)),
                 to = x(static_cast<double>(one.life.last_step) + 1);
    const double high = y(offset + bytes), low = y(offset);
    text_ += fmt::format(
        "<rect x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\" fill=\"{}\" stroke=\"#ffffff\" "
        "stroke-width=\"0.8\"><title>{}</title></rect>\n",
        from, high, to - from, low - high, fills[static_cast<std::size_t>(one.role)],
        html_escaped(fmt::format("{}: {} B at {}, steps {} to {}", report_.buffers[i], grouped(one.life.bytes),
                                 grouped(report_.layout.plan.offsets_bytes[i]), one.life.first_step,
                                 one.life.last_step)));
    label(one.role == MemoryBuffer::Role::workspace ? "" : report_.buffers[i], from, to, high, low);
  }

  // Lying where that fits, else standing, else not at all.
  void label(std::string words, double from, double to, double high, double low) {
    words = words.substr(0, words.find(','));
    if (const std::size_t of = words.find(" of "); of != std::string::npos) words = words.substr(of + 4);
    const double length = 6.6 * static_cast<double>(characters(words)), middle = (from + to) / 2;
    if (to - from > length && low - high > 13) {
      text_ += text_at(middle, (high + low) / 2 + 4, "middle", 11, words);
    } else if (low - high > length && to - from > 13) {
      text_ += fmt::format("<g transform=\"translate({:.1f},{:.1f}) rotate(-90)\">{}</g>\n", middle + 4,
                           (high + low) / 2, text_at(0, 0, "middle", 11, words));
    }
  }

  void line(std::int64_t bytes, const char* colour, const std::string& words) {
    const double at = y(static_cast<double>(bytes));
    if (at < top - 4) return;  // far above what is drawn
    text_ += fmt::format(
        "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" stroke-width=\"1.5\" "
        "stroke-dasharray=\"6 4\"/>\n",
        left, at, width - right, at, colour);
    text_ += text_at(width - right - 4, at - 5, "end", 12, fmt::format("{}: {} B", words, grouped(bytes)),
                     fmt::format(" fill=\"{}\"", colour));
  }

  void legend() {
    double at = left;
    for (std::size_t role = 0; role < fills.size(); ++role) {
      const bool used = std::ranges::any_of(
          report_.layout.buffers, [&](const MemoryBuffer& one) { return static_cast<std::size_t>(one.role) == role; });
      if (!used) continue;
      const std::string& name = memory_role_names()[role];
      text_ += fmt::format("<rect x=\"{:.1f}\" y=\"64\" width=\"14\" height=\"14\" fill=\"{}\"/>\n", at, fills[role]);
      text_ += text_at(at + 20, 76, "start", 12, name);
      at += 46 + 7 * static_cast<double>(name.size());
    }
  }

  const MemoryReport& report_;
  std::size_t steps_;
  double most_;  // bytes at the upper edge
  std::string text_;
};

}  // namespace

std::string memory_svg(const MemoryReport& report) { return Drawing(report).svg(); }

}  // namespace ridgeline
