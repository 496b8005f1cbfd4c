// The archive of a quality-diversity search, from any stored study: the best candidate of each kind, and questions that
// it answers without searching again (Mouret and Clune, "Illuminating search spaces by mapping elites", 2015,
// arXiv:1504.04909; the QD score of Pugh, Soros and Stanley, "Quality Diversity: A New Frontier for Evolutionary
// Computation", 2016).
//
// Candidates are the feasible trials of the highest fidelity. A kind is a cell of a grid (search/evolution/
// elite_grid.hpp) over objectives, limits or dimensions of the space. Coverage is the share of cells that are filled;
// the QD score is the sum over filled cells of how much better their best is than the worst candidate of the study, so
// that every cell that is filled adds something. Values here are natural.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/report/report_text.hpp"
#include "experiments/report/report_units.hpp"
#include "experiments/resources.hpp"
#include "experiments/store/store.hpp"

namespace ridgeline {

struct ElitesOptions {
  std::string study{};
  // "latency_s=0:0.02:10" (from, to and number of cells; a range that is left out is that of the candidates, in 10
  // cells), "edge[0]". None: the descriptors of the study's own searcher, which is then map-elites.
  std::vector<std::string> by{};
  std::string score{};               // an objective that is optimised; empty: the first
  std::vector<std::string> where{};  // "latency_s<0.005", "edge[0]=skip_connect": all hold
  std::vector<std::string> near{};   // "latency_s=0.004": a value on some of the axes
};

// One axis of the grid as it is shown: objectives in ascending order of their natural values.
struct ElitesAxis {
  std::string name, label;
  bool by_value = false;
  UnitScale scale;                  // by value
  std::vector<double> bounds;       // by value: one more than cells
  std::vector<std::string> labels;  // one a cell
};

struct Elite {
  std::vector<std::size_t> place;  // one cell an axis, as they are shown
  std::int64_t trial = 0;
  double score = 0;
  std::vector<double> values;                                // one an objective
  Json genome;                                               // {"dimension": choice}
  std::vector<std::pair<std::string, std::string>> choices;  // the same, repeats joined
};

// What --where asks: the best of all candidates that meet the conditions, and where there is none the filled cell
// nearest to them. A condition on an objective is missed by the distance to its bound over the candidates' range, one
// on a dimension by 1; the nearest misses by the least sum.
struct ElitesAnswer {
  std::string asked;        // the conditions, joined
  std::size_t meeting = 0;  // candidates
  std::optional<Elite> best;
  std::optional<Elite> nearest;  // where there is no best
};

// What --near asks: the best of the cell there, and where it is empty of the filled cell nearest to it: by cells along
// the axes that were named, 1 between choices without an order; of equally near ones the better.
struct ElitesNeighbour {
  std::string asked;
  double distance = 0;  // in cells
  Elite elite;
};

struct ElitesReport {
  std::string study, database;
  std::vector<ReportObjective> objectives;
  std::size_t score = 0;  // index of objectives
  Fidelity fidelity = Fidelity::analytic;
  std::vector<ElitesAxis> axes;
  std::size_t cells = 0, candidates = 0;
  double worst = 0, qd_score = 0;
  std::vector<Elite> elites;  // one a filled cell, in the order of their places
  std::optional<ElitesAnswer> answer;
  std::optional<ElitesNeighbour> neighbour;

  double coverage() const { return static_cast<double>(elites.size()) / static_cast<double>(cells); }
};

// Throws ConfigError: no such study, one without a feasible trial, a space that has changed, no descriptors, and words
// of the options that name nothing or are no numbers.
ElitesReport elites_of(const Store& store, const Resources& resources, const ElitesOptions& options);

// The best of each cell along the first two axes, over all others: indices of elites, none where a cell is empty. Rows
// are the first axis; one column where there is no second.
std::vector<std::vector<std::optional<std::size_t>>> elites_table(const ElitesReport& report);

std::string elites_text(const ElitesReport& report, const TextStyle& style);
Json elites_json(const ElitesReport& report);
std::string elites_svg(const ElitesReport& report);   // a heat map of elites_table
std::string elites_html(const ElitesReport& report);  // with every elite in a table
// "accuracy 71.20 %, latency 4.10 ms", the score first.
std::string elite_values_text(const ElitesReport& report, const Elite& elite);
std::string elites_summary(const ElitesReport& report);  // two sentences

}  // namespace ridgeline
