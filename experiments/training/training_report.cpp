#include "experiments/training/training_report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/report/report_markup.hpp"
#include "experiments/training/controller_report.hpp"
#include "kernels/training/shared_parameters.hpp"
#include "spaces/config_error.hpp"
#include "spaces/counts.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t most_rows = 40;  // of the terminal's table

void describe_network(TrainingReport& report, const Resources& resources) {
  const ModelCheckpoint& checkpoint = report.checkpoint;
  try {
    const SearchSpace space = open_space(checkpoint.model, resources);
    report.space_name = space.name();
    if (checkpoint.model.supernet()) {
      report.macs = macs(space.decode(space.normalise(largest_genome(space))).network);
      return;
    }
    const std::string changed = "the space '" + space.name() + "' has changed since";
    if (space.violation(checkpoint.model.genome)) {
      report.space_problem = changed;
      return;
    }
    const Network network = space.decode(checkpoint.model.genome).network;
    if (structural_hash(network) != checkpoint.network_hash) {
      report.space_problem = changed;
      return;
    }
    report.choices = grouped_choices(space, checkpoint.model.genome);
    report.macs = macs(network);
  } catch (const ConfigError& problem) {
    report.space_problem = problem.what();
  }
}

// Training as a dotted line, validation as marks.
std::string accuracy_plot(const TrainingReport& report, const TextStyle& style) {
  const std::vector<EpochRecord>& history = report.history();
  if (history.size() < 2) return "";
  std::vector<PlotPoint> points;
  constexpr int between = 200;
  const double last = static_cast<double>(history.size() - 1);
  for (int k = 0; k <= between; ++k) {
    const double at = last * k / between;
    const auto low = static_cast<std::size_t>(at);
    const std::size_t high = std::min(low + 1, history.size() - 1);
    const double share = at - static_cast<double>(low);
    points.push_back({history[0].epoch + at,
                      100 * ((1 - share) * history[low].train_accuracy + share * history[high].train_accuracy), false});
  }
  for (const std::size_t i : shown_epochs(report, 36)) {
    points.push_back({static_cast<double>(history[i].epoch), 100 * history[i].validation_accuracy, true});
  }
  const char* heading =
      style.unicode ? "accuracy (%): validation ●, train dotted" : "accuracy (%): validation o, train .";
  return scatter_plot(points, "epoch", heading, style);
}

std::string spaced(std::string key) {
  std::replace(key.begin(), key.end(), '_', ' ');
  return key;
}

std::string setting_text(const Json& value) {
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_array()) {
    std::string text;
    for (const Json& one : value) text += (text.empty() ? "" : "; ") + setting_text(one);
    return text.empty() ? "none" : text;
  }
  if (!value.is_object()) return choice_text(value);
  std::string text = value.contains("kind") ? choice_text(value["kind"]) : "";
  for (const auto& [key, one] : value.items()) {
    if (key != "kind") text += (text.empty() ? "" : ", ") + spaced(key) + " " + setting_text(one);
  }
  return text;
}

std::string listed(const std::vector<float>& values) {
  std::string text;
  for (const float value : values) text += fmt::format("{}{:.4f}", text.empty() ? "" : ", ", value);
  return text;
}

}  // namespace

TrainingReport training_report_of(const std::string& path, const Resources& resources) {
  TrainingReport report;
  report.path = path;
  report.checkpoint = read_checkpoint(path);
  report.parameters = static_cast<std::int64_t>(report.checkpoint.state.parameters.size());
  report.checkpoint.state = {};
  report.epochs = report.checkpoint.training.value("epochs", report.checkpoint.epochs_done);
  report.space_name = report.checkpoint.model.space;
  describe_network(report, resources);
  const std::vector<EpochRecord>& history = report.history();
  const auto worse = [](const EpochRecord& a, const EpochRecord& b) {
    return a.validation_accuracy < b.validation_accuracy;
  };
  if (!history.empty()) {
    report.best = static_cast<std::size_t>(std::max_element(history.begin(), history.end(), worse) - history.begin());
  }
  report.command = train_command(report.checkpoint, path);
  return report;
}

bool has_smallest(const TrainingReport& report) {
  const auto has = [](const EpochRecord& one) { return one.smallest_accuracy.has_value(); };
  return std::any_of(report.history().begin(), report.history().end(), has);
}

bool has_controller(const TrainingReport& report) { return !report.checkpoint.controller.is_null(); }

std::vector<std::string> epoch_headings(const TrainingReport& report) {
  std::vector<std::string> names{"epoch",          "learning rate",   "train loss",
                                 "train accuracy", "validation loss", "validation accuracy"};
  if (has_smallest(report)) names.emplace_back("of the smallest");
  if (has_controller(report)) names.emplace_back("policy entropy");
  names.emplace_back("time");
  return names;
}

