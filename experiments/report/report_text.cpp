#include "experiments/report/report_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

std::string joined(const std::vector<std::string>& parts, std::string_view between) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : std::string(between)) + part;
  return text;
}

std::string limit_phrase(const ReportObjective& one) {
  const char* sign = one.objective.direction == Direction::minimise ? "≤" : "≥";
  return fmt::format("{} {} {}", one.label, sign, pretty(*one.objective.limit, one.objective.unit));
}

std::string interval_text(const FrontMember& member, const ReportObjective& objective, std::size_t i) {
  return fmt::format(" [{}, {}]{}", objective.scale.number(member.intervals[i]->low),
                     objective.scale.number(member.intervals[i]->high), member.tied[i] ? " ≈" : "");
}

// "12.34", or "12.34 [12.30, 12.41] ≈" where the interval is of the same timing and overlaps another's.
std::string value_text(const FrontMember& member, const ReportObjective& objective, std::size_t i) {
  std::string text = objective.scale.number(member.values[i]);
  if (member.intervals[i] && !member.intervals[i]->again) text += interval_text(member, objective, i);
  return text;
}

std::string again_text(const FrontMember& member, const ReportObjective& objective, std::size_t i) {
  if (!member.intervals[i] || !member.intervals[i]->again) return "";
  return objective.scale.number(member.intervals[i]->median) + interval_text(member, objective, i);
}

bool has_ties(const StudyReport& report) {
  return std::any_of(report.front.begin(), report.front.end(), [](const FrontMember& member) {
    return std::find(member.tied.begin(), member.tied.end(), true) != member.tied.end();
  });
}

}  // namespace

std::string genome_text(const FrontMember& member) {
  if (member.choices.empty()) return member.genome.dump();
  std::string text;
  for (const auto& [name, choices] : member.choices) {
    text.append(text.empty() ? "" : ", ").append(name).append(" ").append(choices);
  }
  return text;
}

std::string front_table_text(const StudyReport& report, const TextStyle& style, std::size_t most_rows) {
  if (report.front.empty()) {
    return fmt::format("no feasible candidate with {} values\n",
                       fidelity_names()[static_cast<std::size_t>(report.front_fidelity)]);
  }
  std::vector<TextTable::Column> columns{{"trial", true}};
  std::vector<bool> again;  // has a column for the second look
  for (std::size_t i = 0; i < report.objectives.size(); ++i) {
    const ReportObjective& one = report.objectives[i];
    const auto any = [&](bool second) {
      return std::any_of(report.front.begin(), report.front.end(), [&](const FrontMember& member) {
        return member.intervals[i].has_value() && member.intervals[i]->again == second;
      });
    };
    again.push_back(any(true));
    columns.push_back({one.scale.heading(one.label) + (any(false) ? " [95 %]" : ""), true});
    if (again[i]) columns.push_back({"measured again [95 %]", true});
  }
  columns.push_back({"genome", false});
  const std::size_t shown = std::min(report.front.size(), most_rows);
  std::vector<std::vector<std::string>> rows;
  std::vector<std::size_t> widths;
  widths.reserve(columns.size());
  for (const TextTable::Column& column : columns) widths.push_back(characters(column.heading));
  for (std::size_t k = 0; k < shown; ++k) {
    const FrontMember& member = report.front[k * report.front.size() / shown];
    std::vector<std::string> row{std::to_string(member.trial)};
    for (std::size_t i = 0; i < report.objectives.size(); ++i) {
      row.push_back(value_text(member, report.objectives[i], i));
      if (again[i]) row.push_back(again_text(member, report.objectives[i], i));
    }
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], characters(row[i]));
    row.push_back(genome_text(member));
    rows.push_back(std::move(row));
  }
  std::size_t used = 0;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) used += widths[i] + 2;
  const std::size_t room = style.width > used + 24 ? style.width - used : 24;
  TextTable table(columns);
  for (std::vector<std::string>& row : rows) {
    row.back() = shortened(row.back(), room);
    table.add(std::move(row));
  }
  std::string text = table.text(style);
  if (shown < report.front.size()) {
    text += fmt::format("{} of {} members, evenly spaced\n", shown, report.front.size());
  }
  if (has_ties(report)) text += "≈ a tie: the 95 % intervals of two members overlap\n";
  return text;
}

