#include "experiments/report/report_formats.hpp"

#include <fmt/format.h>

#include <set>

#include "experiments/report/report_markup.hpp"
#include "experiments/report/report_text.hpp"
#include "experiments/store/environment_json.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
std::string trials_csv(const StudyReport& report, const std::vector<Trial>& trials, const SearchSpace* space) {
  std::set<std::int64_t> front;
  for (const FrontMember& member : report.front) front.insert(member.trial);
  std::vector<std::string> header{"trial", "status", "fidelity", "front"};
  for (const ReportObjective& one : report.objectives) header.push_back(one.objective.name);
  header.emplace_back("reason");
  if (space == nullptr) header.emplace_back("genes");
  for (std::size_t i = 0; space != nullptr && i < space->dims().size(); ++i) header.push_back(space->dims()[i].name);
  std::string text = csv_line(header);
  for (const Trial& trial : trials) {
    std::vector<std::string> row{std::to_string(trial.id), status_names()[static_cast<std::size_t>(trial.status)],
                                 fidelity_names()[static_cast<std::size_t>(trial.fidelity)],
                                 front.contains(trial.id) ? "1" : "0"};
    for (std::size_t i = 0; i < report.objectives.size(); ++i) {
      const Direction direction = report.objectives[i].objective.direction;
      row.push_back(trial.has_values() ? exact_text(natural(trial.values[i], direction)) : "");
    }
    row.push_back(trial.reason);
    if (space == nullptr) {
      row.push_back(Json(trial.genome.genes).dump());
    } else {
      const std::vector<bool> active = space->active(trial.genome);
      for (std::size_t i = 0; i < space->dims().size(); ++i) {
        row.push_back(active[i] ? choice_text(space->dims()[i].choices[trial.genome.genes[i]]) : "");
      }
    }
    text += csv_line(row);
  }
  return text;
}

std::string front_csv(const StudyReport& report) {
  std::vector<std::string> header{"trial"};
  for (const ReportObjective& one : report.objectives) {
    header.push_back(one.objective.name);
    header.push_back(one.objective.name + "_again");
    header.push_back(one.objective.name + "_ci_low");
    header.push_back(one.objective.name + "_ci_high");
  }
  header.emplace_back("genome");
  std::string text = csv_line(header);
  for (const FrontMember& member : report.front) {
    std::vector<std::string> row{std::to_string(member.trial)};
    for (std::size_t i = 0; i < member.values.size(); ++i) {
      row.push_back(exact_text(member.values[i]));
      row.push_back(member.intervals[i] && member.intervals[i]->again ? exact_text(member.intervals[i]->median) : "");
      row.push_back(member.intervals[i] ? exact_text(member.intervals[i]->low) : "");
      row.push_back(member.intervals[i] ? exact_text(member.intervals[i]->high) : "");
    }
    row.push_back(member.genome.dump());
    text += csv_line(row);
  }
  return text;
}

std::string front_markdown(const StudyReport& report) {
  std::vector<std::string> header{"trial"}, rule{"--:"};
  for (const ReportObjective& one : report.objectives) {
    header.push_back(markdown_cell(one.scale.heading(one.label)));
    rule.emplace_back("--:");
  }
  header.emplace_back("genome");
  rule.emplace_back(":--");
  std::string text = markdown_row(header) + markdown_row(rule);
  for (const FrontMember& member : report.front) {
    std::vector<std::string> row{std::to_string(member.trial)};
    for (std::size_t i = 0; i < member.values.size(); ++i) {
      row.push_back(report.objectives[i].scale.number(member.values[i]) + (member.tied[i] ? " ≈" : ""));
    }
    row.push_back(markdown_cell(genome_text(member)));
    text += markdown_row(row);
  }
  return text;
}

