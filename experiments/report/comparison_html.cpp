#include <fmt/format.h>

#include <algorithm>

#include "experiments/report/comparison_formats.hpp"
#include "experiments/report/report_assets.hpp"
#include "experiments/report/report_html.hpp"
#include "experiments/report/report_markup.hpp"

namespace ridgeline {
namespace {

std::string title(const ComparisonReport& report) {
  const std::string& first = report.studies.front().run;
  if (report.grouped) {
    return fmt::format("{} runs, {} variants", report.table.rows.front().fronts.size(), report.table.rows.size());
  }
  if (!first.empty()) return first + " and its variants";
  return fmt::format("{} studies side by side", report.studies.size());
}

std::string summary(const ComparisonReport& report) {
  std::string aims;
  for (const ReportObjective& one : report.objectives) {
    const bool least = one.objective.direction == Direction::minimise;
    aims += fmt::format("{}{} {}", aims.empty() ? "" : " and ", least ? "least" : "most", one.label);
  }
  const auto best =
      std::ranges::max_element(report.table.rows, {}, [](const ComparisonRow& row) { return row.hypervolume.mean; });
  return fmt::format("{} searches for {}. The largest hypervolume, {:.1f} %, is that of {}.", report.studies.size(),
                     aims, 100 * best->hypervolume.mean, best->variant);
}

std::string table(const PrintedComparison& printed) {
  std::string html = "<div class=\"scroll\"><table><thead><tr>";
  for (std::size_t i = 0; i < printed.headings.size(); ++i) {
    html += fmt::format("<th{}>{}</th>", i > 0 ? " class=\"n\"" : "", html_escaped(printed.headings[i]));
  }
  html += "</tr></thead><tbody>\n";
  for (const std::vector<std::string>& row : printed.rows) {
    html += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) html += html_cell(html_escaped(row[i]), i > 0);
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>";
}

std::string paragraphs(const std::vector<std::string>& notes) {
  std::string html;
  for (const std::string& note : notes) html += "<p class=\"note\">" + html_escaped(note) + "</p>\n";
  return html;
}

std::string front_section(const ComparisonReport& report) {
  if (report.objectives.size() < 2 || report.table.box.ideal.empty()) return "";
  std::string note = "Hover a mark for its trial and genome. ";
  if (report.measured_again) {
    note += "Marks stand where the timing at the end put them; a hollow one is behind another of its own front there. ";
  }
  if (report.grouped) note += "Every run has its own line.";
  return "<section>\n<h2>Fronts</h2>\n<p class=\"note\">" + note + "</p>\n" +
         html_panel("front-chart", "all fronts", "front-controls") + "</section>";
}

std::string progress_note(const ComparisonReport& report) {
  std::string note =
      "The share of the common box that the front dominates after so many evaluated candidates; the axis leaves out "
      "what "
      "was there within the first tenth. ";
  if (report.measured_again) {
    note +=
        "Within a search nothing is measured twice: this chart, and its box, are of the searches' own values, so that "
        "its ends differ from the table. ";
  }
  if (report.grouped) note += "Lines are means over the runs, bands one standard deviation.";
  return note;
}

std::string searcher_of(const StudyRecord& record) {
  const Json config = Json::parse(record.config, nullptr, false);
  if (!config.is_object() || !config.contains("searcher")) return "";
  return config["searcher"].is_object() ? choice_text(config["searcher"].value("name", Json(""))) : "";
}

std::string studies(const ComparisonReport& report) {
  std::string html = "<div class=\"scroll\"><table><thead><tr>";
  for (const char* heading : {"study", "space", "searcher", "seed", "state", "values"}) {
    html += fmt::format("<th>{}</th>", heading);
  }
  html += "<th class=\"wide\">about</th></tr></thead><tbody>\n";
  for (const ComparedStudy& one : report.studies) {
    html += "<tr>" + html_cell(html_escaped(one.record.name)) + html_cell(html_escaped(one.record.space_name)) +
            "<td style=\"white-space: nowrap\">" + html_escaped(searcher_of(one.record)) + "</td>" +
            html_cell(std::to_string(one.record.seed)) + html_cell(html_escaped(one.record.state)) +
            html_cell(fidelity_names()[static_cast<std::size_t>(one.fidelity)]) + "<td class=\"wide\">" +
            html_escaped(one.about) + "</td></tr>\n";
  }
  html += "</tbody></table></div>\n<details style=\"margin-top:14px\"><summary>Commands</summary><pre>";
  std::vector<std::string> commands;
  for (const ComparedStudy& one : report.studies) {
    if (std::ranges::find(commands, one.record.command) == commands.end()) commands.push_back(one.record.command);
  }
  for (const std::string& command : commands) html += html_escaped(command) + "\n";
  return html + "</pre></details>";
}

Json chart_data(const ComparisonReport& report) {
  Json data{{"objectives", chart_objectives(report.objectives)},
            {"grouped", report.grouped},
            {"rows", Json::array()},
            {"studies", Json::array()},
            {"means", Json::array()}};
  std::vector<std::size_t> row_of(report.studies.size());
  for (std::size_t r = 0; r < report.table.rows.size(); ++r) {
    const ComparisonRow& row = report.table.rows[r];
    data["rows"].push_back(row.variant);
    std::vector<std::vector<HypervolumeStep>> histories;
    for (const std::size_t i : row.fronts) {
      row_of[i] = r;
      histories.push_back(report.studies[i].history);
    }
    Json steps = Json::array();
    for (const MeanStep& step : mean_history(histories)) {
      steps.push_back({step.evaluations, step.mean, step.deviation.value_or(0.0)});
    }
    data["means"].push_back({{"row", r}, {"steps", std::move(steps)}});
  }
  for (std::size_t i = 0; i < report.studies.size(); ++i) {
    Json members = Json::array();
    for (const ComparedMember& one : report.studies[i].members) {
      Json choices = Json::array();
      for (const auto& [name, choice] : one.member.choices) choices.push_back({name, choice});
      if (choices.empty()) choices.push_back({"genes", one.member.genome.dump()});
      members.push_back(
          {{"trial", one.member.trial}, {"values", one.values}, {"again", one.again}, {"choices", std::move(choices)}});
    }
    data["studies"].push_back(
        {{"name", report.studies[i].record.name}, {"row", row_of[i]}, {"members", std::move(members)}});
  }
  return data;
}

}  // namespace

std::string comparison_html(const ComparisonReport& report) {
  const PrintedComparison printed = printed_comparison(report);
  const bool any = !report.table.box.ideal.empty();
  return filled_page(report_comparison_page,
                     {
                         {"title", html_escaped(title(report))},
                         {"summary", html_escaped(any ? summary(report) : "No search found a feasible candidate.")},
                         {"table", table(printed)},
                         {"notes", paragraphs(printed.notes)},
                         {"front_section", front_section(report)},
                         {"progress_note", progress_note(report)},
                         {"progress_panel", any ? html_panel("progress-chart", "hypervolume over evaluations") : ""},
                         {"studies", studies(report)},
                         {"footer", report_footer(report.studies.front().record.program_version, report.database)},
                         {"data", script_safe(chart_data(report))},
                         {"style", std::string(report_style)},
                         {"vega", std::string(report_vega)},
                         {"drawing", std::string(report_drawing)},
                         {"charts", std::string(report_comparison_charts)},
                     });
}

}  // namespace ridgeline
