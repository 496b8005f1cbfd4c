// predictor graph
#include <fmt/format.h>

#include <algorithm>

#include "cli/command_line.hpp"
#include "cli/progress.hpp"
#include "experiments/learning/graph_trials.hpp"

namespace ridgeline {
namespace {

struct GraphCommand {
  std::string study, transfer_from;
  std::vector<std::string> overrides;
  GraphProblemOptions problem;
  GraphTrialOptions trials;
  int threads = 0;
  bool json = false, quiet = false;
};

std::string interval_text(const MeanInterval& mean) {
  return mean.interval ? fmt::format("{:.3f} to {:.3f}", mean.interval->low, mean.interval->high) : "";
}

Json interval_json(const MeanInterval& mean) {
  Json json{{"mean", mean.mean}, {"seeds", mean.count}};
  if (mean.interval) json["interval"] = {mean.interval->low, mean.interval->high};
  return json;
}

void print_json(const CommandLine& cli, const GraphCommand& command, const GraphProblem& problem,
                const GraphComparison& result) {
  Json rows = Json::array(), gain = Json::array();
  for (const GraphTrialRow& row : result.rows) {
    rows.push_back({{"method", row.method},
                    {"labels", row.labels},
                    {"kendall", interval_json(row.kendall)},
                    {"spearman", interval_json(row.spearman)}});
  }
  for (std::size_t l = 0; l < result.gain.size(); ++l) {
    gain.push_back({{"labels", command.trials.labels[l]}, {"kendall", interval_json(result.gain[l])}});
  }
  Json json{{"study", problem.study},
            {"objective", problem.objective},
            {"held_out", result.held_out},
            {"pretrained_on", problem.unlabelled.graphs.size()},
            {"rows", std::move(rows)}};
  if (!gain.empty()) json["gain_by_pretraining"] = std::move(gain);
  if (!command.transfer_from.empty()) json["transfer_from"] = command.transfer_from;
  cli.print_json(json);
}

void print_text(const CommandLine& cli, const GraphCommand& command, const GraphProblem& problem,
                const GraphComparison& result) {
  TextTable table(
      {{"labels", true}, {"method", false}, {"Kendall", true}, {"95 %", true}, {"Spearman", true}, {"95 %", true}});
  for (const GraphTrialRow& row : result.rows) {
    table.add({std::to_string(row.labels), row.method, fmt::format("{:.3f}", row.kendall.mean),
               interval_text(row.kendall), fmt::format("{:.3f}", row.spearman.mean), interval_text(row.spearman)});
  }
  std::string text = fmt::format("{} of {}: {} networks judge, {} seeds, pre-trained on {} networks without labels\n",
                                 problem.objective, problem.study, result.held_out, command.trials.seeds,
                                 problem.unlabelled.graphs.size());
  if (!command.transfer_from.empty()) {
    text += fmt::format("transfer from {}, {} labels of it; 0 labels of its own: zero-shot\n", command.transfer_from,
                        command.trials.source_labels);
  }
  text += table.text(cli.style);
  for (std::size_t l = 0; l < result.gain.size(); ++l) {
    const std::string interval = interval_text(result.gain[l]);
    text += fmt::format("pre-training changes Kendall by {:+.3f}{} with {} labels\n", result.gain[l].mean,
                        interval.empty() ? "" : " (95 %: " + interval + ")", command.trials.labels[l]);
  }
  cli.print(text);
}

int graph(const CommandLine& cli, GraphCommand command) {
  std::vector<std::size_t>& counts = command.trials.labels;
  std::ranges::sort(counts);
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  PhaseLine line(!command.quiet, cli.progress_bar, 1);
  WorkerPool pool(command.threads);
  const auto load = [&](const std::string& study, std::size_t labels, const std::vector<std::string>& overrides) {
    GraphProblemOptions options = command.problem;
    options.labelled = labels;
    options.seed = command.trials.first_seed;
    options.progress = [&](std::size_t done, std::size_t total) { line.show("networks of " + study, done, total); };
    return graph_problem(load_study(study, overrides, cli.resources), cli.resources, options, pool);
  };
  command.trials.progress = [&](const std::string& phase, std::size_t done, std::size_t total) {
    line.show(phase, done, total);
  };
  const std::size_t most = command.trials.labels.back();
  // Twice as many as one seed needs, so that seeds differ in what judges too.
  const GraphProblem problem = load(command.study, 2 * (command.trials.held_out + most), command.overrides);
  const GraphComparison result = [&] {
    if (command.transfer_from.empty()) return compare_graph_predictors(problem, command.trials, pool);
    command.problem.objective.clear();
    const GraphProblem source = load(command.transfer_from, 2 * command.trials.source_labels, {});
    return transfer_graph_predictors(source, problem, command.trials, pool);
  }();
  if (command.json) {
    print_json(cli, command, problem, result);
  } else {
    print_text(cli, command, problem, result);
  }
  return exit_done;
}

void add_learning_options(CLI::App& command, GraphRegressorOptions& options) {
  command.add_option("--epochs", options.pretrain_epochs, "passes over the networks without labels")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  command.add_option("--similarity", options.similarity, "weight of the contrastive loss in pre-training; 0: none")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  command.add_option("--clusters", options.clusters, "fuzzy clusters, each with a head")
      ->check(CLI::Range(std::size_t{1}, std::size_t{100}))
      ->capture_default_str();
  command.add_option("--members", options.members, "networks of the ensemble")
      ->check(CLI::Range(std::size_t{1}, std::size_t{100}))
      ->capture_default_str();
  command.add_option("--tune", options.tune_steps, "steps on the labels after pre-training; 0: heads alone are fitted")
      ->check(CLI::Range(0, 100'000))
      ->capture_default_str();
  command.add_option("--steps", options.steps, "steps on the labels without pre-training")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
}

}  // namespace

void add_graph_command(CLI::App& predictors, CommandLine& cli) {
  auto options = std::make_shared<GraphCommand>();
  CLI::App* command = add_command(
      predictors, "graph",
      "a graph neural network on a study's networks: few labels with and without pre-training, or another space's",
      "ridgeline predictor graph nasbench_macro_accuracy --pretrain 2000 --labels 20,50 --seeds 20\n"
      "  ridgeline predictor graph nasbench_macro_accuracy --transfer-from nasbench201_accuracy --seeds 20");
  command->add_option("study", options->study, "study file, or the name of a shipped one: networks and values")
      ->required();
  command->add_option("--set", options->overrides, "change the study: path=value")->type_name("PATH=VALUE");
  command->add_option("--objective", options->problem.objective, "an objective of the study; default: its first");
  command->add_option("--pretrain", options->problem.unlabelled, "networks without labels, of each space")
      ->check(CLI::Range(std::size_t{2}, std::size_t{1'000'000}))
      ->capture_default_str();
  command->add_option("--labels", options->trials.labels, "networks with labels")
      ->delimiter(',')
      ->check(CLI::Range(std::size_t{1}, std::size_t{100'000}));
  command->add_option("--held-out", options->trials.held_out, "networks that judge")
      ->check(CLI::Range(std::size_t{10}, std::size_t{100'000}))
      ->capture_default_str();
  command->add_option("--transfer-from", options->transfer_from, "learn from the labels of this study's space first");
  command->add_option("--source-labels", options->trials.source_labels, "how many of them")
      ->check(CLI::Range(std::size_t{1}, std::size_t{100'000}))
      ->capture_default_str();
  command->add_option("--seeds", options->trials.seeds, "draws of labels")
      ->check(CLI::Range(std::size_t{1}, std::size_t{100'000}))
      ->capture_default_str();
  command->add_option("--encoders", options->trials.encoders, "pre-trained encoders that the seeds share")
      ->check(CLI::Range(std::size_t{1}, std::size_t{100'000}))
      ->capture_default_str();
  command->add_option("--first-seed", options->trials.first_seed, "seed of the first draw")->capture_default_str();
  command->add_option("--device", options->problem.device, "whose estimated latency is a free statistic")
      ->capture_default_str();
  add_learning_options(*command, options->trials.regressor);
  command->add_option("--threads", options->threads, "threads; 0: all")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  add_json_option(*command, options->json);
  command->add_flag("--quiet", options->quiet, "no progress");
  command->callback([&cli, options] { cli.action = [&cli, options] { return graph(cli, *options); }; });
}

}  // namespace ridgeline
