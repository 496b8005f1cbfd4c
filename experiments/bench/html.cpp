#include <fmt/format.h>

#include "experiments/bench/report.hpp"
#include "experiments/report/report_assets.hpp"
#include "experiments/report/report_markup.hpp"
#include "experiments/report/report_units.hpp"

namespace ridgeline {
namespace {

constexpr std::string_view page = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="ridgeline">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{title}} – Ridgeline</title>
<style>
{{style}}</style>
</head>
<body>
<main>
<header>
<div class="eyebrow">Ridgeline benchmark</div>
<h1>{{title}}</h1>
<p class="lead">{{summary}}</p>
</header>
{{sections}}
<section>
<h2>How to read this</h2>
{{notes}}
<pre>{{command}}</pre>
</section>
<footer>{{footer}}</footer>
</main>
</body>
</html>
)";

std::string table_html(const BenchTable& table) {
  std::string html = "<div class=\"scroll\"><table><thead><tr>";
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    html += fmt::format("<th{}>{}</th>", i > 0 ? " class=\"n\"" : "", html_escaped(table.columns[i]));
  }
  html += "</tr></thead><tbody>\n";
  for (const std::vector<std::string>& row : table.rows) {
    html += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) html += html_cell(html_escaped(row[i]), i > 0);
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string section(std::string_view heading, const std::string& markup) {
  return markup.empty() ? "" : fmt::format("<section>\n<h2>{}</h2>\n{}</section>\n", html_escaped(heading), markup);
}

std::string panel(const std::string& svg) { return svg.empty() ? "" : "<div class=\"panel\">" + svg + "</div>\n"; }

}  // namespace

std::string bench_html(const BenchReport& report) {
  std::vector<BenchTable> tables = bench_tables(report);
  std::string sections = section(tables[0].heading, table_html(tables[0]));
  sections += section("Over evaluations", panel(bench_curves_svg(report)));
  for (std::size_t i = 1; i < tables.size(); ++i) {
    const bool spread = i + 1 == tables.size() && !report.figures.spreads.empty();
    sections += section(tables[i].heading, (spread ? panel(bench_spread_svg(report)) : "") + table_html(tables[i]));
  }
  std::string notes;
  for (const std::string& note : bench_notes(report)) notes += "<p class=\"note\">" + html_escaped(note) + "</p>\n";
  const std::string summary =
      fmt::format("{}{}{} settings, {} seed{}, {} distinct evaluations a run on {}, {} candidates.", report.about,
                  report.about.empty() ? "" : ". ", report.figures.rows.size(), report.figures.seeds,
                  report.figures.seeds == 1 ? "" : "s", grouped(report.budget.evaluations), report.space,
                  size_text(report.log10_size));
  return filled_page(page, {{"title", html_escaped(report.study)},
                            {"style", std::string(report_style)},
                            {"summary", html_escaped(summary)},
                            {"sections", sections},
                            {"notes", notes},
                            {"command", html_escaped(report.command)},
                            {"footer", html_escaped("Made by Ridgeline " + report.program_version +
                                                    "; nothing is loaded from elsewhere.")}});
}

}  // namespace ridgeline
