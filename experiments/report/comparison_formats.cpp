#include "experiments/report/comparison_formats.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/report/report_formats.hpp"
#include "experiments/report/report_markup.hpp"

namespace ridgeline {
namespace {

// "1.34", or "1.34 ± 0.05" over several runs.
std::string spread_text(const Spread& spread, double factor, int decimals) {
  if (spread.count == 0) return "–";
  std::string text = fmt::format("{:.{}f}", spread.mean * factor, decimals);
  if (spread.deviation) text += fmt::format(" ± {:.{}f}", *spread.deviation * factor, decimals);
  return text;
}

std::string count_text(const Spread& spread) {
  const bool whole = !spread.deviation || *spread.deviation == 0.0;
  return whole ? grouped(static_cast<std::int64_t>(spread.mean)) : spread_text(spread, 1, 1);
}

std::string matched_text(const ComparisonReport& report, const ComparisonRow& row) {
  if (row.matched_share.count == 0) return "–";
  if (row.fronts.size() > 1) return spread_text(row.matched_share, 100, 0) + " %";
  const EqualQuality& equal = *report.table.fronts[row.fronts[0]].equal_quality;
  return fmt::format("{} of {}", equal.matched, equal.members);
}

std::string point_text(const ComparisonReport& report, const Point& point) {
  std::string text;
  for (std::size_t i = 0; i < point.size(); ++i) {
    const ReportObjective& one = report.objectives[i];
    text += fmt::format("{}{} {}", i > 0 ? ", " : "", one.label, one.scale.text(point[i]));
  }
  return text;
}

std::string box_note(const ComparisonReport& report) {
  const ComparisonBox& box = report.table.box;
  if (box.ideal.empty()) return "No front has a member, so there is nothing to compare.";
  return fmt::format(
      "Hypervolume in percent of the box from the ideal ({}) to the reference point ({}): the best and the worst of "
      "all "
      "fronts, the worst moved out by 10 % of the range.",
      point_text(report, box.ideal), point_text(report, box.reference));
}

std::string baseline_note(const ComparisonReport& report) {
  const std::string &quality = report.objectives[0].label, &cost = report.objectives[1].label;
  return fmt::format(
      "Baseline: {}. For each member of its front, its {} over the least {} with at least its {}: the geometric mean, "
      "the largest, and how many have one.",
      report.table.baseline, cost, cost, quality);
}

Json spread_json(const Spread& spread) {
  return {{"mean", spread.count > 0 ? Json(spread.mean) : Json()},
          {"deviation", spread.deviation ? Json(*spread.deviation) : Json()},
          {"count", spread.count}};
}

Json point_json(const ComparisonReport& report, const Point& point) {
  Json json = Json::object();
  for (std::size_t i = 0; i < point.size(); ++i) json[report.objectives[i].objective.name] = point[i];
  return json;
}

Json members_json(const ComparisonReport& report, const ComparedStudy& study) {
  Json list = Json::array();
  for (const ComparedMember& one : study.members) {
    list.push_back({{"trial", one.member.trial},
                    {"values", point_json(report, one.values)},
                    {"measured_again", one.again},
                    {"genome", one.member.genome}});
  }
  return list;
}

Json study_json(const ComparisonReport& report, std::size_t i) {
  const ComparedStudy& study = report.studies[i];
  const FrontFigures& figures = report.table.fronts[i];
  Json json{{"study", study.record.name},
            {"variant", study.variant},
            {"run", study.run},
            {"about", study.about},
            {"state", study.record.state},
            {"seed", study.record.seed},
            {"trials", study.record.trials},
            {"whole_evaluations", study.evaluations},
            {"fidelity", fidelity_names()[static_cast<std::size_t>(study.fidelity)]},
            {"members", figures.members},
            {"hypervolume", figures.hypervolume},
            {"front", members_json(report, study)},
            {"history", Json::array()}};
  for (const HypervolumeStep& step : study.history) {
    json["history"].push_back({{"evaluations", step.evaluations}, {"value", step.value}});
  }
  json["at_equal_quality"] = nullptr;
  if (figures.equal_quality) {
    const EqualQuality& equal = *figures.equal_quality;
    json["at_equal_quality"] = {{"baseline_members", equal.members},
                                {"matched", equal.matched},
                                {"mean_ratio", equal.mean ? Json(*equal.mean) : Json()},
                                {"largest_ratio", equal.largest ? Json(*equal.largest) : Json()}};
  }
  return json;
}

void add_csv(std::vector<std::string>& cells, const Spread& spread) {
  cells.push_back(spread.count > 0 ? exact_text(spread.mean) : "");
  cells.push_back(spread.deviation ? exact_text(*spread.deviation) : "");
}

}  // namespace

PrintedComparison printed_comparison(const ComparisonReport& report) {
  PrintedComparison printed;
  const bool variants = !report.studies.front().run.empty();
  printed.headings = {variants ? "variant" : "study"};
  if (report.grouped) printed.headings.emplace_back("runs");
  for (const char* heading : {"trials", "front", "hypervolume (%)"}) printed.headings.emplace_back(heading);
  const bool ratios = !report.table.baseline.empty();
  if (ratios) {
    const ReportObjective& cost = report.objectives[1];
    printed.headings.push_back(fmt::format(
        "{} at equal {}", cost.objective.unit == "s" ? "speed-up" : fmt::format("times less {}", cost.label),
        report.objectives[0].label));
    printed.headings.emplace_back("largest");
    printed.headings.emplace_back("baseline matched");
  }
  for (const ComparisonRow& row : report.table.rows) {
    std::vector<std::string> cells{row.variant};
    if (report.grouped) cells.push_back(std::to_string(row.fronts.size()));
    cells.push_back(count_text(row.trials));
    cells.push_back(count_text(row.members));
    cells.push_back(spread_text(row.hypervolume, 100, 1));
    if (ratios && row.variant == report.table.baseline) {
      for (const char* cell : {"baseline", "", ""}) cells.emplace_back(cell);
    } else if (ratios) {
      cells.push_back(spread_text(row.ratio, 1, 2));
      cells.push_back(spread_text(row.largest, 1, 2));
      cells.push_back(matched_text(report, row));
    }
    printed.rows.push_back(std::move(cells));
  }
  printed.notes.push_back(box_note(report));
  if (ratios && !report.table.box.ideal.empty()) printed.notes.push_back(baseline_note(report));
  if (report.grouped) printed.notes.emplace_back("Mean ± standard deviation over the runs.");
  printed.notes.insert(printed.notes.end(), report.notes.begin(), report.notes.end());
  return printed;
}

std::string comparison_text(const ComparisonReport& report, const TextStyle& style) {
  const PrintedComparison printed = printed_comparison(report);
  std::vector<TextTable::Column> columns;
  for (const std::string& heading : printed.headings) columns.push_back({heading, !columns.empty()});
  TextTable table(columns);
  for (const std::vector<std::string>& row : printed.rows) table.add(row);
  std::string text = table.text(style) + "\n";
  for (const std::string& note : printed.notes) text += note + "\n";
  return text;
}

std::string comparison_markdown(const ComparisonReport& report) {
  const PrintedComparison printed = printed_comparison(report);
  std::vector<std::string> header, rule;
  for (const std::string& heading : printed.headings) {
    rule.emplace_back(header.empty() ? ":--" : "--:");
    header.push_back(markdown_cell(heading));
  }
  std::string text = markdown_row(header) + markdown_row(rule);
  for (std::vector<std::string> row : printed.rows) {
    row.front() = markdown_cell(row.front());
    text += markdown_row(row);
  }
  for (const std::string& note : printed.notes) text += fmt::format("\n{}\n", markdown_cell(note));
  return text;
}

std::string comparison_csv(const ComparisonReport& report) {
  std::vector<std::string> header{"variant", "studies", "baseline"};
  for (const char* figure : {"trials", "members", "hypervolume", "mean_ratio", "largest_ratio", "matched_share"}) {
    header.emplace_back(figure);
    header.push_back(std::string(figure) + "_sd");
  }
  std::string text = csv_line(header);
  for (const ComparisonRow& row : report.table.rows) {
    std::vector<std::string> cells{row.variant, std::to_string(row.fronts.size()),
                                   row.variant == report.table.baseline ? "1" : "0"};
    for (const Spread* spread :
         {&row.trials, &row.members, &row.hypervolume, &row.ratio, &row.largest, &row.matched_share}) {
      add_csv(cells, *spread);
    }
    text += csv_line(cells);
  }
  return text;
}

Json comparison_json(const ComparisonReport& report) {
  Json json{{"ridgeline_comparison", 1}, {"database", report.database}, {"grouped", report.grouped}};
  json["objectives"] = Json::array();
  for (const ReportObjective& one : report.objectives) json["objectives"].push_back(objective_json(one.objective));
  json["ideal"] = point_json(report, report.table.box.ideal);
  json["reference"] = point_json(report, report.table.box.reference);
  json["baseline"] = report.table.baseline.empty() ? Json() : Json(report.table.baseline);
  json["rows"] = Json::array();
  for (const ComparisonRow& row : report.table.rows) {
    Json studies = Json::array();
    for (const std::size_t i : row.fronts) studies.push_back(report.studies[i].record.name);
    json["rows"].push_back({{"variant", row.variant},
                            {"studies", studies},
                            {"trials", spread_json(row.trials)},
                            {"members", spread_json(row.members)},
                            {"hypervolume", spread_json(row.hypervolume)},
                            {"mean_ratio", spread_json(row.ratio)},
                            {"largest_ratio", spread_json(row.largest)},
                            {"matched_share", spread_json(row.matched_share)}});
  }
  json["studies"] = Json::array();
  for (std::size_t i = 0; i < report.studies.size(); ++i) json["studies"].push_back(study_json(report, i));
  json["notes"] = report.notes;
  return json;
}

}  // namespace ridgeline
