#include "experiments/bench/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "experiments/report/report_markup.hpp"
#include "experiments/report/report_units.hpp"

namespace ridgeline {
namespace {

// How qualities are printed: hypervolumes as shares, values in one unit with as many digits as tell intervals apart.
class QualityScale {
 public:
  explicit QualityScale(const BenchFigures& figures) : share_(figures.hypervolume) {
    std::vector<double> values;
    std::optional<double> least_half;
    for (const BenchRow& row : figures.rows) {
      for (const BenchCell& cell : row.cells) {
        if (!cell.quality) continue;
        values.push_back(cell.quality->mean);
        const double half = cell.quality->interval ? cell.quality->interval->high - cell.quality->mean : 0.0;
        if (half > 0.0) least_half = std::min(half, least_half.value_or(half));
      }
    }
    scale_ = share_ ? UnitScale{1.0, "", 4} : scale_for(values, figures.objectives[0].unit);
    // Two digits of the narrowest interval.
    if (least_half && !share_) {
      const auto digits = static_cast<int>(std::ceil(1.0 - std::log10(*least_half / scale_.factor)));
      scale_.decimals = std::clamp(digits, scale_.decimals, scale_.decimals + 2);
    }
  }
  std::string number(double value) const { return scale_.number(value); }
  std::string with_interval(const BenchCell& cell) const {
    if (!cell.quality) return "–";
    std::string text = number(cell.quality->mean);
    if (cell.quality->interval) {
      text += fmt::format(" ± {}", number((cell.quality->interval->high - cell.quality->interval->low) / 2));
    }
    return text;
  }
  std::string heading(const BenchFigures& figures) const {
    if (share_) return "hypervolume";
    const Objective& objective = figures.objectives[0];
    return "best " + scale_.heading(plain_name(objective.name, objective.unit));
  }