std::vector<std::string> epoch_cells(const TrainingReport& report, const EpochRecord& one) {
  std::vector<std::string> cells{
      std::to_string(one.epoch),      fmt::format("{:.4g}", one.learning_rate),   fmt::format("{:.4f}", one.train_loss),
      percent(one.train_accuracy, 2), fmt::format("{:.4f}", one.validation_loss), percent(one.validation_accuracy, 2)};
  if (has_smallest(report)) cells.push_back(one.smallest_accuracy ? percent(*one.smallest_accuracy, 2) : "");
  if (has_controller(report)) cells.push_back(one.policy_entropy ? percent(*one.policy_entropy, 1) : "");
  cells.push_back(fmt::format("{:.1f} s", one.seconds));
  return cells;
}

std::vector<std::size_t> shown_epochs(const TrainingReport& report, std::size_t most) {
  const std::size_t count = report.history().size(), shown = std::min(count, most);
  std::vector<std::size_t> indices;
  for (std::size_t k = 1; k <= shown; ++k) indices.push_back(k * count / shown - 1);
  return indices;
}

std::string training_summary(const TrainingReport& report) {
  std::string text =
      fmt::format("{}{} trained on {}, {} of {} epochs", report.checkpoint.model.supernet() ? "The supernet of " : "",
                  report.space_name, report.checkpoint.data_name, report.checkpoint.epochs_done, report.epochs);
  if (!report.best) return text + ".";
  const EpochRecord &last = report.history().back(), &best = report.history()[*report.best];
  text += fmt::format(": validation accuracy {}", percent(last.validation_accuracy, 2));
  if (best.epoch != last.epoch) {
    text += fmt::format(" (the best was {} after epoch {})", percent(best.validation_accuracy, 2), best.epoch);
  }
  if (last.smallest_accuracy) {
    text += fmt::format(" of the largest candidate, {} of the smallest", percent(*last.smallest_accuracy, 2));
  }
  text += fmt::format(", {} parameters", pretty(static_cast<double>(report.parameters), ""));
  if (report.macs) text += fmt::format(", {} MACs", pretty(static_cast<double>(*report.macs), ""));
  return text + ".";
}

std::string training_note(const TrainingReport& report) {
  const Json& training = report.checkpoint.training;
  std::string text =
      "Train values are means over the epoch, while the weights change, of images as they were augmented";
  if (const double smoothing = training.value("label_smoothing", 0.0); smoothing > 0) {
    text += fmt::format(" and of labels smoothed by {:g}", smoothing);
  }
  text += "; validation values are of plain images after the epoch";
  if (training.value("average_decay", 0.0) > 0) text += ", by the moving average of the weights";
  if (report.checkpoint.model.supernet()) text += ", of the largest candidate and the smallest";
  if (training.contains("quantize")) text += ", in the formats that were trained through";
  return text + ". The two are not measured alike: a gap alone is no overfitting.";
}

Facts model_facts(const TrainingReport& report) {
  const ModelSource& model = report.checkpoint.model;
  Facts facts{{"space", model.space == report.space_name ? model.space
                                                         : fmt::format("{} ({})", report.space_name, model.space)}};
  for (const auto& [name, value] : model.parameters) facts.emplace_back("parameter " + name, choice_text(value));
  for (const auto& [name, choices] : report.choices) facts.emplace_back(name, choices);
  if (model.supernet()) facts.emplace_back("candidates", "all, in shared parameters");
  if (!model.supernet() && report.choices.empty()) facts.emplace_back("genes", Json(model.genome.genes).dump());
  facts.emplace_back("parameters", grouped(report.parameters));
  if (report.macs)
    facts.emplace_back(model.supernet() ? "MACs of the largest, one image" : "MACs of an image", grouped(*report.macs));
  facts.emplace_back("network", hex64(report.checkpoint.network_hash));
  facts.emplace_back("space fingerprint", hex64(report.checkpoint.space_fingerprint));
  return facts;
}

Facts data_facts(const TrainingReport& report) {
  const ModelCheckpoint& checkpoint = report.checkpoint;
  std::string names;
  for (const std::string& name : checkpoint.class_names) names += (names.empty() ? "" : " ") + name;
  Facts facts{{"data set", checkpoint.data_name}};
  if (!checkpoint.data_path.empty()) facts.emplace_back("read from", checkpoint.data_path);
  facts.emplace_back("fingerprint", hex64(checkpoint.data_fingerprint));
  facts.emplace_back("classes", fmt::format("{}: {}", checkpoint.class_names.size(), shortened(names, 300)));
  facts.emplace_back("normalised by",
                     fmt::format("mean {}, standard deviation {}", listed(checkpoint.mean), listed(checkpoint.stddev)));
  return facts;
}

