#include "cli/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "experiments/report/report_text.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t bar_width = 24;

std::string bar(double share, bool unicode) {
  const auto full = static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * bar_width);
  std::string text = unicode ? "" : "[";
  for (std::size_t i = 0; i < bar_width; ++i) text += i < full ? (unicode ? "█" : "#") : (unicode ? "░" : "-");
  return text + (unicode ? "" : "]");
}

}  // namespace

std::string ProgressLine::text(const StudyProgress& progress) const {
  const double seconds = progress.elapsed_s - first_s_;
  // The first trials are those that die before they are timed, and say nothing about the others.
  const double rate = seconds >= 1.0 ? (progress.evaluations - first_evaluations_) / seconds : 0.0;
  const bool rungs = progress.evaluations != static_cast<double>(progress.trials);
  std::string line =
      rungs ? fmt::format("{:.1f}/{} evaluations, {} trials", progress.evaluations, progress.budget, progress.trials)
            : fmt::format("{}/{} trials", progress.trials, progress.budget);
  if (progress.best != nullptr && progress.best->has_values()) {
    const std::string label = plain_name(first_.name, first_.unit);
    line +=
        fmt::format(", best {} {}", label, pretty(natural(progress.best->values[0], first_.direction), first_.unit));
    line += fmt::format(", front {}", progress.front_size);
  }
  if (rate > 0) {
    line += fmt::format(", {:.{}f}/s", rate, rate < 10 ? 1 : 0);
    const double left = static_cast<double>(progress.budget) - progress.evaluations;
    if (left > 0) line += fmt::format(", {} left", duration(left / rate));
  }
  return line;
}

void ProgressLine::show(const StudyProgress& progress) {
  if (form_ == Form::none) return;
  if (first_evaluations_ < 0) {
    first_evaluations_ = progress.evaluations;
    first_s_ = progress.elapsed_s;
  }
  if (form_ == Form::lines && progress.trials == 0) return;
  const auto now = std::chrono::steady_clock::now();
  const auto pause = form_ == Form::bar ? std::chrono::milliseconds(100) : std::chrono::seconds(5);
  const bool last = progress.evaluations >= static_cast<double>(progress.budget) - 1e-6;
  if (now - last_ < pause && !(last && form_ == Form::bar)) return;
  last_ = now;
  std::string line = text(progress);
  if (form_ == Form::bar) {
    const double share = progress.budget > 0 ? progress.evaluations / static_cast<double>(progress.budget) : 0;
    line = bar(share, unicode_) + " " + line;
  }
  if (!heading_.empty()) line = heading_ + ": " + line;
  if (!unicode_) line = ascii_text(line);
  const std::size_t size = characters(line);
  if (form_ == Form::bar) {
    line = "\r" + line + std::string(drawn_ > size ? drawn_ - size : 0, ' ');
    drawn_ = size;
  } else {
    line += "\n";
  }
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

void ProgressLine::finish() {
  if (drawn_ > 0) std::fputc('\n', stderr);
  drawn_ = 0;
}

PhaseLine::~PhaseLine() {
  if (open_) std::fputc('\n', stderr);
}

void PhaseLine::show(const std::string& phase, std::size_t done, std::size_t total) {
  if (!shown_) return;
  if (std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count() < quiet_s_) return;
  std::string line;
  if (rewritten_) {
    const double share = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0.0;
    line = fmt::format("\r{:<40} {:>5.1f} %", phase, 100.0 * share);
    open_ = true;
  } else if (phase != last_) {
    line = phase + "\n";
  }
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
  last_ = phase;
}

}  // namespace ridgeline