std::string front_plot_text(const StudyReport& report, const TextStyle& style) {
  if (report.optimised.size() < 2 || report.front.empty()) return "";
  const std::size_t xi = report.optimised[1], yi = report.optimised[0];
  const ReportObjective &x = report.objectives[xi], &y = report.objectives[yi];
  std::vector<PlotPoint> points;
  for (const ReportPoint& point : report.points) {
    if (point.status != Status::ok || (!point.on_front && point.fidelity != report.front_fidelity)) continue;
    points.push_back({point.values[xi] / x.scale.factor, point.values[yi] / y.scale.factor, point.on_front});
  }
  return scatter_plot(points, x.scale.heading(x.label), y.scale.heading(y.label), style);
}

std::string comparisons_text(const StudyReport& report) {
  std::string text;
  for (const Comparison& one : report.comparisons) {
    const PredictionError& error = one.error;
    text += fmt::format("{}: {} against {}, {} pairs: {} within ±5 %, {} within ±10 %, mean error {}, bias {:+.1f} %",
                        report.objectives[one.objective].label, one.predicted_by, one.against, error.pairs,
                        percent(error.within_5), percent(error.within_10), percent(error.mape), error.bias * 100);
    if (error.spearman) text += fmt::format(", Spearman {:.3f}", *error.spearman);
    text += "\n";
  }
  return text;
}

std::string reasons_text(const StudyReport& report) {
  std::string text;
  for (const DeathReason& one : report.reasons) {
    text += fmt::format("{:>8} {}: {} (for example trial {})\n", grouped(one.trials),
                        status_names()[static_cast<std::size_t>(one.status)], one.reason, one.example);
  }
  if (report.other_reasons > 0) text += fmt::format("{:>8} of rarer reasons\n", grouped(report.other_reasons));
  return text;
}

std::string report_text(const StudyReport& report, const TextStyle& style) {
  std::string text = summary_text(report) + "\n\n" + front_table_text(report, style);
  const std::string plot = front_plot_text(report, style);
  if (!plot.empty()) text += "\n" + plot;
  if (!report.hypervolume.empty() && report.optimised.size() > 1) {
    text += fmt::format("\nhypervolume {:.6g} in natural units ({:.4f} of the box from worst to best)\n",
                        report.final_hypervolume, report.hypervolume.back().value);
  }
  const std::string comparisons = comparisons_text(report);
  if (!comparisons.empty()) text += "\npredicted against measured\n" + comparisons;
  const std::string notes = searcher_notes_text(report);
  if (!notes.empty()) text += "\nwhat the searcher knows of itself\n" + notes;
  const std::string reasons = reasons_text(report);
  if (!reasons.empty()) text += "\nwhy candidates died\n" + reasons;
  if (!report.space_problem.empty()) text += "\ngenomes are shown as gene indices: " + report.space_problem + "\n";
  return text;
}

