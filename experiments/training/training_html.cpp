#include <fmt/format.h>

#include <algorithm>

#include "experiments/report/report_assets.hpp"
#include "experiments/report/report_markup.hpp"
#include "experiments/training/controller_report.hpp"
#include "experiments/training/training_report.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t most_rows = 200;  // of the table; the picture and the CSV have them all

std::string figures(const TrainingReport& report) {
  std::string html;
  const bool supernet = report.checkpoint.model.supernet();
  if (report.best) {
    const EpochRecord &last = report.history().back(), &best = report.history()[*report.best];
    html += html_figure("Validation accuracy", percent(last.validation_accuracy, 2),
                        best.epoch == last.epoch
                            ? "the best of all epochs"
                            : fmt::format("best {} after epoch {}", percent(best.validation_accuracy, 2), best.epoch));
    html += html_figure("Validation loss", fmt::format("{:.4f}", last.validation_loss),
                        fmt::format("train {:.4f}", last.train_loss));
  }
  html += html_figure("Parameters", pretty(static_cast<double>(report.parameters), ""),
                      supernet ? "shared by all candidates" : "trained");
  if (report.macs)
    html += html_figure("MACs", pretty(static_cast<double>(*report.macs), ""),
                        supernet ? "of the largest, for one image" : "for one image");
  double seconds = 0;
  for (const EpochRecord& one : report.history()) seconds += one.seconds;
  return html +
         html_figure("Training time", duration(seconds),
                     fmt::format("{} of {} epochs, without validation", report.checkpoint.epochs_done, report.epochs));
}

std::string epoch_table(const TrainingReport& report) {
  const std::vector<std::string> headings = epoch_headings(report);
  const auto bold = std::find(headings.begin(), headings.end(), "validation accuracy") - headings.begin();
  std::string html = "<div class=\"scroll\"><table><thead><tr>";
  for (const std::string& heading : headings) html += "<th class=\"n\">" + html_escaped(heading) + "</th>";
  html += "</tr></thead><tbody>\n";
  for (const std::size_t i : shown_epochs(report, most_rows)) {
    std::vector<std::string> cells = epoch_cells(report, report.history()[i]);
    std::string& accuracy = cells[static_cast<std::size_t>(bold)];
    if (i == report.best) accuracy = "<b>" + accuracy + "</b>";
    html += "<tr>";
    for (const std::string& text : cells) html += html_cell(text, true);  // figures only: nothing to escape
    html += "</tr>\n";
  }
  html += "</tbody></table></div>";
  if (report.history().size() > most_rows) {
    html += fmt::format("<p class=\"note\">{} of {} epochs, evenly spaced.</p>", most_rows, report.history().size());
  }
  return html;
}

std::string facts_table(const Facts& facts) {
  std::string rows;
  for (const auto& [name, value] : facts) rows += html_fact(name, html_escaped(value));
  return "<table class=\"facts\"><tbody>" + rows + "</tbody></table>";
}

std::string controller_section(const TrainingReport& report) {
  const Facts facts = controller_facts(report.checkpoint, report.path);
  return facts.empty() ? "" : "<section>\n<h2>Controller</h2>\n" + facts_table(facts) + "\n</section>\n\n";
}

std::string warnings(const TrainingReport& report) {
  std::string html;
  if (!report.space_problem.empty()) {
    html += "<p class=\"warn\">" + html_escaped("The network cannot be shown: " + report.space_problem) + "</p>";
  }
  if (report.checkpoint.epochs_done < report.epochs) {
    html += fmt::format("<p class=\"warn\">This training has not finished: {} of {} epochs are done.</p>",
                        report.checkpoint.epochs_done, report.epochs);
  }
  return html;
}

Json chart_data(const TrainingReport& report) {
  return {{"epochs", history_json(report.history())},
          {"planned", report.epochs},
          {"best", report.best ? Json(report.history()[*report.best].epoch) : Json()}};
}

}  // namespace

std::string training_report_html(const TrainingReport& report) {
  return filled_page(
      report_training_page,
      {{"title",
        html_escaped(fmt::format("{}{} on {}", report.space_name, report.checkpoint.model.supernet() ? " supernet" : "",
                                 report.checkpoint.data_name))},
       {"summary", html_escaped(training_summary(report))},
       {"warnings", warnings(report)},
       {"figures", figures(report)},
       {"note", html_escaped(training_note(report))},
       {"loss_panel", html_panel("loss-chart", "loss over epochs", "loss-controls")},
       {"accuracy_panel", html_panel("accuracy-chart", "accuracy over epochs", "accuracy-controls")},
       {"rate_panel", html_panel("rate-chart", "learning rate over epochs")},
       {"epochs", epoch_table(report)},
       {"model", facts_table(model_facts(report))},
       {"data_set", facts_table(data_facts(report))},
       {"configuration", facts_table(configuration_facts(report))},
       {"controller", controller_section(report)},
       {"command", html_escaped(report.command)},
       {"footer", html_escaped(fmt::format("Made by Ridgeline from {}. Charts: Vega 5.22 (BSD-3-Clause), included in "
                                           "this file; nothing is loaded from elsewhere.",
                                           report.path))},
       {"data", script_safe(chart_data(report))},
       {"style", std::string(report_style)},
       {"vega", std::string(report_vega)},
       {"drawing", std::string(report_drawing)},
       {"charts", std::string(report_training_charts)}});
}

}  // namespace ridgeline
