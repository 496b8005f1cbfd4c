#include "experiments/report/report_html.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/report/report_assets.hpp"
#include "experiments/report/report_colours.hpp"
#include "experiments/report/report_markup.hpp"
#include "experiments/report/report_text.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t most_rows = 200;  // of the front's table; the picture and the CSV have them all

std::string figures(const StudyReport& report) {
  const std::int64_t trials = report.whole_trials();
  const std::int64_t ok = report.counts[static_cast<std::size_t>(Status::ok)];
  std::string html = html_figure(
      "Trials", grouped(trials),
      report.space_log10_size ? fmt::format("of {} candidates", size_text(*report.space_log10_size)) : std::string());
  if (!report.rungs.empty()) {
    html += html_figure("Work", fmt::format("{:.1f}", report.evaluations),
                        "whole evaluations, cheaper ones as their share");
  }
  const double share = trials > 0 ? static_cast<double>(ok) / static_cast<double>(trials) : 0.0;
  html += html_figure("Feasible", percent(share), fmt::format("{} trials", grouped(ok)));
  if (report.optimised.size() == 1 && !report.front.empty()) {
    const ReportObjective& objective = report.objectives[report.optimised[0]];
    html += html_figure("Best " + objective.label, objective.scale.text(report.front[0].values[report.optimised[0]]),
                        fmt::format("trial {}", report.front[0].trial));
  } else {
    html += html_figure("Front", grouped(static_cast<std::int64_t>(report.front.size())),
                        report.front.empty()
                            ? "no feasible candidate"
                            : fidelity_names()[static_cast<std::size_t>(report.front_fidelity)] + " values");
    const std::string value =
        report.hypervolume.empty() ? std::string("–") : fmt::format("{:.3f}", report.hypervolume.back().value);
    html += html_figure("Hypervolume", value, "share of the box from worst to best");
  }
  html += html_figure("Timings", grouped(report.timed), fmt::format("{} raw samples kept", grouped(report.samples)));
  return html;
}

// Where the objective was timed, a second cell: the latest interval, with the median where it is of a second timing.
std::string value_cells(const FrontMember& member, const ReportObjective& objective, std::size_t i, bool timed) {
  std::string html = html_cell(html_escaped(objective.scale.number(member.values[i])), true);
  if (!timed) return html;
  std::string latest;
  if (const std::optional<Interval>& interval = member.intervals[i]) {
    if (interval->again) latest = "<b>" + objective.scale.number(interval->median) + "</b> ";
    latest += objective.scale.number(interval->low) + " to " + objective.scale.number(interval->high);
  }
  if (member.tied[i]) {
    latest += "<span class=\"tie\" title=\"not distinguishable from another member: their intervals overlap\">≈</span>";
  }
  return html + "<td class=\"n ci\">" + latest + "</td>";
}

std::string genome_cell(const FrontMember& member) {
  const std::string summary = genome_text(member);
  std::string rows;
  for (const auto& [name, choices] : member.choices) {
    rows += fmt::format("<span>{}</span><span>{}</span>", html_escaped(name), html_escaped(choices));
  }
  if (summary.size() <= 60) return "<td class=\"wide\">" + html_escaped(summary) + "</td>";
  if (rows.empty()) rows = "<span>genes</span><span>" + html_escaped(summary) + "</span>";
  return fmt::format("<td class=\"wide\"><details><summary>{}</summary><div class=\"genome\">{}</div></details></td>",
                     html_escaped(shortened(summary, 64)), rows);
}

std::string front_table(const StudyReport& report) {
  if (report.front.empty()) return "";
  std::string html = "<div class=\"scroll\"><table><thead><tr><th class=\"n\">trial</th>";
  std::vector<bool> timed;  // has a column for its intervals
  for (std::size_t i = 0; i < report.objectives.size(); ++i) {
    const ReportObjective& objective = report.objectives[i];
    timed.push_back(std::any_of(report.front.begin(), report.front.end(),
                                [i](const FrontMember& member) { return member.intervals[i].has_value(); }));
    html += fmt::format("<th class=\"n\">{}</th>", html_escaped(objective.scale.heading(objective.label)));
    const bool again = std::any_of(report.front.begin(), report.front.end(), [i](const FrontMember& member) {
      return member.intervals[i] && member.intervals[i]->again;
    });
    if (timed[i]) html += fmt::format("<th class=\"n ci\">{}95 % interval</th>", again ? "measured again, " : "");
  }
  html += "<th class=\"wide\">genome</th></tr></thead><tbody>\n";
  const std::size_t shown = std::min(report.front.size(), most_rows);
  for (std::size_t k = 0; k < shown; ++k) {
    const FrontMember& member = report.front[k * report.front.size() / shown];
    html += "<tr>" + html_cell(std::to_string(member.trial), true);
    for (std::size_t i = 0; i < report.objectives.size(); ++i) {
      html += value_cells(member, report.objectives[i], i, timed[i]);
    }
    html += genome_cell(member) + "</tr>\n";
  }
  html += "</tbody></table></div>";
  if (shown < report.front.size()) {
    html += fmt::format("<p class=\"note\">{} of {} members, evenly spaced.</p>", shown, report.front.size());
  }
  return html;
}

