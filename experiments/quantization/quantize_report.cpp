#include "experiments/quantization/quantize_report.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "experiments/report/report_formats.hpp"
#include "experiments/report/report_markup.hpp"
#include "experiments/report/report_units.hpp"

namespace ridgeline {
namespace {

std::string_view metric_name(const QuantizeConfig& config) {
  return quality_metric_names()[static_cast<std::size_t>(config.metric)];
}

// "int8 x 8, f32: conv0 fc11": the format of most operators, and who has another.
std::string plan_text(const PlanResult& plan, const QuantizeReport& report) {
  const std::vector<std::string>& formats = report.config.formats;
  std::vector<std::vector<std::string>> users(formats.size());
  for (std::size_t i = 0; i < plan.genome.genes.size(); ++i) {
    users[plan.genome.genes[i]].push_back(report.result.operators[i]);
  }
  const auto most = std::ranges::max_element(users, {}, [](const auto& names) { return names.size(); });
  std::string text = fmt::format("{} x {}", formats[static_cast<std::size_t>(most - users.begin())], most->size());
  for (std::size_t k = 0; k < users.size(); ++k) {
    if (users[k].empty() || users.begin() + static_cast<std::ptrdiff_t>(k) == most) continue;
    text += fmt::format(", {}: {}", formats[k], fmt::join(users[k], " "));
  }
  return text;
}

struct PlanRow {
  std::string name, quality, latency_us, of, sum_us, times, weights, formats;
};

std::string quality_text(double quality, QualityMetric metric) {
  return fmt::format("{:.{}f}", quality, unit_of(metric) == "%" ? 2 : 4);
}

PlanRow row_of(const std::string& name, const PlanResult& plan, const std::string& formats,
               const QuantizeReport& report) {
  const bool here = report.config.device.empty();
  PlanRow row{name,
              quality_text(plan.quality, report.config.metric),
              fmt::format("{:.2f}", plan.latency_s * 1e6),
              "in the search only",
              plan.sum_of_layers_s ? fmt::format("{:.2f}", *plan.sum_of_layers_s * 1e6) : "-",
              "",
              pretty(static_cast<double>(plan.weight_bytes), "B"),
              formats};
  if (!here) row.of = plan.executed ? "the device" : "the device; not measurable here";
  if (plan.timed_again) row.of = fmt::format("{:.2f} to {:.2f}", plan.ci_low_s * 1e6, plan.ci_high_s * 1e6);
  const std::optional<PlanResult>& baseline = report.result.uniform.front();
  if (baseline) row.times = fmt::format("{:.2f}", baseline->latency_s / plan.latency_s);
  return row;
}

std::vector<PlanRow> rows_of(const QuantizeReport& report) {
  std::vector<PlanRow> rows;
  const std::vector<std::string>& formats = report.config.formats;
  for (std::size_t i = 0; i < formats.size(); ++i) {
    const std::optional<PlanResult>& plan = report.result.uniform[i];
    if (plan) {
      rows.push_back(row_of("uniform", *plan, formats[i], report));
      continue;
    }
    rows.push_back(
        {"uniform", "", report.config.device.empty() ? "not here" : "not there", "", "", "", "", formats[i]});
    if (i == 0 && report.result.baseline_quality) {
      rows.back().quality = quality_text(*report.result.baseline_quality, report.config.metric);
    }
  }
  for (std::size_t i = 0; i < report.result.front.size(); ++i) {
    const PlanResult& plan = report.result.front[i];
    rows.push_back(row_of(report.result.chosen == i ? "chosen" : "front", plan, plan_text(plan, report), report));
  }
  return rows;
}

std::vector<std::pair<std::string, bool>> headings(const QuantizeReport& report) {  // and whether they are of numbers
  const QuantizeConfig& config = report.config;
  return {{"", false},
          {fmt::format("{} ({})", metric_name(config), unit_of(config.metric)), true},
          {"latency (us)", true},
          {config.device.empty() ? "95 %" : "of", false},
          {"sum of layers (us)", true},
          {"times " + config.formats[0], true},
          {"weights", true},
          {"formats", false}};
}

Json plan_json(const PlanResult& plan, const QuantizeReport& report) {
  Json choices = Json::object();
  for (std::size_t i = 0; i < plan.genome.genes.size(); ++i) {
    choices[report.result.operators[i]] = report.config.formats[plan.genome.genes[i]];
  }
  return {{"trial", plan.trial},
          {std::string(metric_name(report.config)), plan.quality},
          {"latency_s", plan.latency_s},
          {"ci_low_s", plan.timed_again ? Json(plan.ci_low_s) : Json()},
          {"ci_high_s", plan.timed_again ? Json(plan.ci_high_s) : Json()},
          {"sum_of_layers_s", plan.sum_of_layers_s ? Json(*plan.sum_of_layers_s) : Json()},
          {"measurable_here", plan.executed},
          {"weight_bytes", plan.weight_bytes},
          {"formats", std::move(choices)}};
}

Json kept_json(const KeptLayer& layer) {
  return {{"layer", layer.layer},
          {"format", layer.format},
          {"instead", layer.instead},
          {"quality_change", layer.quality_change},
          {"latency_change_s", layer.latency_change_s ? Json(*layer.latency_change_s) : Json()},
          {"tie", layer.tie},
          {"breaks_goal", layer.breaks_goal},
          {"unsupported", layer.unsupported}};
}

std::string section(const std::string& heading, const std::string& note, const std::string& content) {
  return fmt::format(
      "\n<section>\n<h2>{}</h2>\n<p class=\"note\">{}</p>\n<div class=\"scroll\"><table>{}</table></div>\n"
      "</section>\n",
      html_escaped(heading), html_escaped(note), content);
}

}  // namespace

std::string kept_reason(const KeptLayer& layer, QualityMetric metric) {
  if (!layer.unsupported.empty()) return fmt::format("{} does not run: {}", layer.instead, layer.unsupported);
  const bool more = direction_of(metric) == Direction::maximise;
  const double loss = more ? -layer.quality_change : layer.quality_change;
  const std::string unit = unit_of(metric) == "%" ? "points" : unit_of(metric);
  const std::string quality = loss > 0   ? fmt::format("lose {:.3g} {}", loss, unit)
                              : loss < 0 ? fmt::format("win {:.3g} {}", -loss, unit)
                                         : "lose nothing";
  std::string latency = "take a time that is not known";
  if (layer.tie) {
    latency = "be no faster (a tie)";
  } else if (layer.latency_change_s) {
    const double us = *layer.latency_change_s * 1e6;
    latency = us < 0 ? fmt::format("save {:.2f} us", -us) : fmt::format("take {:.2f} us more", us);
  }
  return fmt::format("{} would {} and {}{}", layer.instead, latency, quality,
                     layer.breaks_goal ? ", and miss the goal" : "");
}

std::string QuantizeReport::text(const TextStyle& style) const {
  std::vector<TextTable::Column> columns;
  for (const auto& [name, number] : headings(*this)) columns.push_back({name, number});
  TextTable table(columns);
  for (const PlanRow& row : rows_of(*this)) {
    table.add({row.name, row.quality, row.latency_us, row.of, row.sum_us, row.times, row.weights,
               shortened(row.formats, 100)});
  }
  std::string text = table.text(style);
  if (!result.kept.empty()) {
    TextTable kept({{"keeps more bits", false}, {"format", false}, {"because", false}});
    for (const KeptLayer& layer : result.kept) {
      kept.add({layer.layer, layer.format, kept_reason(layer, config.metric)});
    }
    text += "\n" + kept.text(style);
  }
  if (!result.allocated.empty()) text += "\nno plans were allocated by layers' costs: " + result.allocated + "\n";
  if (!result.chosen) return text;
  text += "\nplan: " + result.plan + "\n";
  if (result.onnx.empty()) return text + "no ONNX file holds the plan's formats\n";
  text += "model: " + result.onnx + "\n";
  const bool has_bf16 = std::ranges::any_of(result.front[*result.chosen].genome.genes,
                                            [&](std::uint16_t gene) { return config.formats[gene] == "bf16"; });
  return has_bf16 ? text + "operators in bf16 are f32 in the file\n" : text;
}

std::string QuantizeReport::missed(const QuantizeGoal& goal) const {
  if (!result.chosen) {
    return result.end == StudyResult::End::wall_clock
               ? "the time was used before a plan was timed; the same command goes on"
           : config.device.empty() ? "no plan could be run and timed here"
                                   : "no plan runs on the device";
  }
  std::vector<std::string> nearest;
  const bool more = direction_of(config.metric) == Direction::maximise;
  const std::string unit = unit_of(config.metric) == "%" ? "points" : unit_of(config.metric);
  if (result.baseline_quality) {
    const double base = *result.baseline_quality;
    const auto drop = [&](const PlanResult& plan) { return more ? base - plan.quality : plan.quality - base; };
    const double least = drop(*std::ranges::min_element(result.front, {}, drop));
    nearest.push_back(fmt::format("the least loss is {:.3g} {} (at most {:.3g})", least, unit, goal.max_drop));
  } else {
    nearest.push_back(fmt::format("the quality of uniform {} is not known", config.formats[0]));
  }
  if (goal.min_speedup && result.uniform.front()) {
    const double most = result.uniform.front()->latency_s / result.front.front().latency_s;
    nearest.push_back(fmt::format("the fastest is {:.3g} times as fast (at least {:.3g})", most, *goal.min_speedup));
  } else if (goal.min_speedup) {
    nearest.push_back(fmt::format("uniform {} has no latency {} to compare with", config.formats[0],
                                  config.device.empty() ? "here" : "on the device"));
  }
  if (goal.max_weight_bytes) {
    const PlanResult& least = *std::ranges::min_element(result.front, {}, &PlanResult::weight_bytes);
    nearest.push_back(
        fmt::format("the smallest has {} bytes of weights (at most {})", least.weight_bytes, *goal.max_weight_bytes));
  }
  return fmt::format("no plan keeps the goal: {}; the {} one of the front was taken", fmt::join(nearest, ", "),
                     unit_of(config.metric) == "%" ? "most accurate" : "least lossy");
}

Json QuantizeReport::json() const {
  Json json{{"study", config.name},
            {"metric", metric_name(config)},
            {"device", config.device.empty() ? Json() : Json(config.device)},
            {"post_training", config.post_training.json()},
            {"goal_met", result.goal_met},
            {"baseline_quality", result.baseline_quality ? Json(*result.baseline_quality) : Json()},
            {"uniform", Json::object()},
            {"front", Json::array()},
            {"high_precision", Json::array()},
            {"plan", result.plan},
            {"onnx", result.onnx}};
  for (std::size_t i = 0; i < result.uniform.size(); ++i) {
    json["uniform"][config.formats[i]] = result.uniform[i] ? plan_json(*result.uniform[i], *this) : Json();
  }
  for (const PlanResult& plan : result.front) json["front"].push_back(plan_json(plan, *this));
  if (result.chosen) json["chosen"] = plan_json(result.front[*result.chosen], *this);
  for (const KeptLayer& layer : result.kept) json["high_precision"].push_back(kept_json(layer));
  return json;
}

std::string QuantizeReport::html() const {
  std::string table = "<thead><tr>";
  for (const auto& [name, number] : headings(*this)) {
    table += fmt::format("<th{}>{}</th>", number ? " class=\"n\"" : "", html_escaped(name));
  }
  table += "</tr></thead><tbody>\n";
  for (const PlanRow& row : rows_of(*this)) {
    const std::string name = html_escaped(row.name);
    table += "<tr>" + html_cell(row.name == "chosen" ? "<b>" + name + "</b>" : name) +
             html_cell(html_escaped(row.quality), true) + html_cell(html_escaped(row.latency_us), true) +
             html_cell(html_escaped(row.of)) + html_cell(html_escaped(row.sum_us), true) +
             html_cell(html_escaped(row.times), true) + html_cell(html_escaped(row.weights), true) +
             html_cell(html_escaped(row.formats)) + "</tr>\n";
  }
  const std::string passes =
      config.post_training.json().empty() ? "" : " Passes: " + config.post_training.json().dump();
  const std::string how = config.device.empty()
                              ? "Whole networks, timed beside each other after the search, taking turns."
                              : "Latencies are the device's estimates.";
  std::string html = section("Plans", how + passes, table + "</tbody>");
  if (result.kept.empty()) return html;
  std::string kept = "<thead><tr><th>operator</th><th>format</th><th>because</th></tr></thead><tbody>\n";
  for (const KeptLayer& layer : result.kept) {
    kept += "<tr>" + html_cell(html_escaped(layer.layer)) + html_cell(html_escaped(layer.format)) +
            html_cell(html_escaped(kept_reason(layer, config.metric))) + "</tr>\n";
  }
  return html + section("Operators that keep more bits",
                        "The chosen plan was run and timed once more for each of them, with fewer bits there.",
                        kept + "</tbody>");
}

}  // namespace ridgeline
