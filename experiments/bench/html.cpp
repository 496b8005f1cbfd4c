#include <fmt/format.h>

#include "experiments/bench/report.hpp"
#include "experiments/report/report_markup.hpp"
#include "experiments/report/report_units.hpp"

namespace ridgeline {
namespace {

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
  sections += "<section>\n<h2>How to read this</h2>\n" + notes + "<pre>" + html_escaped(report.command) +
              "</pre>\n</section>\n<footer>" +
              html_escaped("Made by Ridgeline " + report.program_version + "; nothing is loaded from elsewhere.") +
              "</footer>\n";
  return html_page({"benchmark", report.study, summary, sections});
}

}  // namespace ridgeline