Facts configuration_facts(const TrainingReport& report) {
  Facts facts;
  for (const auto& [key, value] : report.checkpoint.training.items()) {
    facts.emplace_back(spaced(key), setting_text(value));
  }
  return facts;
}

std::string training_report_text(const TrainingReport& report, const TextStyle& style) {
  std::string text = training_summary(report) + "\n";
  for (const auto& [name, choices] : report.choices) text += fmt::format("  {}: {}\n", name, choices);
  std::vector<TextTable::Column> columns;
  for (const std::string& heading : epoch_headings(report)) columns.push_back({heading, true});
  TextTable table(columns);
  for (const std::size_t i : shown_epochs(report, most_rows)) table.add(epoch_cells(report, report.history()[i]));
  text += "\n" + table.text(style);
  if (report.history().size() > most_rows) {
    text += fmt::format("{} of {} epochs, evenly spaced\n", most_rows, report.history().size());
  }
  if (const std::string plot = accuracy_plot(report, style); !plot.empty()) text += "\n" + plot;
  if (has_controller(report)) text += "\n" + controller_text(report.checkpoint, report.path, style);
  if (!report.space_problem.empty()) text += "\nthe network cannot be shown: " + report.space_problem + "\n";
  return text + "\nagain\n  " + report.command + "\n";
}

std::string training_report_csv(const TrainingReport& report) {
  std::vector<std::string> names{"epoch",           "learning_rate",       "train_loss",        "train_accuracy",
                                 "validation_loss", "validation_accuracy", "smallest_accuracy", "time_s"};
  if (has_controller(report)) names.emplace_back("policy_entropy");
  std::string text = csv_line(names);
  for (const EpochRecord& one : report.history()) {
    std::vector<std::string> cells{std::to_string(one.epoch),
                                   exact_text(one.learning_rate),
                                   exact_text(one.train_loss),
                                   exact_text(one.train_accuracy),
                                   exact_text(one.validation_loss),
                                   exact_text(one.validation_accuracy),
                                   one.smallest_accuracy ? exact_text(*one.smallest_accuracy) : "",
                                   exact_text(one.seconds)};
    if (has_controller(report)) cells.push_back(one.policy_entropy ? exact_text(*one.policy_entropy) : "");
    text += csv_line(cells);
  }
  return text;
}

std::string training_report_markdown(const TrainingReport& report) {
  std::string text = fmt::format("# {} on {}\n\n{}\n\n## Epochs\n\n", markdown_cell(report.space_name),
                                 markdown_cell(report.checkpoint.data_name), markdown_cell(training_summary(report)));
  text += markdown_row(epoch_headings(report)) +
          markdown_row(std::vector<std::string>(epoch_headings(report).size(), "--:"));
  for (const EpochRecord& one : report.history()) text += markdown_row(epoch_cells(report, one));
  text += "\n" + markdown_cell(training_note(report)) + "\n";
  const auto section = [&](const char* heading, const Facts& facts) {
    text += fmt::format("\n## {}\n\n", heading);
    for (const auto& [name, value] : facts)
      text += fmt::format("- {}: {}\n", markdown_cell(name), markdown_cell(value));
  };
  section("Model", model_facts(report));
  section("Data", data_facts(report));
  section("Configuration", configuration_facts(report));
  if (has_controller(report)) section("Controller", controller_facts(report.checkpoint, report.path));
  return text + "\n```\n" + report.command + "\n```\n";
}

Json training_report_json(const TrainingReport& report) {
  const ModelCheckpoint& checkpoint = report.checkpoint;
  Json choices = Json::object();
  for (const auto& [name, value] : report.choices) choices[name] = value;
  return {{"ridgeline_training_report", 1},
          {"checkpoint", report.path},
          {"model",
           {{"space", checkpoint.model.space},
            {"space_parameters", checkpoint.model.parameters},
            {"space_fingerprint", hex64(checkpoint.space_fingerprint)},
            {"space_problem", report.space_problem},
            {"genes", checkpoint.model.genome.genes},
            {"choices", choices},
            {"network", hex64(checkpoint.network_hash)},
            {"parameters", report.parameters},
            {"macs", report.macs ? Json(*report.macs) : Json()}}},
          {"data",
           {{"name", checkpoint.data_name},
            {"path", checkpoint.data_path},
            {"fingerprint", hex64(checkpoint.data_fingerprint)},
            {"classes", checkpoint.class_names},
            {"mean", checkpoint.mean},
            {"stddev", checkpoint.stddev}}},
          {"training", checkpoint.training},
          {"epochs_done", checkpoint.epochs_done},
          {"best_epoch", report.best ? Json(report.history()[*report.best].epoch) : Json()},
          {"history", history_json(checkpoint.history)},
          {"controller", controller_json(checkpoint, report.path)},
          {"command", report.command}};
}

}  // namespace ridgeline