std::string report_markdown(const StudyReport& report) {
  std::string text =
      fmt::format("# {}\n\n{}\n\n## Front\n\n", markdown_cell(report.record.name), markdown_cell(summary_text(report)));
  text += report.front.empty() ? "No feasible candidate was found.\n" : front_markdown(report);
  if (report.optimised.size() > 1 && !report.hypervolume.empty()) {
    text += fmt::format("\nHypervolume {:.6g} in natural units, {:.4f} of the box from worst to best.\n",
                        report.final_hypervolume, report.hypervolume.back().value);
  }
  if (!report.comparisons.empty()) {
    text += "\n## Predicted against measured\n\n";
    text += markdown_row(
        {"objective", "predicted by", "against", "pairs", "within ±5 %", "within ±10 %", "mean error", "Spearman"});
    text += markdown_row({":--", ":--", ":--", "--:", "--:", "--:", "--:", "--:"});
    for (const Comparison& one : report.comparisons) {
      text += markdown_row({markdown_cell(report.objectives[one.objective].label), markdown_cell(one.predicted_by),
                            markdown_cell(one.against), std::to_string(one.error.pairs), percent(one.error.within_5),
                            percent(one.error.within_10), percent(one.error.mape),
                            one.error.spearman ? fmt::format("{:.4f}", *one.error.spearman) : "undefined"});
    }
  }
  if (const std::string notes = searcher_notes_text(report); !notes.empty()) {
    text += "\n## What the searcher knows of itself\n\n";
    for (std::size_t begin = 0; begin < notes.size();) {
      const std::size_t end = notes.find('\n', begin);
      text += "- " + markdown_cell(notes.substr(begin, end - begin)) + "\n";
      begin = end + 1;
    }
  }
  if (!report.reasons.empty()) {
    text += "\n## Why candidates died\n\n" + markdown_row({"trials", "status", "reason", "for example"}) +
            markdown_row({"--:", ":--", ":--", "--:"});
    for (const DeathReason& one : report.reasons) {
      text += markdown_row({grouped(one.trials), status_names()[static_cast<std::size_t>(one.status)],
                            markdown_cell(one.reason), fmt::format("trial {}", one.example)});
    }
  }
  text += "\n## Machine and command\n\n";
  for (const auto& [name, value] : environment_facts(report.environment)) {
    text += fmt::format("- {}: {}\n", name, markdown_cell(value));
  }
  return text + "\n```\n" + report.record.command + "\n```\n";
}

Json objective_json(const Objective& objective) {
  return {{"name", objective.name},
          {"unit", objective.unit},
          {"direction", objective.direction == Direction::minimise ? "minimise" : "maximise"},
          {"limit", objective.limit ? Json(*objective.limit) : Json()},
          {"constraint_only", objective.constraint_only}};
}

Json front_json(const StudyReport& report) {
  Json list = Json::array();
  for (const FrontMember& member : report.front) {
    Json values = Json::object(), again = Json::object(), intervals = Json::object(), tied = Json::array();
    for (std::size_t i = 0; i < member.values.size(); ++i) {
      const std::string& name = report.objectives[i].objective.name;
      values[name] = member.values[i];
      if (member.intervals[i]) intervals[name] = {member.intervals[i]->low, member.intervals[i]->high};
      if (member.intervals[i] && member.intervals[i]->again) again[name] = member.intervals[i]->median;
      if (member.tied[i]) tied.push_back(name);
    }
    list.push_back({{"trial", member.trial},
                    {"values", values},
                    {"measured_again", again},
                    {"intervals_95", intervals},
                    {"tied", tied},
                    {"function_hash", hex64(member.function_hash)},
                    {"genome", member.genome}});
  }
  return list;
}

Json prediction_error_json(const PredictionError& error) {
  return {{"pairs", error.pairs},
          {"mape", error.mape},
          {"bias", error.bias},
          {"worst", error.worst},
          {"within_5", error.within_5},
          {"within_10", error.within_10},
          {"spearman", error.spearman ? Json(*error.spearman) : Json()},
          {"kendall", error.kendall ? Json(*error.kendall) : Json()}};
}

Json measurement_json(const Measurement& measurement) {
  static const char* const outcomes[] = {"ok", "unstable", "unsupported"};
  Json json{{"outcome", outcomes[static_cast<std::size_t>(measurement.outcome)]}, {"reason", measurement.reason}};
  if (!measurement.samples_s.empty()) {
    json["median_s"] = measurement.median_s;
    json["ci_low_s"] = measurement.ci_low_s;
    json["ci_high_s"] = measurement.ci_high_s;
    json["mad_s"] = measurement.mad_s;
  }
  json["samples_s"] = measurement.samples_s;
  json["arena_bytes"] = measurement.arena_bytes;
  json["weight_bytes"] = measurement.weight_bytes;
  if (measurement.ops.empty()) return json;
  json["sum_of_operators_s"] = measurement.sum_of_ops_s;
  json["operators"] = Json::array();
  for (const OpTime& op : measurement.ops) {
    json["operators"].push_back({{"node", op.step.node},
                                 {"fused", op.step.fused},
                                 {"kind", op.step.kind},
                                 {"format", op.step.format},
                                 {"implementation", op.step.implementation},
                                 {"macs", op.step.macs},
                                 {"median_s", op.median_s}});
  }
  return json;
}

