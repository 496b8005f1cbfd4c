// Where and when the layers of one network or several run on a heterogeneous device, for people and programs: schedules
// beside each other, the layers as a table, a Gantt chart as text and as SVG.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/report/report_text.hpp"
#include "hwmodels/scheduling/exact_schedule.hpp"
#include "hwmodels/scheduling/heterogeneous_model.hpp"
#include "hwmodels/scheduling/replay.hpp"
#include "spaces/json_reader.hpp"

namespace ridgeline {

struct NamedSchedule {
  std::string name;  // "heft", "exact", "one accelerator"
  TaskSchedule schedule;
  Cost cost;
  std::optional<NoisyMakespan> noisy{};
};

struct ScheduleReportOptions {
  std::string solver = "exact";  // whose schedule is listed and drawn
  ScheduleEffort effort{};
  double noise = 0.0;  // above 0: every schedule is also carried out with times that are so far off
  std::size_t runs = 100;
  std::uint64_t seed = 1;
};

struct ScheduleReport {
  std::string network, device;
  std::vector<SubAccelerator> accelerators;
  std::vector<std::string> parts;    // the networks
  std::vector<std::size_t> part_of;  // of each layer
  std::vector<std::string> labels;   // of each layer
  LayerTasks tasks;
  double noise = 0;  // as asked for
  std::size_t runs = 0;
  std::vector<NamedSchedule> schedules;  // those there are of: one accelerator, heft, exact
  double bound_s = 0;                    // no schedule is shorter
  bool optimal = false;                  // exact's is proved shortest
  double gap = 0;
  std::size_t states = 0, shown = 0;  // looked at by exact; which schedule is listed and drawn
};

std::span<const std::string> schedule_solver_names();  // "exact", "heft"

// Throws ConfigError where a layer runs on no accelerator.
ScheduleReport schedule_report(const Design& design, const std::string& name, const HeterogeneousModel& model,
                               const ScheduleReportOptions& options = {});

// How much longer than the proved bound one of its schedules is at most, of the bound; or that none is shorter.
std::string proof_text(const ScheduleReport& report, const NamedSchedule& one);

// A row of characters for each accelerator, so many wide: a letter a network, small and capital in turn from layer to
// layer, and a point where nothing runs.
std::vector<std::string> gantt_rows(const ScheduleReport& report, std::size_t columns);

std::string schedule_text(const ScheduleReport& report, const TextStyle& style);
Json schedule_json(const ScheduleReport& report);
std::string schedule_svg(const ScheduleReport& report);   // a drawing of its own
std::string schedule_html(const ScheduleReport& report);  // a page with the drawing and the layers

}  // namespace ridgeline