std::string summary_text(const StudyReport& report) {
  const Json config = Json::parse(report.record.config, nullptr, false);
  std::string searcher;
  if (config.is_object() && config.contains("searcher")) {
    const Json& one = config.at("searcher");
    searcher = one.is_object() && one.contains("name") ? choice_text(one.at("name")) : choice_text(one);
  }
  std::vector<std::string> aims, limits;
  for (const ReportObjective& one : report.objectives) {
    const bool least = one.objective.direction == Direction::minimise;
    if (!one.objective.constraint_only) {
      aims.push_back(fmt::format("{} {}", least ? "least" : "most", one.label));
    }
    if (one.objective.limit) limits.push_back(limit_phrase(one));
  }
  std::string text =
      fmt::format("{} searched{} for {}{}.", report.record.space_name, searcher.empty() ? "" : " by " + searcher,
                  joined(aims, " and "), limits.empty() ? "" : " with " + joined(limits, " and "));
  const std::int64_t ok = report.counts[static_cast<std::size_t>(Status::ok)];
  const std::int64_t whole = report.whole_trials();
  text += fmt::format(" {} {}{}, {} feasible", grouped(whole), whole == 1 ? "trial" : "trials",
                      report.rungs.empty() ? "" : " evaluated whole", grouped(ok));
  if (report.front.empty()) {
    text += ": no front";
  } else if (report.optimised.size() > 1) {
    text += fmt::format(", {} on the front ({} values)", report.front.size(),
                        fidelity_names()[static_cast<std::size_t>(report.front_fidelity)]);
  }
  text += ".";
  if (!report.rungs.empty()) text += fmt::format(" {}", rungs_text(report));
  if (const auto& saved = report.record.saved; saved && saved->total() > 0) {
    text += fmt::format(" {} in {} proposals.", saved_phrase(*saved), grouped(report.record.trials + saved->total()));
  }
  return text;
}

std::string rungs_text(const StudyReport& report) {
  std::vector<std::string> cheaper;
  for (std::size_t k = report.rungs.size(); k-- > 1;) {
    cheaper.push_back(fmt::format("{} at {:.3g}", grouped(report.rungs[k].trials), report.rungs[k].cost));
  }
  return fmt::format("Cheaper evaluations: {} of a whole one; all together the work of {:.1f}.", joined(cheaper, ", "),
                     report.evaluations);
}

std::string saved_phrase(const SavedEvaluations& saved) {
  if (saved.total() == 0) return "no evaluations saved";
  return fmt::format("{} {} saved, {} by equal genes and {} by equal functions", grouped(saved.total()),
                     saved.total() == 1 ? "evaluation" : "evaluations", grouped(saved.by_genome),
                     grouped(saved.by_function));
}

std::string protocol_text(const std::string& protocol) {
  const Json options = Json::parse(protocol, nullptr, false);
  if (!options.is_object()) return protocol;
  std::vector<std::string> parts;
  for (const auto& [key, value] : options.items()) parts.push_back(key + " " + choice_text(value));
  return joined(parts, ", ");
}

std::string size_text(double log10_size) {
  if (log10_size < 12.0) return grouped(std::llround(std::pow(10.0, log10_size)));
  const double exponent = std::floor(log10_size);
  return fmt::format("{:.1f}e{:.0f}", std::pow(10.0, log10_size - exponent), exponent);
}

std::vector<std::pair<std::string, std::string>> environment_facts(const std::optional<Environment>& environment) {
  if (!environment) return {{"machine", "not recorded"}};
  std::vector<std::string> caches;
  for (const CacheLevel& cache : environment->caches) {
    const bool whole_mib = cache.bytes % (1 << 20) == 0;
    caches.push_back(fmt::format("L{} {} {}{}", cache.level, whole_mib ? cache.bytes >> 20 : cache.bytes >> 10,
                                 whole_mib ? "MiB" : "KiB",
                                 cache.shared_by > 1 ? fmt::format(" shared by {}", cache.shared_by) : ""));
  }
  return {{"processor", environment->cpu_model},
          {"instruction set", environment->isa},
          {"logical processors", std::to_string(environment->logical_cpus)},
          {"caches", joined(caches, ", ")},
          {"frequency governor", environment->governor},
          {"operating system", environment->os},
          {"oneDNN", environment->onednn_version},
          {"compiler", environment->compiler}};
}

std::string shell_quoted(std::string_view word) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-./=:,@%+").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return std::string(word);
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

std::string hex64_text(std::uint64_t value) { return hex64(value); }

}  // namespace ridgeline