std::string front_note(const StudyReport& report) {
  if (report.front.empty()) {
    return report.record.trials == 0 ? "No trial has been evaluated yet."
                                     : "No feasible candidate was found. What stood in the way is listed below.";
  }
  std::string note = "Hover a point for its genome. ";
  if (report.trials_with_values > static_cast<std::int64_t>(report.points.size())) {
    note += fmt::format("The picture shows {} of {} trials, every front member and an even share of the others. ",
                        grouped(static_cast<std::int64_t>(report.points.size())), grouped(report.trials_with_values));
  }
  std::string proxies;
  int proxy_count = 0;
  for (const ReportObjective& one : report.objectives) {
    if (!one.proxy) continue;
    proxies.append(proxy_count++ > 0 ? " and " : "").append(plain_name(one.objective.name, one.objective.unit));
  }
  if (proxy_count == 1) note += html_escaped(proxies) + " is a training-free proxy, not a trained accuracy. ";
  if (proxy_count > 1) note += html_escaped(proxies) + " are training-free proxies, not trained accuracies. ";
  const auto tied = [](const FrontMember& m) { return std::find(m.tied.begin(), m.tied.end(), true) != m.tied.end(); };
  if (std::any_of(report.front.begin(), report.front.end(), tied)) {
    note += "≈ marks a tie: the 95 % intervals of two members overlap.";
  }
  return note;
}

std::string error_rows(const PredictionError& error) {
  const auto rank = [](const std::optional<double>& value) {
    return value ? fmt::format("{:.4f}", *value) : std::string("undefined");
  };
  return html_fact("pairs", grouped(static_cast<std::int64_t>(error.pairs))) +
         html_fact("within ±5 %", percent(error.within_5)) + html_fact("within ±10 %", percent(error.within_10)) +
         html_fact("mean absolute error", percent(error.mape)) +
         html_fact("bias", fmt::format("{:+.1f} %", error.bias * 100)) + html_fact("worst", percent(error.worst)) +
         html_fact("Spearman", rank(error.spearman)) + html_fact("Kendall", rank(error.kendall));
}

std::string comparisons(const StudyReport& report) {
  std::string html;
  for (std::size_t i = 0; i < report.comparisons.size(); ++i) {
    const Comparison& one = report.comparisons[i];
    html += fmt::format(
        "<h3>{}: {} against {}</h3><div class=\"pair\"><div class=\"panel\"><div class=\"chart\" "
        "id=\"comparison-{}\" role=\"img\" aria-label=\"predicted against measured\"></div></div>"
        "<table class=\"facts\"><tbody>{}</tbody></table></div>\n",
        html_escaped(report.objectives[one.objective].label), html_escaped(one.predicted_by), html_escaped(one.against),
        i, error_rows(one.error));
  }
  if (html.empty()) {
    return "<p class=\"note\">No objective of this study was both predicted and measured, so there is nothing to "
           "compare.</p>";
  }
  return "<p class=\"note\">The dashed line is perfect agreement; the bands are ±5 % and ±10 % of the "
         "measurement.</p>" +
         html;
}

std::string limits(const StudyReport& report) {
  std::string rows;
  for (const ReportObjective& one : report.objectives) {
    if (!one.objective.limit) continue;
    rows += "<tr>" + html_cell(html_escaped(one.label)) +
            html_cell(fmt::format("{} {}", one.objective.direction == Direction::minimise ? "≤" : "≥",
                                  html_escaped(pretty(*one.objective.limit, one.objective.unit))),
                      true) +
            html_cell(grouped(one.broken), true) +
            html_cell(one.nearest ? html_escaped(pretty(*one.nearest, one.objective.unit)) : "–", true) + "</tr>\n";
  }
  if (rows.empty()) return "<p class=\"note\">No objective has a limit.</p>";
  return "<div class=\"scroll\"><table class=\"fit\"><thead><tr><th>limit on</th><th class=\"n\">limit</th><th "
         "class=\"n\">trials "
         "that break it</th><th class=\"n\">best value reached</th></tr></thead><tbody>" +
         rows + "</tbody></table></div>";
}

