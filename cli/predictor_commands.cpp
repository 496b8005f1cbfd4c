// predictor train, eval, list; predictor curve, export and graph are in files of their own
#include <fmt/format.h>

#include <algorithm>

#include "cli/command_line.hpp"
#include "cli/feature_options.hpp"
#include "cli/output_file.hpp"
#include "cli/progress.hpp"
#include "experiments/report/learned_score.hpp"
#include "experiments/report/report_explain.hpp"
#include "experiments/report/report_units.hpp"
#include "experiments/report/stored_study.hpp"

namespace ridgeline {
namespace {

struct PredictorFlags {
  std::string database, study, file, features = "auto", from;
  LearningOptions options;
  bool json = false, quiet = false;
};

Json error_json(const LearnedError& error) {
  Json json{{"trials", error.trials},    {"rmse", error.rmse}, {"mean_absolute_error", error.mean_absolute},
            {"least", error.least},      {"most", error.most}, {"rmse_of_range", error.share()},
            {"spearman", error.spearman}};
  if (!error.agreement) return json;
  const PredictionAgreement& all = *error.agreement;
  json["kendall"] = all.kendall;
  json["recall_of_best_tenth"] = all.recall;
  if (all.relative) {
    json["mean_absolute_percentage_error"] = all.relative->percentage_error;
    json["within_5_percent"] = all.relative->within_5;
    json["within_10_percent"] = all.relative->within_10;
  }
  for (std::size_t i = 0; i < all.levels.size(); ++i) {
    json[fmt::format("coverage_{:.0f}", 100 * PredictionAgreement::levels[i])] = all.coverage[i];
  }
  json["mean_standardised_square"] = all.standardised_square;
  return json;
}

std::string agreement_text(const PredictionAgreement& all) {
  std::string text =
      fmt::format("Kendall {:.4f}, {:.0f} % of the best tenth found again\n", all.kendall, 100.0 * all.recall);
  if (all.relative) {
    text +=
        fmt::format("mean percentage error {:.2f} %, {:.0f} % within +-5 %, {:.0f} % within +-10 %\n",
                    all.relative->percentage_error, 100.0 * all.relative->within_5, 100.0 * all.relative->within_10);
  }
  return text + fmt::format(
                    "deviations: {:.0f}, {:.0f} and {:.0f} % within the 50, 90 and 95 % intervals, mean squared "
                    "error over variance {:.2f}\n",
                    100.0 * all.coverage[0], 100.0 * all.coverage[1], 100.0 * all.coverage[2], all.standardised_square);
}

std::string error_text(const LearnedError& error, const std::string& unit) {
  const auto value = [&](double number) { return pretty(number, unit); };
  return fmt::format("RMSE {} ({:.2f} % of the range from {} to {}), mean error {}, Spearman {:.4f}", value(error.rmse),
                     100.0 * error.share(), value(error.least), value(error.most), value(error.mean_absolute),
                     error.spearman);
}

std::string time_text(double seconds) { return pretty(seconds, "s"); }

// --from and --device, which mean something to some predictors alone.
void read_kind(PredictorFlags& flags) {
  LearningOptions& options = flags.options;
  const FeatureChoice features = options.prediction.features;
  const bool graph = options.prediction.predictor == "graph", transfer = options.prediction.predictor == "transfer";
  if ((graph || transfer) && features != FeatureChoice::automatic) {
    throw ConfigError({"--features", "", "none with --predictor " + options.prediction.predictor, flags.features,
                       "a graph network looks at networks, a transfer at --from"});
  }
  if (transfer || !flags.from.empty()) options.from = OtherCostSource::parse(flags.from);
  if (options.graph.pretrain > 0 && !graph) {
    throw ConfigError({"--pretrain", "", "0 without --predictor graph", std::to_string(options.graph.pretrain), ""});
  }
  if (graph && options.devices.size() == 1 && options.graph.pretrain > 0) {
    options.graph.device = options.devices.front();
    options.devices.clear();
  }
  const bool looks = has_costs(features) || features == FeatureChoice::automatic;
  check_feature_devices(options.devices, looks && !graph && !transfer);
}

int train(const CommandLine& cli, PredictorFlags& flags) {
  check_writable(flags.file, "--out");
  FeatureChoice& features = flags.options.prediction.features;
  features = feature_choice(flags.features);
  read_kind(flags);
  const Store store(flags.database, Store::Mode::read);
  const LearnedScore score = [&] {
    PhaseLine line(!flags.quiet, cli.progress_bar, 2.0);
    flags.options.progress = [&](std::size_t done, std::size_t total) { line.show("fit", done, total); };
    return learn_score(store, cli.resources, flags.options);
  }();
  const LearnedSpeed speed = time_score(score, store, cli.resources, score.study);
  write_file(flags.file, score.save().dump() + "\n", "--out");
  const double ratio = speed.evaluator_s / speed.score_s;
  if (flags.json) {
    cli.print_json({{"predicted_by", score.form.text()},
                    {"trials", score.trials},
                    {"held_out", error_json(score.held_out)},
                    {"evaluator_s", speed.evaluator_s},
                    {"predictor_s", speed.score_s},
                    {"speed_up", ratio}});
    return exit_done;
  }
  cli.print(fmt::format(
      "{} of {}: {}, {} trials\n{} trials held out: {}\n{} a candidate in place of {}: {:.3g} times as fast\nwrote {}: "
      "in a study, \"from\": {{\"evaluator\": \"predictor\", \"file\": \"{}\"}}\n",
      plain_name(score.objective, score.unit), score.study, score.form.text(), score.trials, score.held_out.trials,
      error_text(score.held_out, score.unit), time_text(speed.score_s), time_text(speed.evaluator_s), ratio, flags.file,
      flags.file));
  return exit_done;
}

int evaluate(const CommandLine& cli, const PredictorFlags& flags) {
  const Store store(flags.database, Store::Mode::read);
  const StudyRecord record = find_study(store, flags.study);
  const StudyConfig config = parse_study(JsonDocument::parse(record.config, "stored configuration of " + record.name));
  const auto space = std::make_shared<const SearchSpace>(stored_space(record, config, cli.resources));
  const LearnedScore score = LearnedScore::load(flags.file, space, cli.resources);
  const LearnedError error = judge_score(score, store, record);
  if (flags.json) {
    cli.print_json(error_json(error));
    return exit_done;
  }
  cli.print(fmt::format("{} by {}, learnt from {}, on {} trials of {}\n{}\n", plain_name(score.objective, score.unit),
                        score.form.text(), score.study, error.trials, record.name, error_text(error, score.unit)));
  if (error.agreement) cli.print(agreement_text(*error.agreement));
  return exit_done;
}

// Those that do not look at rows of features.
std::span<const std::pair<std::string, std::string>> other_kinds() {
  static const std::vector<std::pair<std::string, std::string>> kinds{
      {"transfer", "few-shot transfer from costs on other devices (as Lee et al., 2021): train, curve"},
      {"graph", "graph network on the candidates' networks, pre-trained or not (as Dai et al., 2021): train, graph"}};
  return kinds;
}

int list(const CommandLine& cli, const PredictorFlags& flags) {
  Json names = Json::array();
  TextTable table({{"predictor", false}, {"what", false}});
  for (const PredictorEntry& entry : predictors()) {
    names.push_back({{"name", entry.name}, {"about", entry.about}});
    table.add({entry.name, entry.about});
  }
  for (const auto& [name, about] : other_kinds()) {
    names.push_back({{"name", name}, {"about", about}});
    table.add({name, about});
  }
  if (flags.json) {
    cli.print_json(names);
  } else {
    cli.print(table.text(cli.style));
  }
  return exit_done;
}

}  // namespace

void add_predictor_commands(CLI::App& app, CommandLine& cli) {
  auto flags = std::make_shared<PredictorFlags>();
  CLI::App* group = add_command(app, "predictor", "scores learnt from stored trials, in place of what gave them",
                                "ridgeline predictor train codesign --objective energy_j --out energy.json");
  group->require_subcommand(1);

  CLI::App* command = add_command(
      *group, "train", "fit a predictor to one objective of a stored study; its error on trials held out, its speed-up",
      "ridgeline predictor train codesign --objective energy_j --out energy.json --db ridgeline.db\n"
      "  ridgeline predictor train demo --objective latency_s --features genes+costs --device pixel_6 --out ms.json\n"
      "  ridgeline predictor train demo --objective latency_s --predictor transfer --from pixel_6,raspberry_pi_4 --out "
      "t.json");
  command->add_option("study", flags->options.study, "name of a stored study")->required();
  command->add_option("--objective", flags->options.objective, "an objective or a constraint of the study")->required();
  command->add_option("--out", flags->file, "the file to write")->required();
  std::vector<std::string> names{"auto"};
  for (const PredictorEntry& entry : predictors()) names.push_back(entry.name);
  names.insert(names.end(), {"transfer", "graph"});
  command
      ->add_option("--predictor", flags->options.prediction.predictor,
                   "auto: whichever of those on features is best by cross-validation; transfer: from costs on other "
                   "devices; graph: a network on networks")
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  std::vector<std::string> features;  // a network's are only known once it is decoded, which a learnt score saves
  for (const std::string& name : feature_choice_names()) {
    if (name != name_of(FeatureChoice::network)) features.push_back(name);
  }
  command->add_option("--features", flags->features, "what it looks at")
      ->check(CLI::IsMember(features))
      ->capture_default_str();
  add_feature_device_option(*command, flags->options.devices);
  command->add_option("--from", flags->from,
                      "of a transfer: described devices, or a table and its values: pixel_6,raspberry_pi_4, "
                      "nasbench201:latency_s_pixel3,latency_s_raspi4");
  command
      ->add_option("--pretrain", flags->options.graph.pretrain,
                   "of graph: random candidates that it is trained on without labels, latency estimated on --device")
      ->check(CLI::Range(std::size_t{0}, std::size_t{1'000'000}))
      ->capture_default_str();
  command->add_option("--held-out", flags->options.held_out, "share of the trials that judge")
      ->check(CLI::Range(0.01, 0.9))
      ->capture_default_str();
  command->add_option("--seed", flags->options.seed, "decides which trials are held out")->capture_default_str();
  add_database_option(*command, flags->database);
  command->add_flag("--quiet", flags->quiet, "no progress");
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return train(cli, *flags); }; });

  command = add_command(*group, "eval", "how far a trained predictor is from the trials of a stored study",
                        "ridgeline predictor eval energy.json codesign_2 --db ridgeline.db");
  command->add_option("file", flags->file, "what predictor train wrote")->required();
  command->add_option("study", flags->study, "name of a stored study of the same space")->required();
  add_database_option(*command, flags->database);
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return evaluate(cli, *flags); }; });

  add_predictor_export_command(*group, cli);
  add_graph_command(*group, cli);
  add_curve_command(*group, cli);

  command = add_command(*group, "list", "the predictors there are", "ridgeline predictor list");
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return list(cli, *flags); }; });
}

}  // namespace ridgeline
