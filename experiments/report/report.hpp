// What a report says about one study, computed once for every form it is written in (terminal, Markdown, CSV, JSON,
// HTML).
//
// Values here are natural (direction and SI unit as the user stated them), never the minimised ones of Trial::values.
// Invariants: `points` holds every front member; at most `most_points` points, thinned evenly by trial number so that
// the same study gives the same report; hypervolume steps ascend. Everything is a pure function of the input.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/report/front_history.hpp"
#include "experiments/report/prediction_error.hpp"
#include "experiments/report/report_units.hpp"
#include "experiments/resources.hpp"
#include "experiments/store/store.hpp"

namespace ridgeline {

struct ReportInput {
  StudyRecord record;
  std::vector<Trial> trials;  // the whole evaluations, in id order
  // Of a study with rungs: the cheaper evaluations, in id order; how many trials there are on each rung; and by id what
  // all trials up to and with it cost (cost_through). Empty without rungs.
  std::vector<Trial> cheaper{};
  std::vector<std::int64_t> rung_trials{};
  std::vector<double> spent{};
  std::vector<MeasurementRecord> measurements;
  std::optional<Environment> environment;
  const SearchSpace* space = nullptr;  // null: genomes are shown as gene indices, and `space_problem` says why
  std::string space_problem;
  std::string database;  // path, as the user named it
  Json searcher_notes;   // Searcher::notes(), null where it has none or cannot be made again
};

struct ReportOptions {
  std::size_t most_points = 20000;
  std::size_t most_steps = 400;
  std::size_t most_reasons = 15;
};

struct ReportObjective {
  Objective objective;
  std::string label;   // "latency", "entropy (training-free proxy)"
  std::string origin;  // where its values come from: "measured here (threads 1, cache hot)"
  bool proxy = false;
  UnitScale scale;  // over the front, or all trials where there is none
  // Limits only: how many trials with values break it, and the value nearest to keeping it (natural).
  std::int64_t broken = 0;
  std::optional<double> nearest;
};

// Of the latest timing of a trial: the one at the end where there is one, else the search's own.
struct Interval {
  double low, high;  // 95 %
  double median;
  bool again;  // measured again at the end; then `median` is not the value that the search went by
};

struct FrontMember {
  std::int64_t trial = 0;
  std::uint64_t function_hash = 0;
  std::vector<double> values;                                // one an objective
  std::vector<std::optional<Interval>> intervals;            // 95 %, where the value was measured
  std::vector<bool> tied;                                    // its interval overlaps another member's
  Json genome;                                               // {"dimension": choice}, or gene indices without a space
  std::vector<std::pair<std::string, std::string>> choices;  // the same, repeats joined: {"kernel", "3 5 · 7 7"}
};

struct ReportPoint {
  std::int64_t trial = 0;
  Status status = Status::ok;
  Fidelity fidelity = Fidelity::analytic;
  bool on_front = false;
  std::vector<double> values;
  std::string genes;  // "1.0..3": one index a dimension, nothing where inactive
};

struct ComparedPair {
  std::int64_t trial;
  double predicted, measured;  // natural
};

// One objective's predictions beside what was measured for the same trials.
struct Comparison {
  std::size_t objective = 0;
  std::string predicted_by;  // "cost model host.json", "measured during the search"
  std::string against;       // "measured during the search", "measured again at the end"
  std::vector<ComparedPair> pairs;
  PredictionError error;
};

// Evaluations on one rung (Trial::rung).
struct ReportRung {
  double cost = 1;  // of one, in whole evaluations
  std::int64_t trials = 0;
};

struct DeathReason {
  Status status;
  std::string reason;
  std::int64_t trials, example;
};

struct StudyReport {
  StudyRecord record;
  std::string database;
  std::string space_problem;
  std::optional<double> space_log10_size;
  std::vector<std::vector<std::string>>
      dimension_choices;                     // as printed; with `dimension_names`, to read ReportPoint::genes
  std::vector<std::string> dimension_names;  // as declared: repeats have the same name
  std::vector<ReportObjective> objectives;
  std::vector<std::size_t> optimised;    // indices of the objectives that are no mere constraints
  std::array<std::int64_t, 5> counts{};  // of whole trials by Status
  Fidelity front_fidelity = Fidelity::analytic;
  std::vector<FrontMember> front;  // by ascending first optimised value (minimised)
  std::vector<ReportPoint> points;
  std::int64_t trials_with_values = 0;  // points are a thinned view of these
  // A share of the box from the worst to the best feasible values; the best value so far with one objective.
  std::vector<HypervolumeStep> hypervolume;
  double final_hypervolume = 0;   // natural units' product, from `reference`
  std::vector<double> reference;  // natural, one an optimised objective: the worst feasible
  std::vector<Comparison> comparisons;
  std::vector<DeathReason> reasons;
  std::int64_t other_reasons = 0;  // trials behind the reasons cut off
  std::optional<Environment> environment;
  std::vector<std::string> protocols;   // distinct, canonical JSON
  std::int64_t timed = 0, samples = 0;  // measurements and raw samples in the database
  Json searcher_notes;                  // what the searcher knows of itself, as of its last checkpoint; may be null
  std::vector<ReportRung> rungs;        // whole evaluations first; empty where there are no cheaper ones
  double evaluations = 0;               // what all trials cost, in whole evaluations

  std::int64_t whole_trials() const { return rungs.empty() ? record.trials : rungs.front().trials; }
};

// Labels and origins of a study's objectives, without what needs trials.
std::vector<ReportObjective> described_objectives(const StudyRecord& record);

StudyReport make_report(ReportInput input, const ReportOptions& options = {});

// Reads everything from a store, with the space made again from the stored configuration. A space file that is gone or
// has changed since is no error: see ReportInput::space. Throws ConfigError for an unknown study name, listing the
// known ones; StoreError.
StudyReport report_of(const Store& store, const std::string& study, const Resources& resources,
                      const ReportOptions& options = {});

// The front alone, from the store's own index of it, without reading every trial: no points, counts or history.
// `fidelity`: the highest with a front where none is given. Throws as report_of.
StudyReport front_of(const Store& store, const std::string& study, const Resources& resources,
                     std::optional<Fidelity> fidelity = std::nullopt);

// {"kernel[0][1]": 3, ...} by dimension order with the repeats of a declared name joined, groups of an outer index set
// apart.
std::vector<std::pair<std::string, std::string>> grouped_choices(const SearchSpace& space, const Genome& genome);
std::string choice_text(const Json& choice);  // a string without its quotes, anything else as JSON

// "from" (or another key) of an objective or constraint in a study's canonical configuration; null where absent.
Json objective_source(const Json& config, const std::string& objective, const std::string& key = "from");
std::string source_text(
    const Json& source);  // "cost model host.json (roofline)", "table nasbench_macro, column accuracy"
bool is_proxy(const Json& source);

}  // namespace ridgeline