std::string reasons(const StudyReport& report) {
  if (report.reasons.empty()) return "<p class=\"note\">Every candidate was evaluated and kept every limit.</p>";
  std::string html =
      "<div class=\"scroll\"><table><thead><tr><th class=\"n\">trials</th><th class=\"wide\">reason</th><th>status</th>"
      "<th class=\"n\">for example</th></tr></thead><tbody>";
  for (const DeathReason& one : report.reasons) {
    html += "<tr>" + html_cell(grouped(one.trials), true) + "<td class=\"wide\">" +
            html_escaped(one.reason.empty() ? "–" : one.reason) + "</td>" +
            html_cell(status_names()[static_cast<std::size_t>(one.status)]) +
            html_cell(fmt::format("trial {}", one.example), true) + "</tr>\n";
  }
  html += "</tbody></table></div>";
  if (report.other_reasons > 0) {
    html +=
        fmt::format("<p class=\"note\">Another {} trials died of rarer reasons.</p>", grouped(report.other_reasons));
  }
  return html;
}

std::string protocol(const StudyReport& report) {
  std::string rows;
  for (const ReportObjective& one : report.objectives) {
    rows += html_fact(
        one.label, html_escaped(fmt::format("{}{}, {}", one.objective.constraint_only ? "limited only, " : "",
                                            one.objective.direction == Direction::minimise ? "minimised" : "maximised",
                                            one.origin)));
  }
  for (const std::string& one : report.protocols)
    rows += html_fact("timing protocol", html_escaped(protocol_text(one)));
  if (report.timed > 0) {
    rows += html_fact("interval", "95 %, distribution-free (order statistics) around the median of the raw samples");
  }
  for (const auto& [name, value] : environment_facts(report.environment)) rows += html_fact(name, html_escaped(value));
  return "<table class=\"facts\"><tbody>" + rows + "</tbody></table>";
}

std::string reproduce(const StudyReport& report) {
  const StudyRecord& record = report.record;
  std::string html = fmt::format("<pre>{}</pre>", html_escaped(record.command));
  std::string rows = html_fact("space", html_escaped(fmt::format("{} (fingerprint {})", record.space_name,
                                                                 hex64_text(record.space_fingerprint)))) +
                     html_fact("seed", std::to_string(record.seed)) +
                     html_fact("configuration hash", hex64_text(record.config_hash)) +
                     html_fact("program", html_escaped(record.program_version)) +
                     html_fact("started, last written", html_escaped(record.created_utc + ", " + record.updated_utc)) +
                     html_fact("state", html_escaped(record.state));
  html += "<table class=\"facts\"><tbody>" + rows + "</tbody></table>";
  const Json config = Json::parse(record.config, nullptr, false);
  html += fmt::format(
      "<details style=\"margin-top:14px\"><summary>Complete configuration</summary><pre "
      "class=\"long\">{}</pre></details>",
      html_escaped(config.is_discarded() ? record.config : config.dump(2)));
  return html;
}

Json chart_data(const StudyReport& report) {
  Json data;
  data["objectives"] = chart_objectives(report.objectives);
  data["optimised"] = report.optimised;
  data["front_label"] = report.optimised.size() == 1 ? "best" : "front";
  data["explain"] =
      fmt::format("ridgeline explain {} --db {}", shell_quoted(report.record.name), shell_quoted(report.database));
  data["dimension_names"] = report.dimension_names;
  data["dimension_choices"] = report.dimension_choices;
  data["colourings"] = Json::array();
  for (const Colouring& one : colourings(report.dimension_names, report.dimension_choices)) {
    data["colourings"].push_back({{"dimension", one.dimension},
                                  {"label", one.label},
                                  {"categories", one.categories},
                                  {"category_of", one.category_of}});
  }
  data["points"] = Json::array();
  for (const ReportPoint& p : report.points) {
    data["points"].push_back({p.trial, status_names()[static_cast<std::size_t>(p.status)],
                              fidelity_names()[static_cast<std::size_t>(p.fidelity)], p.on_front, p.genes, p.values});
  }
  data["intervals"] = Json::object();
  for (const FrontMember& member : report.front) {
    for (std::size_t i = 0; i < member.intervals.size(); ++i) {
      if (!member.intervals[i]) continue;
      const Interval& interval = *member.intervals[i];
      data["intervals"][std::to_string(member.trial)][std::to_string(i)] = {
          interval.low, interval.high, interval.again ? Json(interval.median) : Json()};
    }
  }
  data["hypervolume"] = Json::array();
  for (const HypervolumeStep& step : report.hypervolume) data["hypervolume"].push_back({step.evaluations, step.value});
  data["comparisons"] = Json::array();
  for (const Comparison& one : report.comparisons) {
    const UnitScale& scale = report.objectives[one.objective].scale;
    Json pairs = Json::array();
    for (const ComparedPair& pair : one.pairs) pairs.push_back({pair.trial, pair.predicted, pair.measured});
    data["comparisons"].push_back({{"objective", one.objective},
                                   {"predicted_heading", scale.heading(shortened(one.predicted_by, 44))},
                                   {"measured_heading", scale.heading(shortened(one.against, 44))},
                                   {"pairs", pairs}});
  }
  return data;
}

