// What a searcher says of itself (Searcher::notes()), as lines of a report.
#include <fmt/format.h>

#include <algorithm>

#include "experiments/report/report_text.hpp"

namespace ridgeline {
namespace {

// An error in the objective's unit; nothing where the notes have none.
std::string error_text(const Json& error, const ReportObjective& objective) {
  return error.is_number() ? pretty(error.get<double>(), objective.objective.unit) : "unknown";
}

std::string predictor_text(const Json& one, const std::vector<ReportObjective>& objectives) {
  const auto found = std::ranges::find_if(objectives, [&](const ReportObjective& objective) {
    return one.value("objective", Json()) == Json(objective.objective.name);
  });
  const auto trials = one.value("trials", std::int64_t{0});
  if (found == objectives.end()) return "";
  if (trials == 0) return fmt::format("{}: nothing was predicted yet\n", found->label);
  const std::string by = one.value("predicted_by", "");
  std::string text = fmt::format("{}: {} predictions made before the trial{}: mean error {}", found->label,
                                 grouped(trials), by.empty() ? "" : ", in the end by " + by,
                                 error_text(one.value("mean_absolute_error", Json()), *found));
  const Json share = one.value("mean_absolute_percentage_error", Json());
  if (share.is_number()) text += fmt::format(" ({:.3g} % of the value)", share.get<double>());
  const Json rank = one.value("spearman", Json());
  if (rank.is_number()) text += fmt::format(", Spearman {:.3f}", rank.get<double>());
  const Json rounds = one.value("rounds", Json::array());
  if (rounds.size() > 1) {
    text += fmt::format("; {} rounds ago {}, in the latest {}", rounds.size() - 1, error_text(rounds.front(), *found),
                        error_text(rounds.back(), *found));
  }
  return text + "\n";
}

// Of an outer search (search/staged/nested.hpp).
std::string outer_text(const Json& notes, const std::vector<ReportObjective>& objectives) {
  std::string text = fmt::format("{} proposed and searched on: {}", choice_text(notes.at("group")),
                                 choice_text(notes.value("searched", Json())));
  if (!notes.contains("best")) return text + "; nothing feasible yet\n";
  const std::string quality = choice_text(notes.value("quality", Json()));
  const auto found = std::ranges::find_if(
      objectives, [&](const ReportObjective& objective) { return objective.objective.name == quality; });
  std::vector<std::string> choices;
  for (const auto& [name, choice] : notes.at("best").items()) choices.push_back(name + " " + choice_text(choice));
  return text + fmt::format("; the best, {} {}: {}\n", quality,
                            pretty(notes.value("value", 0.0), found == objectives.end() ? "" : found->objective.unit),
                            fmt::join(choices, ", "));
}

std::string notes_text(const Json& notes, const std::vector<ReportObjective>& objectives) {
  if (!notes.is_object()) return "";
  std::string text;
  if (notes.contains("stage")) {
    text += fmt::format("stage: {}; architectures on the first stage's front: {}\n", choice_text(notes.at("stage")),
                        choice_text(notes.value("architectures", Json())));
  }
  if (notes.contains("group")) text += outer_text(notes, objectives);
  for (const Json& one : notes.value("predictors", Json::array())) text += predictor_text(one, objectives);
  return text + notes_text(notes.value("searcher", Json()), objectives);
}

}  // namespace

std::string searcher_notes_text(const StudyReport& report) {
  return notes_text(report.searcher_notes, report.objectives);
}

}  // namespace ridgeline
