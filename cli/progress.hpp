// How far something is. `ProgressLine`, for a search: a bar on a terminal, a line now and then elsewhere. Written to
// standard error, so that results can be piped.
#pragma once

#include <chrono>
#include <string>

#include "experiments/study/study.hpp"

namespace ridgeline {

class ProgressLine {
 public:
  enum class Form : std::uint8_t { none, bar, lines };

  // `heading`: stands before everything, where there are several searches.
  ProgressLine(Form form, bool unicode, Objective first, std::string heading = "")
      : form_(form), unicode_(unicode), first_(std::move(first)), heading_(std::move(heading)) {}
  ~ProgressLine() { finish(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const StudyProgress& progress);
  void finish();  // leaves the terminal at the start of a line

 private:
  std::string text(const StudyProgress& progress) const;

  Form form_;
  bool unicode_;
  Objective first_;
  std::string heading_;
  double first_evaluations_ = -1;  // at the first call: what was resumed says nothing about the rate
  double first_s_ = 0;
  std::size_t drawn_ = 0;  // characters on the bar's line
  std::chrono::steady_clock::time_point last_{};
};

// Phase and share done, on one line of a terminal; elsewhere a line a phase. Nothing is shown before `quiet_s` seconds:
// what is done by then needs no progress.
class PhaseLine {
 public:
  PhaseLine(bool shown, bool rewritten, double quiet_s = 0) : shown_(shown), rewritten_(rewritten), quiet_s_(quiet_s) {}
  ~PhaseLine();
  PhaseLine(const PhaseLine&) = delete;
  PhaseLine& operator=(const PhaseLine&) = delete;

  void show(const std::string& phase, std::size_t done, std::size_t total);

 private:
  bool shown_, rewritten_, open_ = false;
  double quiet_s_;
  std::string last_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace ridgeline