std::string warnings(const StudyReport& report) {
  std::string html;
  if (!report.space_problem.empty()) {
    html += "<p class=\"warn\">" + html_escaped("Genomes are shown as gene indices: " + report.space_problem) + "</p>";
  }
  if (report.record.state == "running" || report.record.state == "interrupted") {
    html += "<p class=\"warn\">This study has not finished: " + html_escaped(report.record.state) + ".</p>";
  }
  return html;
}

std::string progress_note(const StudyReport& report) {
  if (report.hypervolume.empty()) return "There is no feasible trial to show progress with.";
  if (report.optimised.size() == 1) return "The best feasible value after so many candidates.";
  std::string reference;
  for (std::size_t k = 0; k < report.optimised.size(); ++k) {
    const ReportObjective& one = report.objectives[report.optimised[k]];
    reference += (k > 0 ? ", " : "") + one.label + " " + one.scale.text(report.reference[k]);
  }
  return html_escaped(
      fmt::format("The share of the box between the worst and the best feasible values that the front dominates. "
                  "Reference point: {}; {:.6g} in the objectives' own units.",
                  reference, report.final_hypervolume));
}

}  // namespace

Json chart_objectives(std::span<const ReportObjective> objectives) {
  Json list = Json::array();
  for (const ReportObjective& one : objectives) {
    list.push_back({{"label", one.label},
                    {"heading", one.scale.heading(one.label)},
                    {"unit", one.scale.unit},
                    {"factor", one.scale.factor},
                    {"decimals", one.scale.decimals},
                    {"minimise", one.objective.direction == Direction::minimise},
                    {"limit", one.objective.limit ? Json(*one.objective.limit) : Json()}});
  }
  return list;
}

std::string report_footer(const std::string& program_version, const std::string& source) {
  return html_escaped(
      fmt::format("Made by Ridgeline {} from {}. Charts: Vega 5.22 (BSD-3-Clause), included in this file; nothing is "
                  "loaded from elsewhere.",
                  program_version, source));
}

std::string report_html(const StudyReport& report, const std::string& opening) {
  const bool single = report.optimised.size() == 1;
  const std::string front_heading = single ? "Candidates" : "Pareto front";
  const std::string progress_heading = single ? "Best value over evaluations" : "Hypervolume over evaluations";
  return filled_page(
      report_page,
      {
          {"title", html_escaped(report.record.name)},
          {"summary", html_escaped(summary_text(report))},
          {"warnings", warnings(report)},
          {"figures", figures(report)},
          {"opening", opening},
          {"front_heading", front_heading},
          {"front_panel", report.points.empty() ? "" : html_panel("front-chart", front_heading, "front-controls")},
          {"front_note", front_note(report)},
          {"front_table", front_table(report)},
          {"progress_heading", progress_heading},
          {"progress_panel", report.hypervolume.empty() ? "" : html_panel("progress-chart", progress_heading)},
          {"progress_note", progress_note(report)},
          {"comparisons", comparisons(report)},
          {"limits", limits(report)},
          {"reasons", reasons(report)},
          {"protocol", protocol(report)},
          {"reproduce", reproduce(report)},
          {"footer", report_footer(report.record.program_version, report.database)},
          {"data", script_safe(chart_data(report))},
          {"style", std::string(report_style)},
          {"vega", std::string(report_vega)},
          {"drawing", std::string(report_drawing)},
          {"charts", std::string(report_charts)},
      });
}

}  // namespace ridgeline