Json cost_json(const Cost& cost, const Network& network) {
  Json resources = Json::object();
  for (const ResourceUse& one : cost.resources) {
    resources[one.name] = {{"used", one.used}, {"available", one.available > 0 ? Json(one.available) : Json()}};
  }
  if (!cost.failed.empty()) return {{"failed", cost.failed}};
  if (!cost.unsupported.empty()) return {{"unsupported", cost.unsupported}, {"resources", std::move(resources)}};
  Json ops = Json::array();
  for (const OpCost& op : cost.ops) {
    ops.push_back({{"node", op.node},
                   {"name", network.name(op.node)},
                   {"kind", name_of(network.op(op.node).kind)},
                   {"latency_s", op.latency_s},
                   {"energy_j", op.energy_j},
                   {"macs", op.macs},
                   {"bytes", op.bytes},
                   {"bound_by", op.bound_by},
                   {"utilisation", op.utilisation > 0 ? Json(op.utilisation) : Json()}});
  }
  return {{"latency_s", cost.latency_s},       {"energy_j", cost.energy_j > 0 ? Json(cost.energy_j) : Json()},
          {"peak_bytes", cost.peak_bytes},     {"weight_bytes", cost.weight_bytes},
          {"resources", std::move(resources)}, {"operators", ops}};
}

Json report_json(const StudyReport& report) {
  const StudyRecord& record = report.record;
  Json json{{"ridgeline_report", 1}};
  json["study"] = {{"name", record.name},
                   {"space", record.space_name},
                   {"seed", record.seed},
                   {"state", record.state},
                   {"trials", record.trials},
                   {"command", record.command},
                   {"config_hash", hex64(record.config_hash)},
                   {"space_fingerprint", hex64(record.space_fingerprint)},
                   {"program_version", record.program_version},
                   {"created_utc", record.created_utc},
                   {"updated_utc", record.updated_utc}};
  json["objectives"] = Json::array();
  for (const ReportObjective& one : report.objectives) {
    Json objective = objective_json(one.objective);
    objective["proxy"] = one.proxy;
    objective["from"] = one.origin;
    if (one.objective.limit) {
      objective["trials_over_limit"] = one.broken;
      objective["nearest"] = one.nearest ? Json(*one.nearest) : Json();
    }
    json["objectives"].push_back(std::move(objective));
  }
  for (std::size_t i = 0; i < report.counts.size(); ++i) json["counts"][status_names()[i]] = report.counts[i];
  if (record.saved) {
    json["evaluations_saved"] = {{"by_genome", record.saved->by_genome}, {"by_function", record.saved->by_function}};
  }
  for (const ReportRung& rung : report.rungs) json["rungs"].push_back({{"cost", rung.cost}, {"trials", rung.trials}});
  if (!report.rungs.empty()) json["whole_evaluations"] = report.evaluations;
  json["front_fidelity"] = fidelity_names()[static_cast<std::size_t>(report.front_fidelity)];
  json["front"] = front_json(report);
  json["hypervolume"] = {
      {"natural", report.final_hypervolume}, {"reference", report.reference}, {"history", Json::array()}};
  for (const HypervolumeStep& step : report.hypervolume) {
    json["hypervolume"]["history"].push_back({{"evaluations", step.evaluations}, {"value", step.value}});
  }
  json["comparisons"] = Json::array();
  for (const Comparison& one : report.comparisons) {
    Json pairs = Json::array();
    for (const ComparedPair& pair : one.pairs) {
      pairs.push_back({{"trial", pair.trial}, {"predicted", pair.predicted}, {"measured", pair.measured}});
    }
    json["comparisons"].push_back({{"objective", report.objectives[one.objective].objective.name},
                                   {"predicted_by", one.predicted_by},
                                   {"against", one.against},
                                   {"error", prediction_error_json(one.error)},
                                   {"pairs", pairs}});
  }
  json["searcher_notes"] = report.searcher_notes;
  json["reasons"] = Json::array();
  for (const DeathReason& one : report.reasons) {
    json["reasons"].push_back({{"status", status_names()[static_cast<std::size_t>(one.status)]},
                               {"reason", one.reason},
                               {"trials", one.trials},
                               {"example", one.example}});
  }
  json["environment"] = report.environment ? environment_json(*report.environment) : Json();
  json["timings"] = {{"measurements", report.timed}, {"samples", report.samples}};
  return json;
}

}  // namespace ridgeline
