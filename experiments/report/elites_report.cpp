// The archive as text and JSON.
#include <fmt/format.h>

#include <algorithm>

#include "experiments/report/elites.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t most_columns = 12;  // of a grid in text
constexpr std::size_t most_rows = 60;

std::string choices_text(const Elite& elite) {
  std::string text;
  for (const auto& [name, choices] : elite.choices) text += (text.empty() ? "" : ", ") + name + " " + choices;
  return text;
}

// The score of each cell along the first two axes.
std::string grid_text(const ElitesReport& report, const TextStyle& style) {
  const ElitesAxis& rows = report.axes[0];
  const ElitesAxis& across = report.axes[1];
  const UnitScale& scale = report.objectives[report.score].scale;
  std::vector<TextTable::Column> columns{{rows.scale.heading(rows.label), false}};
  for (const std::string& label : across.labels) columns.push_back({label, true});
  TextTable table(std::move(columns));
  const auto cells = elites_table(report);
  for (std::size_t i = cells.size(); i-- > 0;) {  // as in the picture: large values on top
    std::vector<std::string> row{rows.labels[i]};
    for (const auto& cell : cells[i]) row.push_back(cell ? scale.number(report.elites[*cell].score) : "");
    table.add(std::move(row));
  }
  return fmt::format("{} by {} (down) and {} (across){}\n", scale.heading(report.objectives[report.score].label),
                     rows.scale.heading(rows.label), across.scale.heading(across.label),
                     report.axes.size() > 2 ? ", the best over the other axes" : "") +
         table.text(style);
}

std::string list_text(const ElitesReport& report, const TextStyle& style) {
  std::vector<TextTable::Column> columns;
  for (const ElitesAxis& axis : report.axes) columns.push_back({axis.scale.heading(axis.label), false});
  for (const ReportObjective& one : report.objectives) columns.push_back({one.scale.heading(one.label), true});
  columns.push_back({"trial", true});
  TextTable table(std::move(columns));
  for (std::size_t i = 0; i < std::min(most_rows, report.elites.size()); ++i) {
    const Elite& elite = report.elites[i];
    std::vector<std::string> row;
    for (std::size_t a = 0; a < report.axes.size(); ++a) row.push_back(report.axes[a].labels[elite.place[a]]);
    for (std::size_t k = 0; k < report.objectives.size(); ++k) {
      row.push_back(report.objectives[k].scale.number(elite.values[k]));
    }
    row.push_back(std::to_string(elite.trial));
    table.add(std::move(row));
  }
  const std::size_t left = report.elites.size() - std::min(most_rows, report.elites.size());
  return table.text(style) + (left > 0 ? fmt::format("... and {} more, all of them with --json\n", left) : "");
}

std::string elite_text(const ElitesReport& report, const Elite& elite) {
  return fmt::format("trial {}: {}\n  {}\n", elite.trial, elite_values_text(report, elite), choices_text(elite));
}

std::string answers_text(const ElitesReport& report) {
  std::string text;
  if (const auto& answer = report.answer) {
    if (answer->best) {
      text += fmt::format("\nbest of {} with {}\n  {}", grouped(static_cast<std::int64_t>(answer->meeting)),
                          answer->asked, elite_text(report, *answer->best));
    } else {
      text += fmt::format("\nnone with {}; the nearest filled cell\n  {}", answer->asked,
                          elite_text(report, *answer->nearest));
    }
  }
  if (const auto& neighbour = report.neighbour) {
    const std::string where =
        neighbour->distance == 0.0
            ? "the best there"
            : fmt::format("nothing there; the nearest filled cell, {:.3g} away", neighbour->distance);
    text += fmt::format("\n{}: {}\n  {}", neighbour->asked, where, elite_text(report, neighbour->elite));
  }
  return text;
}

Json elite_json(const ElitesReport& report, const Elite& elite) {
  Json values = Json::object();
  for (std::size_t i = 0; i < report.objectives.size(); ++i) {
    values[report.objectives[i].objective.name] = elite.values[i];
  }
  return {{"trial", elite.trial},
          {"score", elite.score},
          {"cell", elite.place},
          {"values", std::move(values)},
          {"genome", elite.genome}};
}

}  // namespace

std::string elite_values_text(const ElitesReport& report, const Elite& elite) {
  const auto text = [&](std::size_t i) {
    const ReportObjective& one = report.objectives[i];
    return one.label + " " + one.scale.text(elite.values[i]);
  };
  std::string all = text(report.score);
  for (std::size_t i = 0; i < report.objectives.size(); ++i) {
    if (i != report.score) all += ", " + text(i);
  }
  return all;
}

std::string elites_summary(const ElitesReport& report) {
  const ReportObjective& score = report.objectives[report.score];
  return fmt::format(
      "{} of {} cells hold a candidate ({}), of {} feasible trials ({} values). QD score {}: how much "
      "better the {} of each is than the worst, {}, summed.",
      grouped(static_cast<std::int64_t>(report.elites.size())), grouped(static_cast<std::int64_t>(report.cells)),
      percent(report.coverage()), grouped(static_cast<std::int64_t>(report.candidates)),
      fidelity_names()[static_cast<std::size_t>(report.fidelity)], pretty(report.qd_score, score.objective.unit),
      score.label, score.scale.text(report.worst));
}

std::string elites_text(const ElitesReport& report, const TextStyle& style) {
  const bool grid = report.axes.size() > 1 && report.axes[1].labels.size() <= most_columns;
  return elites_summary(report) + "\n\n" + (grid ? grid_text(report, style) : list_text(report, style)) +
         answers_text(report);
}

Json elites_json(const ElitesReport& report) {
  Json json{{"ridgeline_elites", 1},
            {"study", report.study},
            {"score", report.objectives[report.score].objective.name},
            {"fidelity", fidelity_names()[static_cast<std::size_t>(report.fidelity)]},
            {"candidates", report.candidates},
            {"cells", report.cells},
            {"filled", report.elites.size()},
            {"coverage", report.coverage()},
            {"qd_score", report.qd_score},
            {"worst", report.worst},
            {"axes", Json::array()},
            {"elites", Json::array()}};
  for (const ElitesAxis& axis : report.axes) {
    json["axes"].push_back({{"name", axis.name}, {"cells", axis.labels.size()}});
    if (axis.by_value) {
      json["axes"].back()["bounds"] = axis.bounds;
    } else {
      json["axes"].back()["choices"] = axis.labels;
    }
  }
  for (const Elite& elite : report.elites) json["elites"].push_back(elite_json(report, elite));
  if (const auto& answer = report.answer) {
    json["where"] = {{"asked", answer->asked},
                     {"meeting", answer->meeting},
                     {"best", answer->best ? elite_json(report, *answer->best) : Json()},
                     {"nearest", answer->nearest ? elite_json(report, *answer->nearest) : Json()}};
  }
  if (const auto& neighbour = report.neighbour) {
    json["near"] = {{"asked", neighbour->asked},
                    {"distance", neighbour->distance},
                    {"elite", elite_json(report, neighbour->elite)}};
  }
  return json;
}

}  // namespace ridgeline