 private:
  bool share_;
  UnitScale scale_;
};

std::string share_text(std::size_t part, std::size_t whole, const std::optional<ConfidenceInterval>& interval) {
  if (whole == 0 || !interval) return "–";
  return fmt::format("{:.0f} % ({:.0f}–{:.0f})", 100.0 * static_cast<double>(part) / static_cast<double>(whole),
                     100 * interval->low, 100 * interval->high);
}

std::string optional_text(const std::optional<double>& value, const char* format) {
  return value ? fmt::format(fmt::runtime(format), *value) : "–";
}

BenchTable main_table(const BenchReport& report, const QualityScale& scale) {
  const BenchFigures& figures = report.figures;
  BenchTable table;
  table.heading = fmt::format("After {} evaluation{}", grouped(figures.at.back()), figures.at.back() == 1 ? "" : "s");
  table.columns = {"searcher", scale.heading(figures)};
  if (figures.optimum) table.columns.insert(table.columns.end(), {"found the optimum", "median to it"});
  table.columns.push_back("RI (%)");
  if (!figures.ranks.empty()) table.columns.push_back("mean rank");
  for (const char* heading : {"asked", "ask (µs)", "tell (µs)", "evaluations/s"}) table.columns.push_back(heading);
  for (const BenchRow& row : figures.rows) {
    const BenchCell& cell = row.cells.back();
    std::vector<std::string> cells = {row.label, scale.with_interval(cell)};
    if (figures.optimum) {
      cells.push_back(share_text(cell.found, figures.seeds, cell.found_interval));
      cells.push_back(optional_text(row.median_evaluations_to_best, "{:.0f}"));
    }
    cells.push_back(optional_text(cell.improvement, "{:+.2f}"));
    if (!figures.ranks.empty()) cells.push_back(fmt::format("{:.2f}", cell.mean_rank));
    cells.push_back(optional_text(row.mean_asked, "{:.0f}"));
    cells.push_back(optional_text(row.ask_us, "{:.2f}"));
    cells.push_back(optional_text(row.tell_us, "{:.2f}"));
    cells.push_back(row.evaluations_per_s ? grouped(std::llround(*row.evaluations_per_s)) : "–");
    table.rows.push_back(std::move(cells));
  }
  return table;
}

BenchTable anytime_table(const BenchReport& report, const QualityScale& scale) {
  const BenchFigures& figures = report.figures;
  BenchTable table;
  table.heading = figures.optimum
                      ? fmt::format("At any time: {}, and runs that found the optimum", scale.heading(figures))
                      : fmt::format("At any time: {}", scale.heading(figures));
  table.columns = {"searcher"};
  for (const std::int64_t at : figures.at) table.columns.push_back(fmt::format("at {}", grouped(at)));
  for (const BenchRow& row : figures.rows) {
    std::vector<std::string> cells = {row.label};
    for (const BenchCell& cell : row.cells) {
      cells.push_back(scale.with_interval(cell));
      if (figures.optimum) cells.back() += ", " + share_text(cell.found, figures.seeds, cell.found_interval);
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

BenchTable spread_table(const BenchReport& report, const QualityScale& scale) {
  BenchTable table;
  table.heading = fmt::format("Over settings: mean {} of a setting", scale.heading(report.figures));
  table.columns = {"searcher",       "settings", "least", "lower quartile", "median",
                   "upper quartile", "most",     "best",  "worst"};
  for (const BenchSpread& spread : report.figures.spreads) {
    const FiveNumbers& five = spread.quality;
    table.rows.push_back({spread.searcher, std::to_string(spread.settings), scale.number(five.least),
                          scale.number(five.lower), scale.number(five.median), scale.number(five.upper),
                          scale.number(five.most), spread.best, spread.worst});
  }
  return table;
}

// "1.33 (1.10–1.62)"; an end that is not known is below the bound.
std::string ratio_text(const ReachRow& row, double bound, bool interval) {
  std::string text = row.ratio ? fmt::format("{:.2f}", *row.ratio) : fmt::format("below {:.2f}", bound);
  if (!interval || (!row.low && !row.high)) return text;
  const std::string low = row.low ? fmt::format("{:.2f}–", *row.low) : fmt::format("below {:.2f} to ", bound);
  return text + fmt::format(" ({}{:.2f})", low, *row.high);
}

BenchTable reach_table(const BenchReport& report, const QualityScale& scale) {
  const BenchFigures& figures = report.figures;
  const std::string& named = figures.rows[figures.reach->named].label;
  BenchTable table;
  table.heading = fmt::format("Evaluations to reach {}, and how many times fewer", named);
  table.columns = {"searcher"};
  for (const ReachTarget& target : figures.reach->targets) {
    table.columns.push_back(
        fmt::format("{} (at {})", target.quality ? scale.number(*target.quality) : "–", grouped(target.at)));
  }
  for (std::size_t i = 0; i < figures.rows.size(); ++i) {
    if (i == figures.reach->named) continue;
    std::vector<std::string> cells = {figures.rows[i].label};
    for (const ReachTarget& target : figures.reach->targets) {
      const auto row = std::ranges::find(target.rows, i, &ReachRow::row);
      cells.push_back(row == target.rows.end()
                          ? "–"
                          : (row->evaluations ? grouped(*row->evaluations) : "above " + grouped(figures.at.back())) +
                                ": " + ratio_text(*row, target.bound, figures.reach->intervals));
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

void add_reach_notes(const BenchFigures& figures, std::vector<std::string>& notes) {
  const std::string& named = figures.rows[figures.reach->named].label;
  std::string note = fmt::format(
      "What {} has after so many evaluations, on average, is what the mean curve of another searcher reaches after the "
      "evaluations named; the ratio is the evaluations {} itself needs for it over those",
      named, named);
  if (figures.reach->intervals) {
    note += fmt::format(", with 95 % intervals of {} bootstrap samples over seeds",
                        grouped(static_cast<std::int64_t>(figures.reach->resamples)));
  }
  notes.push_back(note + ". A mean counts from where every run has something feasible.");
  for (const ReachTarget& target : figures.reach->targets) {
    if (target.quality && target.evaluations < target.at) {
      notes.push_back(
          fmt::format("{} has what it has at {} since {}.", named, grouped(target.at), grouped(target.evaluations)));
    }
  }
}

std::string ideal_note(const BenchFigures& figures) {
  std::string ideal;
  if (figures.ideal == ExactAnswer::Source::enumeration) {
    ideal = fmt::format("that of all {} candidates", grouped(static_cast<std::int64_t>(figures.candidates)));
  } else if (figures.ideal == ExactAnswer::Source::closed_form) {
    ideal = "the function's own, known in closed form, which a grid of choices need not reach";
  }
  if (!figures.hypervolume) {
    if (!figures.optimum) return "The optimum is not known.";
    const Objective& objective = figures.objectives[0];
    return fmt::format("The optimum is {}: {}.", pretty(*figures.optimum, objective.unit), ideal);
  }
  if (figures.reference.empty()) return "No run has a feasible candidate.";
  std::string reference;
  for (std::size_t i = 0; i < figures.reference.size(); ++i) {
    reference += fmt::format("{}{} {}", i == 0 ? "" : ", ", figures.objectives[i].name,
                             pretty(figures.reference[i], figures.objectives[i].unit));
  }
  return fmt::format("Hypervolumes are shares of the ideal front's, {}; reference point: {}.",
                     ideal.empty() ? "here that of all runs together, as the exact one is not known" : ideal,
                     reference);
}

std::string rank_note(const BenchFigures& figures) {
  const BenchRanks& ranks = figures.ranks.back();
  return fmt::format(
      "Ranks over {} seeds: Friedman's chi-squared {:.1f}, p {}; mean ranks that are {:.2f} or more apart differ "
      "at 5 % (Nemenyi).",
      figures.seeds, ranks.statistic, ranks.p_value < 1e-4 ? "below 0.0001" : fmt::format("{:.4f}", ranks.p_value),
      ranks.critical_difference);
}

const char* cache_words(StudyCache cache) {
  switch (cache) {
    case StudyCache::functional:
      return "candidates whose networks compute the same function are one evaluation";
    case StudyCache::genome:
      return "equal genomes are one evaluation";
    case StudyCache::off:
      return "every candidate asked for is an evaluation, duplicates included";
  }
  return "";
}

Json optional_json(const std::optional<double>& value) { return value ? Json(*value) : Json(); }
Json interval_json(const std::optional<ConfidenceInterval>& interval) {
  return interval ? Json::array({interval->low, interval->high}) : Json();
}

Json row_json(const BenchRow& row, const BenchFigures& figures) {
  Json json = {{"label", row.label},
               {"searcher", row.searcher},
               {"warm_start", row.warm},
               {"mean_evaluations", row.mean_evaluations},
               {"mean_asked", optional_json(row.mean_asked)},
               {"ask_us", optional_json(row.ask_us)},
               {"tell_us", optional_json(row.tell_us)},
               {"evaluations_per_s", optional_json(row.evaluations_per_s)},
               {"median_evaluations_to_optimum", optional_json(row.median_evaluations_to_best)},
               {"at", Json::array()},
               {"curve", Json::array()}};
  for (std::size_t a = 0; a < row.cells.size(); ++a) {
    const BenchCell& cell = row.cells[a];
    Json one = {{"evaluations", figures.at[a]},
                {"mean", cell.quality ? Json(cell.quality->mean) : Json()},
                {"interval", cell.quality ? interval_json(cell.quality->interval) : Json()},
                {"runs_without_feasible", cell.without},
                {"improvement_percent", optional_json(cell.improvement)},
                {"mean_rank", figures.ranks.empty() ? Json() : Json(cell.mean_rank)}};
    if (figures.optimum) {
      one["found_optimum"] = cell.found;
      one["found_interval"] = interval_json(cell.found_interval);
    }
    json["at"].push_back(std::move(one));
  }
  for (const BenchCurvePoint& point : row.curve) {
    json["curve"].push_back({point.evaluations, point.mean, point.interval.low, point.interval.high});
  }
  return json;
}

Json reach_json(const BenchFigures& figures) {
  Json json = {{"searcher", figures.rows[figures.reach->named].label},
               {"resamples", figures.reach->resamples},
               {"targets", Json::array()}};
  for (const ReachTarget& target : figures.reach->targets) {
    Json one = {{"at", target.at}, {"mean", optional_json(target.quality)}, {"rows", Json::array()}};
    if (target.quality) {
      one["evaluations"] = target.evaluations;
      one["unstated_ratios_below"] = target.bound;
    }
    for (const ReachRow& row : target.rows) {
      one["rows"].push_back(
          {{"label", figures.rows[row.row].label},
           {"evaluations", row.evaluations ? Json(*row.evaluations) : Json()},
           {"ratio", optional_json(row.ratio)},
           {"interval",
            figures.reach->intervals ? Json::array({optional_json(row.low), optional_json(row.high)}) : Json()}});
    }
    json["targets"].push_back(std::move(one));
  }
  return json;
}

}  // namespace

std::vector<BenchTable> bench_tables(const BenchReport& report) {
  const QualityScale scale(report.figures);
  std::vector<BenchTable> tables = {main_table(report, scale)};
  if (report.figures.at.size() > 1) tables.push_back(anytime_table(report, scale));
  if (report.figures.reach && report.figures.rows.size() > 1) tables.push_back(reach_table(report, scale));
  if (!report.figures.spreads.empty()) tables.push_back(spread_table(report, scale));
  return tables;
}

std::vector<std::string> bench_notes(const BenchReport& report) {
  const BenchFigures& figures = report.figures;
  std::vector<std::string> notes = {ideal_note(figures)};
  if (figures.seeds > 0) {
    notes.push_back(fmt::format("{}. RI is the relative improvement over random search.",
                                figures.seeds == 1
                                    ? "Of one seed, which says nothing of the spread over seeds"
                                    : fmt::format("Means over {} seeds with 95 % intervals of Student's t{}",
                                                  figures.seeds, figures.optimum ? ", shares with Wilson's" : "")));
  }
  if (!figures.ranks.empty() && figures.seeds > 1) notes.push_back(rank_note(figures));
  if (figures.reach && figures.rows.size() > 1) add_reach_notes(figures, notes);
  notes.push_back(fmt::format("Equal numbers of evaluations: {}; a run ends after {} candidates asked for.",
                              cache_words(report.cache), grouped(report.budget.asks)));
  for (const BenchRow& row : figures.rows) {
    if (row.cells.back().without > 0) {
      notes.push_back(fmt::format("{}: {} of {} runs found nothing feasible and are not in the mean.", row.label,
                                  row.cells.back().without, figures.seeds));
    }
    if (figures.seeds > 0 && row.mean_evaluations < 0.995 * static_cast<double>(figures.at.back())) {
      notes.push_back(
          fmt::format("{} did {:.1f} evaluations on average: it had nothing new to propose, or asked for as "
                      "many candidates as a run may.",
                      row.label, row.mean_evaluations));
    }
  }
  if (!report.begun.empty()) {
    notes.push_back(fmt::format("With a warm start: the first run {}, which count as evaluations.", report.begun));
  }
  for (const auto& [name, why] : report.skipped) notes.push_back(fmt::format("Not run: {} ({}).", name, why));
  if (report.interrupted)
    notes.push_back(figures.seeds > 0 ? "Interrupted: these are the seeds that every setting has done."
                                      : "Interrupted before every setting had done a seed.");
  return notes;
}

std::string bench_text(const BenchReport& report, const TextStyle& style) {
  std::string text =
      fmt::format("{} ({}, {} candidates): {} runs in {}{}{}\n", report.study, report.space,
                  size_text(report.log10_size), grouped(static_cast<std::int64_t>(report.runs)),
                  duration(report.elapsed_s), report.threads > 1 ? fmt::format(" on {} threads", report.threads) : "",
                  report.stored > 0 ? fmt::format(", {} of them from the database", report.stored) : "");
  for (const BenchTable& table : bench_tables(report)) {
    std::vector<TextTable::Column> columns;
    for (const std::string& heading : table.columns) columns.push_back({heading, !columns.empty()});
    TextTable printed(columns);
    for (const std::vector<std::string>& row : table.rows) printed.add(row);
    text += "\n" + table.heading + "\n" + printed.text(style);
  }
  text += "\n";
  for (const std::string& note : bench_notes(report)) text += note + "\n";
  return text;
}

std::string bench_markdown(const BenchReport& report) {
  std::string text =
      fmt::format("## {}: {} runs\n\n```sh\n{}\n```\n", markdown_cell(report.study), report.runs, report.command);
  for (const BenchTable& table : bench_tables(report)) {
    text += "\n### " + markdown_cell(table.heading) + "\n\n";
    std::vector<std::string> cells, rule;
    for (const std::string& heading : table.columns) {
      cells.push_back(markdown_cell(heading));
      rule.emplace_back(rule.empty() ? "---" : "---:");
    }
    text += markdown_row(cells) + markdown_row(rule);
    for (const std::vector<std::string>& row : table.rows) {
      cells.clear();
      for (const std::string& cell : row) cells.push_back(markdown_cell(cell));
      text += markdown_row(cells);
    }
  }
  text += "\n";
  for (const std::string& note : bench_notes(report)) text += markdown_cell(note) + "\n";
  return text;
}

Json bench_json(const BenchReport& report) {
  static const char* const sources[] = {"runs", "enumeration", "closed_form"};
  const BenchFigures& figures = report.figures;
  Json json = {{"study", report.study},
               {"space", report.space},
               {"log10_size", report.log10_size},
               {"seeds", figures.seeds},
               {"first_seed", report.first_seed},
               {"evaluations", report.budget.evaluations},
               {"most_asks", report.budget.asks},
               {"cache", cache_names()[static_cast<std::size_t>(report.cache)]},
               {"quality", figures.hypervolume ? Json("hypervolume") : Json(figures.objectives[0].name)},
               {"ideal", sources[static_cast<std::size_t>(figures.ideal)]},
               {"optimum", optional_json(figures.optimum)},
               {"reference", figures.reference},
               {"ideal_hypervolume", figures.ideal_hypervolume},
               {"runs", report.runs},
               {"stored_runs", report.stored},
               {"threads", report.threads},
               {"elapsed_s", report.elapsed_s},
               {"interrupted", report.interrupted},
               {"warm_start", report.begun},
               {"command", report.command},
               {"program_version", report.program_version},
               {"rows", Json::array()},
               {"ranks", Json::array()},
               {"spreads", Json::array()},
               {"skipped", Json::object()}};
  for (const BenchRow& row : figures.rows) json["rows"].push_back(row_json(row, figures));
  for (std::size_t a = 0; a < figures.ranks.size(); ++a) {
    json["ranks"].push_back({{"evaluations", figures.at[a]},
                             {"friedman_chi_squared", figures.ranks[a].statistic},
                             {"p_value", figures.ranks[a].p_value},
                             {"critical_difference", figures.ranks[a].critical_difference}});
  }
  for (const BenchSpread& spread : figures.spreads) {
    const FiveNumbers& five = spread.quality;
    json["spreads"].push_back({{"searcher", spread.searcher},
                               {"settings", spread.settings},
                               {"five_numbers", {five.least, five.lower, five.median, five.upper, five.most}},
                               {"best", spread.best},
                               {"worst", spread.worst}});
  }
  if (figures.reach) json["reach"] = reach_json(figures);
  for (const auto& [name, why] : report.skipped) json["skipped"][name] = why;
  return json;
}

}  // namespace ridgeline
