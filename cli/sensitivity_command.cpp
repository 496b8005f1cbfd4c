// sensitivity
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "cli/command_line.hpp"
#include "cli/output_file.hpp"
#include "cli/post_training_options.hpp"
#include "cli/progress.hpp"
#include "cli/shared_options.hpp"
#include "cli/train_options.hpp"
#include "experiments/quantization/post_training.hpp"
#include "experiments/quantization/sensitivity_file.hpp"
#include "experiments/report/report_units.hpp"
#include "experiments/training/evaluate.hpp"
#include "experiments/training/trained_model.hpp"
#include "kernels/executable.hpp"
#include "kernels/pinning.hpp"
#include "kernels/quantization/folded_norms.hpp"

namespace ridgeline {
namespace {

struct SensitivityFlags {
  std::string model, data, part = "both", rule = "positive", csv, problem;
  std::vector<std::string> methods, formats{"int8", "int4"};
  SensitivityOptions options;
  PostTrainingFlags post_training;
  std::size_t images = 256;
  std::optional<double> target_bits;
  bool compare = false, json = false, quiet = false;
};

// What was measured or read, and what was made of it.
struct Found {
  Sensitivity sensitivity;
  std::size_t images = 0;  // 0: read from a table
  std::vector<Agreement> agreements;
  std::vector<FormatPlan> plans;
  std::vector<double> accuracies;  // one a plan, where the network is there
  ProblemFiles problems;
};

bool is_table(const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension().string();
  return extension == ".csv" || extension == ".json" || extension == ".gz";
}

std::vector<SensitivityMethod> methods_of(const std::vector<std::string>& words) {
  const std::span<const std::string> known = sensitivity_method_names();
  std::vector<SensitivityMethod> methods;
  for (const std::string& word : words) {
    const auto found = std::ranges::find(known, word);
    if (found == known.end()) {
      throw ConfigError({"--method", "", "a measure of sensitivity", "'" + word + "'", known_words(word, known)});
    }
    const auto method = static_cast<SensitivityMethod>(found - known.begin());
    if (std::ranges::find(methods, method) == methods.end()) methods.push_back(method);
  }
  return methods;
}

// The table with the columns asked for.
Sensitivity with_methods(Sensitivity sensitivity, const std::vector<std::string>& methods) {
  if (methods.empty()) return sensitivity;
  std::vector<std::size_t> columns;
  for (const std::string& method : methods) columns.push_back(sensitivity.column(method));
  for (SensitivityRow& row : sensitivity.rows) {
    std::vector<double> kept;
    for (const std::size_t column : columns) kept.push_back(row.penalties[column]);
    row.penalties = std::move(kept);
  }
  sensitivity.methods = methods;
  return sensitivity;
}

Found read(const SensitivityFlags& flags, const CLI::App& command) {
  for (const char* name : {"--data", "--formats", "--part", "--images", "--sparsity", "--rule", "--calibration",
                           "--calibration-images", "--passes", "--migration"}) {
    if (command.count(name) == 0) continue;
    throw ConfigError({name, "", "a trained network, which is measured", "'" + flags.model + "', a table of measures",
                       "leave the option out, or name a checkpoint or an .onnx file"});
  }
  Found found;
  found.sensitivity = with_methods(read_sensitivity(flags.model), flags.methods);
  if (!flags.problem.empty()) check_problem_folder(flags.problem, found.sensitivity.methods);
  if (flags.target_bits) found.plans = format_plans(found.sensitivity, *flags.target_bits);
  return found;
}

// What can be known of --target-bits and --problem before anything is measured.
void check_wishes(const SensitivityFlags& flags) {
  if (!flags.problem.empty()) {
    std::vector<std::string> names;
    for (const SensitivityMethod method : flags.options.methods) {
      names.push_back(sensitivity_method_names()[static_cast<std::size_t>(method)]);
    }
    check_problem_folder(flags.problem, names);
  }
  if (flags.target_bits) check_target_bits(flags.options, *flags.target_bits);
}

LabelledImages chosen_images(const SensitivityFlags& flags, const CLI::App& command, const LabelledImages& all) {
  if (command.count("--images") > 0 && flags.images > all.size()) {
    throw ConfigError({"--images", "", fmt::format("at most {}, the validation images there are", all.size()),
                       std::to_string(flags.images), "leave it out to take 256 or all"});
  }
  return calibration_images(all, flags.images);
}

Found measure(const CommandLine& cli, SensitivityFlags& flags, const CLI::App& command) {
  if (flags.data.empty()) {
    throw ConfigError({"--data", "", "the data set that the network was trained for", "none",
                       "name its folder; only a table needs none"});
  }
  SensitivityOptions& options = flags.options;
  options.methods = methods_of(flags.methods.empty() ? std::vector<std::string>{"kl"} : flags.methods);
  if (flags.compare && flags.methods.empty()) {
    options.methods = methods_of({sensitivity_method_names().begin(), sensitivity_method_names().end()});
  }
  options.formats = flags.formats;
  const std::span<const std::string> parts = sensitivity_part_names();
  options.part = static_cast<SensitivityPart>(std::ranges::find(parts, flags.part) - parts.begin());
  options.relevance.rule = flags.rule == "epsilon" ? RelevanceRule::epsilon : RelevanceRule::positive;
  check_wishes(flags);
  const Dataset data = load_dataset(flags.data);
  TrainedModel model = load_trained_model(flags.model, cli.resources);
  adapt(model, data);
  const PinnedThreads pinned(options.threads);
  PhaseLine line(!flags.quiet && !flags.json, cli.progress_bar, 1.0);
  model.design = with_folded_norms(model.design);
  const PostTraining prepared(model, data.train, flags.post_training.options(), options.threads);
  const DesignMaker make = [&](const PrecisionPlan& plan) { return prepared.quantized(plan); };
  Found found;
  const LabelledImages images = chosen_images(flags, command, data.validation);
  found.images = images.size();
  try {
    found.sensitivity = measure_sensitivity(
        make, images, model.normalisation, options,
        [&](const std::string& phase, std::size_t done, std::size_t total) { line.show(phase, done, total); });
    if (!flags.target_bits) return found;
    found.plans = format_plans(found.sensitivity, *flags.target_bits);
    for (const FormatPlan& plan : found.plans) {
      line.show("plans", found.accuracies.size(), found.plans.size());
      const Design made = make(precision_plan(prepared.design().network, found.sensitivity, plan));
      found.accuracies.push_back(evaluate_classifier(made, images, model.normalisation,
                                                     {.threads = options.threads, .emulation = Emulation::missing})
                                     .accuracy);
    }
  } catch (const Unsupported& problem) {
    throw ConfigError({flags.model, "", "a network that this machine executes", problem.what(), ""});
  }
  return found;
}

// ---- as text

std::string penalty_text(const std::string& method, double penalty) {
  if (method == "sqnr") return penalty > 0 ? fmt::format("{:.2f} dB", -10.0 * std::log10(penalty)) : "exact";
  return method == "task" ? fmt::format("{:.2f}", penalty) : fmt::format("{:.4g}", penalty);
}

const SensitivityRow* row_of(const Sensitivity& sensitivity, const std::string& layer, const std::string& format) {
  const auto found = std::ranges::find_if(
      sensitivity.rows, [&](const SensitivityRow& row) { return row.layer == layer && row.format == format; });
  return found == sensitivity.rows.end() ? nullptr : &*found;
}

// Layers by one method, the most sensitive first.
std::string ranking_text(const Sensitivity& sensitivity, const std::string& method, const TextStyle& style) {
  const std::size_t column = sensitivity.column(method);
  std::vector<TextTable::Column> columns{{method, true}, {"layer", false}};
  for (const std::string& format : sensitivity.formats()) columns.push_back({format, true});
  columns.push_back({"weights", true});
  columns.push_back({"MACs", true});
  TextTable table(columns);
  std::size_t rank = 0;
  for (const std::string& layer : layer_ranking(sensitivity, method)) {
    std::vector<std::string> cells{std::to_string(++rank), shortened(layer, 40)};
    const SensitivityRow* any = nullptr;
    for (const std::string& format : sensitivity.formats()) {
      const SensitivityRow* row = row_of(sensitivity, layer, format);
      cells.push_back(row != nullptr ? penalty_text(method, row->penalties[column]) : "-");
      if (row != nullptr) any = row;
    }
    cells.push_back(grouped(any->parameters));
    cells.push_back(grouped(any->macs));
    table.add(std::move(cells));
  }
  return table.text(style);
}

// Every method's rank of every layer, in the order of `task`.
std::string ranks_text(const Sensitivity& sensitivity, const TextStyle& style) {
  std::vector<TextTable::Column> columns{{"layer", false}};
  std::map<std::string, std::vector<std::string>> ranks;
  for (const std::string& method : sensitivity.methods) {
    columns.push_back({method, true});
    std::size_t rank = 0;
    for (const std::string& layer : layer_ranking(sensitivity, method)) ranks[layer].push_back(std::to_string(++rank));
  }
  TextTable table(columns);
  for (const std::string& layer : layer_ranking(sensitivity, "task")) {
    std::vector<std::string> cells{shortened(layer, 40)};
    cells.insert(cells.end(), ranks.at(layer).begin(), ranks.at(layer).end());
    table.add(std::move(cells));
  }
  return table.text(style);
}

std::string agreements_text(const Found& found, const TextStyle& style) {
  TextTable table({{"with task", false},
                   {"Spearman", true},
                   {"Kendall", true},
                   {"Spearman within a format", true},
                   {"seconds", true}});
  for (std::size_t m = 0; m < found.agreements.size(); ++m) {
    const Agreement& one = found.agreements[m];
    const std::vector<double>& seconds = found.sensitivity.seconds;
    table.add({one.method, fmt::format("{:.3f}", one.spearman), fmt::format("{:.3f}", one.kendall),
               fmt::format("{:.3f}", one.within_formats),
               m < seconds.size() ? fmt::format("{:.2f}", seconds[m]) : "-"});
  }
  return table.text(style);
}

std::string plans_text(const Found& found, const TextStyle& style) {
  const Sensitivity& sensitivity = found.sensitivity;
  TextTable summary({{"plan by", false},
                     {"bits a weight", true},
                     {"weights", true},
                     {"times smaller", true},
                     {"predicted penalty", true},
                     {"accuracy (%)", true}});
  std::vector<TextTable::Column> columns{{"layer", false}};
  for (std::size_t p = 0; p < found.plans.size(); ++p) {
    const FormatPlan& plan = found.plans[p];
    summary.add({plan.method, fmt::format("{:.3f}", plan.average_bits), pretty(plan.weight_bytes, "B"),
                 fmt::format("{:.2f}", plan.compression), fmt::format("{:.4g}", plan.penalty),
                 p < found.accuracies.size() ? fmt::format("{:.2f}", 100.0 * found.accuracies[p]) : "-"});
    columns.push_back({plan.method, false});
  }
  TextTable layers(columns);
  const std::vector<std::string> names = sensitivity.layers();
  for (std::size_t l = 0; l < names.size(); ++l) {
    std::vector<std::string> cells{shortened(names[l], 40)};
    for (const FormatPlan& plan : found.plans) cells.push_back(plan.formats[l]);
    layers.add(std::move(cells));
  }
  return layers.text(style) + "\n" + summary.text(style);
}

std::string found_text(const Found& found, const SensitivityFlags& flags, const TextStyle& style) {
  const Sensitivity& sensitivity = found.sensitivity;
  std::string text;
  if (found.images > 0) {
    text = fmt::format("{} on {} images: accuracy {} in f32\n\n", flags.model, found.images,
                       percent(sensitivity.accuracy, 2));
  }
  if (flags.compare) {
    text += ranks_text(sensitivity, style) + "\n" + agreements_text(found, style);
  } else {
    for (std::size_t m = 0; m < sensitivity.methods.size(); ++m) {
      text += (m > 0 ? "\n" : "") + ranking_text(sensitivity, sensitivity.methods[m], style);
    }
  }
  if (!found.plans.empty()) text += "\n" + plans_text(found, style);
  for (const Sensitivity::LeftOut& one : sensitivity.left_out) {
    text += fmt::format("left out: {}: {}\n", one.layer, one.why);
  }
  if (!found.problems.problems.empty()) {
    text += fmt::format("\nallocate: ridgeline allocate {} --budget average_bits=6\n", found.problems.problems.front());
  }
  return text;
}

// ---- as JSON

Json found_json(const Found& found, const SensitivityFlags& flags) {
  const Sensitivity& sensitivity = found.sensitivity;
  Json rows = Json::array(), left_out = Json::array(), plans = Json::array(), methods = Json::object();
  for (const SensitivityRow& row : sensitivity.rows) {
    Json penalties = Json::object();
    for (std::size_t m = 0; m < sensitivity.methods.size(); ++m) penalties[sensitivity.methods[m]] = row.penalties[m];
    rows.push_back({{"layer", row.layer},
                    {"format", row.format},
                    {"penalties", std::move(penalties)},
                    {"parameters", row.parameters},
                    {"macs", row.macs},
                    {"bits", row.bits},
                    {"bit_operations", row.bit_operations},
                    {"weight_bytes", row.weight_bytes}});
  }
  for (std::size_t m = 0; m < sensitivity.methods.size(); ++m) {
    Json& method = methods[sensitivity.methods[m]];
    method["ranking"] = layer_ranking(sensitivity, sensitivity.methods[m]);
    if (m < sensitivity.seconds.size()) method["seconds"] = sensitivity.seconds[m];
    if (m >= found.agreements.size()) continue;
    method["spearman"] = found.agreements[m].spearman;
    method["kendall"] = found.agreements[m].kendall;
    method["spearman_within_formats"] = found.agreements[m].within_formats;
  }
  const std::vector<std::string> layers = sensitivity.layers();
  for (std::size_t p = 0; p < found.plans.size(); ++p) {
    const FormatPlan& plan = found.plans[p];
    Json formats = Json::object();
    for (std::size_t l = 0; l < layers.size(); ++l) formats[layers[l]] = plan.formats[l];
    plans.push_back({{"method", plan.method},
                     {"formats", std::move(formats)},
                     {"average_bits", plan.average_bits},
                     {"weight_bytes", plan.weight_bytes},
                     {"compression", plan.compression},
                     {"penalty", plan.penalty},
                     {"accuracy", p < found.accuracies.size() ? Json(found.accuracies[p]) : Json()}});
  }
  for (const Sensitivity::LeftOut& one : sensitivity.left_out) {
    left_out.push_back({{"layer", one.layer}, {"why", one.why}});
  }
  return {{"model", flags.model},
          {"part", sensitivity_part_names()[static_cast<std::size_t>(sensitivity.part)]},
          {"images", found.images},
          {"accuracy", found.images > 0 ? Json(sensitivity.accuracy) : Json()},
          {"methods", std::move(methods)},
          {"rows", std::move(rows)},
          {"left_out", std::move(left_out)},
          {"plans", std::move(plans)},
          {"csv", flags.csv},
          {"problems", found.problems.problems}};
}

int run_sensitivity(const CommandLine& cli, SensitivityFlags flags, const CLI::App& command) {
  if (!flags.csv.empty()) {
    check_writable(flags.csv, "--csv");
    check_different(flags.csv, "--csv", flags.model, "the model");
  }
  if (flags.compare && !flags.methods.empty() && std::ranges::find(flags.methods, "task") == flags.methods.end()) {
    flags.methods.emplace_back("task");
  }
  Found found = is_table(flags.model) ? read(flags, command) : measure(cli, flags, command);
  if (flags.compare) {
    if (std::ranges::find(found.sensitivity.methods, "task") == found.sensitivity.methods.end()) {
      throw ConfigError({"--compare", "", "a column 'task' to compare with", "none in '" + flags.model + "'",
                         "measure it with --method task"});
    }
    found.agreements = agreements(found.sensitivity, "task");
  }
  if (!flags.csv.empty()) write_file(flags.csv, sensitivity_csv(found.sensitivity), "--csv");
  if (!flags.problem.empty()) found.problems = write_allocation_problems(flags.problem, found.sensitivity);
  if (flags.json) {
    cli.print_json(found_json(found, flags));
  } else if (!flags.quiet) {
    cli.print(found_text(found, flags, cli.style));
  }
  return exit_done;
}

}  // namespace

void add_sensitivity_command(CLI::App& app, CommandLine& cli) {
  const auto flags = std::make_shared<SensitivityFlags>();
  flags->options.threads = allowed_processors();
  CLI::App* command = add_command(
      app, "sensitivity", "what each layer of a trained network loses in each number format, by many measures",
      "ridgeline sensitivity cnn.ckpt --data glyphs --formats int8,int4 --method kl,lrp --problem kl");
  command
      ->add_option("model", flags->model, "a checkpoint, an .onnx file, or a table of sensitivities (.csv, .json, .gz)")
      ->required();
  command->add_option("--data", flags->data, "folder of a data set: train calibrates, validation is measured on");
  const auto list = [&](const char* name, std::vector<std::string>& words, const std::string& about) {
    return command->add_option(name, words, about)->delimiter(',')->allow_extra_args(false);
  };
  list("--method", flags->methods,
       fmt::format("measures, with commas: {}; default: kl, with --compare all, of a table all it has",
                   fmt::join(sensitivity_method_names(), ", ")));
  list("--formats", flags->formats, "number formats, with commas, or WEIGHTS/ACTIVATIONS such as int4@channel/int8")
      ->capture_default_str();
  command->add_option("--part", flags->part, "what of an operator has the format: both, weights or activations")
      ->check(CLI::IsMember(std::vector<std::string>(sensitivity_part_names().begin(), sensitivity_part_names().end())))
      ->capture_default_str();
  command->add_option("--images", flags->images, "validation images to measure on")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--sparsity", flags->options.sparsity, "of prune: the share of a layer's weights that is removed")
      ->check(CLI::Range(0.01, 0.99))
      ->capture_default_str();
  add_post_training_options(*command, flags->post_training);
  command->add_option("--rule", flags->rule, "of lrp: positive (the z+ rule) or epsilon")
      ->check(CLI::IsMember({"positive", "epsilon"}))
      ->capture_default_str();
  command->add_flag("--compare", flags->compare, "all measures' rankings side by side, and how they agree with task");
  command
      ->add_option("--target-bits", flags->target_bits,
                   "also the formats that each measure would give the layers at so many bits a weight on average")
      ->check(CLI::PositiveNumber);
  command->add_option("--csv", flags->csv, "write the table to this file");
  command->add_option("--problem", flags->problem,
                      "folder for the table and a problem for each measure, for ridgeline allocate");
  add_threads_option(*command, flags->options.threads);
  add_silent_option(*command, flags->quiet);
  add_json_option(*command, flags->json);
  command->callback([&cli, flags, command] {
    cli.action = [&cli, flags, command] { return run_sensitivity(cli, *flags, *command); };
  });
}

}  // namespace ridgeline
