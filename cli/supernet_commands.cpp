// extract, rank, winners
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "cli/command_line.hpp"
#include "cli/output_file.hpp"
#include "cli/progress.hpp"
#include "cli/shared_options.hpp"
#include "cli/train_options.hpp"
#include "cli/version.hpp"
#include "experiments/report/report_formats.hpp"
#include "experiments/training/evaluate.hpp"
#include "experiments/training/ranking.hpp"
#include "experiments/training/trained_model.hpp"
#include "experiments/training/training_report.hpp"
#include "experiments/training/winners.hpp"
#include "kernels/pinning.hpp"
#include "spaces/counts.hpp"

namespace ridgeline {
namespace {

// Made where it is not there, with its parents.
void make_folder(const std::string& folder, const std::string& flag) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error || !std::filesystem::is_directory(folder)) {
    throw ConfigError(Problem{flag, "", "a folder that can be made", "'" + folder + "'", error.message()});
  }
  check_writable((std::filesystem::path(folder) / "candidate.ckpt").string(), flag, Overwrite::checkpoints);
}

struct ExtractFlags {
  std::string supernet, data, genome, out;
  int threads = 1;
  bool json = false;
};

// What is there already may only be a candidate that was taken out before: weights that were trained are not lost.
void check_replaceable(const std::string& path, const std::string& flag) {
  check_writable(path, flag, Overwrite::checkpoints);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return;
  const bool ours = is_checkpoint(path) && is_extracted(read_checkpoint(path));
  if (!ours) {
    throw ConfigError(Problem{flag, "", "a new file, or a candidate that was extracted before", path,
                              "choose another name, or remove the file first"});
  }
}

int extract(const CommandLine& cli, const ExtractFlags& flags) {
  check_replaceable(flags.out, "--out");
  const std::string path = cli.resources.checkpoint(flags.supernet);
  check_different(flags.out, "--out", path, "the supernet");
  const Json genome = JsonDocument::parse(flags.genome, "--genome").value();
  const Dataset data = load_dataset(flags.data);
  const PinnedThreads pinned(flags.threads);
  LoadedModel candidate = load_candidate(path, genome, data, cli.resources, flags.threads);
  const std::int64_t count = parameters(candidate.network), work = macs(candidate.network);
  const ModelCheckpoint checkpoint = candidate.checkpoint;
  TrainedModel model = trained_model(std::move(candidate));
  const ClassificationScores scores =
      evaluate_classifier(model.in_formats ? *model.in_formats : model.design, data.validation, model.normalisation,
                          {.threads = flags.threads, .emulation = Emulation::missing});
  write_checkpoint(flags.out, checkpoint);
  if (flags.json) {
    cli.print_json({{"checkpoint", flags.out},
                    {"supernet", flags.supernet},
                    {"parameters", count},
                    {"macs", work},
                    {"validation_accuracy", scores.accuracy}});
  } else {
    cli.print(fmt::format("{}: {} parameters, {} MACs, validation accuracy {} with inherited weights\n", flags.out,
                          pretty(static_cast<double>(count), ""), pretty(static_cast<double>(work), ""),
                          percent(scores.accuracy, 2)));
  }
  return exit_done;
}

void add_extract(CLI::App& app, CommandLine& cli) {
  const auto flags = std::make_shared<ExtractFlags>();
  CLI::App* command =
      add_command(app, "extract", "take a candidate out of a supernet, as a checkpoint of its own",
                  "ridgeline extract glyphs_mobilenet --genome '[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]' "
                  "--data glyphs --out candidate.ckpt");
  command->add_option("supernet", flags->supernet, "checkpoint of a supernet, or the name of a shipped one")
      ->required();
  command->add_option("--genome", flags->genome, "JSON: {\"dimension\": choice, ...} or an array of gene indices")
      ->type_name("JSON")
      ->required();
  command->add_option("--data", flags->data, "folder of the data set: batch norms are measured on its train images")
      ->required();
  command->add_option("--out", flags->out, "checkpoint to write")->required();
  add_threads_option(*command, flags->threads);
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return extract(cli, *flags); }; });
}

struct RankFlags {
  std::string supernet;
  RankingConfig config;
  bool json = false, quiet = false;
};

Json ranking_json(const SupernetRanking& ranking, const Supernet& supernet) {
  Json candidates = Json::array();
  for (const RankedCandidate& one : ranking.candidates) {
    candidates.push_back({{"genome", supernet.space().describe(one.genome)},
                          {"macs", one.macs},
                          {"parameters", one.parameters},
                          {"inherited_accuracy", one.inherited_accuracy},
                          {"alone_accuracy", one.alone_accuracy}});
  }
  return {{"candidates", std::move(candidates)},
          {"kendall", ranking.kendall},
          {"spearman", ranking.spearman},
          {"relative_improvement_percent", ranking.relative_improvement},
          {"mean_accuracy_loss", ranking.mean_loss}};
}

std::string ranking_text(const SupernetRanking& ranking, const TextStyle& style) {
  TextTable table({{"MACs", true}, {"parameters", true}, {"in the supernet", true}, {"trained alone", true}});
  for (const RankedCandidate& one : ranking.candidates) {
    table.add({pretty(static_cast<double>(one.macs), ""), pretty(static_cast<double>(one.parameters), ""),
               percent(one.inherited_accuracy, 2), percent(one.alone_accuracy, 2)});
  }
  return table.text(style) +
         fmt::format(
             "\nKendall's tau {:.3f}, Spearman's rho {:.3f} over {} candidates\nthe supernet's best, "
             "trained alone, is {:+.2f} % better than the mean (relative improvement)\ninherited weights are {:.2f} "
             "points of accuracy behind those trained alone, in the mean\n",
             ranking.kendall, ranking.spearman, ranking.candidates.size(), ranking.relative_improvement,
             100 * ranking.mean_loss);
}

int rank(const CommandLine& cli, RankFlags flags) {
  make_folder(flags.config.folder, "--out");
  const Supernet supernet = Supernet::load(cli.resources.checkpoint(flags.supernet), cli.resources);
  const InterruptFlag interrupt;
  RankingHooks hooks;
  hooks.train.stop = &interrupt.flag();
  std::string which;
  PhaseLine line(!flags.quiet && cli.progress_bar, cli.progress_bar, 1.0);
  hooks.candidate = [&](std::size_t i, std::size_t count) { which = fmt::format("candidate {} of {}", i + 1, count); };
  hooks.train.progress = [&](const TrainProgress& now) {
    line.show(fmt::format("{}, epoch {} of {}, loss {:.3f}, {:.0f} images/s", which, now.epoch, now.epochs, now.loss,
                          now.images_per_s),
              now.step, now.steps);
  };
  hooks.train.epoch_done = [&](const EpochRecord& record) {
    if (flags.quiet) return;
    std::fputs(fmt::format("\r{}, epoch {}: validation {}, {:.1f} s\n", which, record.epoch,
                           percent(record.validation_accuracy, 2), record.seconds)
                   .c_str(),
               stderr);
  };
  const SupernetRanking ranking =
      as_problems_of("rank", [&] { return rank_candidates(supernet, cli.resources, flags.config, hooks); });
  if (ranking.stopped) {
    std::fputs(
        fmt::format("interrupted; finished epochs are saved in {}\nto go on: {}\n", flags.config.folder, cli.command)
            .c_str(),
        stderr);
    return exit_interrupted;
  }
  if (flags.json) {
    cli.print_json(ranking_json(ranking, supernet));
  } else {
    cli.print(ranking_text(ranking, cli.style));
  }
  return exit_done;
}

void add_rank(CLI::App& app, CommandLine& cli) {
  const auto flags = std::make_shared<RankFlags>();
  flags->config.alone.epochs = 4;
  CLI::App* command =
      add_command(app, "rank", "train candidates of a supernet alone, and compare how both order them",
                  "ridgeline rank glyphs_mobilenet --data glyphs --candidates 12 --epochs 4 --out ranking");
  command->add_option("supernet", flags->supernet, "checkpoint of a supernet, or the name of a shipped one")
      ->required();
  command->add_option("--data", flags->config.alone.data, "folder of the data set")->required();
  command->add_option("--out", flags->config.folder, "folder of the checkpoints; gone on from where they are there")
      ->required();
  command->add_option("--candidates", flags->config.candidates, "at even quantiles of the multiply-accumulates")
      ->check(CLI::Range(2, 1000))
      ->capture_default_str();
  command->add_option("--seed", flags->config.seed, "of the candidates")->capture_default_str();
  add_threads_option(*command, flags->config.alone.threads);
  add_training_options(*command, flags->config.alone);
  add_quiet_option(*command, flags->quiet);
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return rank(cli, *flags); }; });
}

struct WinnersFlags {
  std::string database, study;
  WinnerOptions options;
  bool json = false, quiet = false;
};

std::string file_of(const WinnersFlags& flags, const Winner& winner) {
  return (std::filesystem::path(flags.options.folder) / fmt::format("trial_{}.ckpt", winner.member.trial)).string();
}

Json winners_json(const Winners& winners, const WinnersFlags& flags) {
  const Json front = front_json(winners.report);
  Json list = Json::array();
  for (std::size_t i = 0; i < winners.winners.size(); ++i) {
    Json one = front[i];
    one["validation_accuracy"] = winners.winners[i].validation_accuracy;
    one["test_accuracy"] = winners.winners[i].test_accuracy;
    one["emulated_accuracy"] = winners.winners[i].emulated_accuracy;
    if (!flags.options.folder.empty()) one["checkpoint"] = file_of(flags, winners.winners[i]);
    if (const std::optional<ExportedWinner>& onnx = winners.winners[i].onnx; onnx && onnx->problem.empty()) {
      one["onnx"] = {{"file", onnx->file}, {"same_answers", onnx->same_answers}};
    } else if (onnx) {
      one["onnx"] = {{"problem", onnx->problem}};
    }
    list.push_back(std::move(one));
  }
  return {{"study", flags.study}, {"supernet", winners.supernet}, {"data", winners.data}, {"winners", std::move(list)}};
}

// The search went by the accuracy of the same images: its column says it already.
bool searched_by_accuracy(const Winner& winner) {
  return std::ranges::any_of(winner.member.values,
                             [&](double value) { return std::abs(value - 100 * winner.validation_accuracy) < 1e-9; });
}

std::string onnx_text(const ExportedWinner& onnx) {
  if (!onnx.problem.empty()) return "none: " + onnx.problem;
  return fmt::format("{} ({} of answers the same)", onnx.file, percent(onnx.same_answers, 2));
}

std::string winners_text(const Winners& winners, const WinnersFlags& flags, const TextStyle& style) {
  const bool validation = !std::ranges::all_of(winners.winners, searched_by_accuracy);
  std::vector<TextTable::Column> columns{{"trial", true}};
  for (const ReportObjective& one : winners.report.objectives) columns.push_back({one.scale.heading(one.label), true});
  if (validation) columns.push_back({"validation accuracy", true});
  columns.push_back({"emulated", true});
  columns.push_back({"test accuracy", true});
  if (!flags.options.folder.empty()) columns.push_back({"checkpoint", false});
  if (flags.options.export_onnx) columns.push_back({"ONNX", false});
  TextTable table(columns);
  double apart = 0;
  for (const Winner& winner : winners.winners) {
    std::vector<std::string> row{std::to_string(winner.member.trial)};
    for (std::size_t i = 0; i < winners.report.objectives.size(); ++i) {
      row.push_back(winners.report.objectives[i].scale.number(winner.member.values[i]));
    }
    if (validation) row.push_back(percent(winner.validation_accuracy, 2));
    row.push_back(percent(winner.emulated_accuracy, 2));
    row.push_back(percent(winner.test_accuracy, 2));
    if (!flags.options.folder.empty()) row.push_back(file_of(flags, winner));
    if (winner.onnx) row.push_back(onnx_text(*winner.onnx));
    table.add(std::move(row));
    apart = std::max(apart, std::abs(winner.emulated_accuracy - winner.validation_accuracy));
  }
  return table.text(style) +
         fmt::format("\nrounded and computed in f32 (emulated), validation accuracy differs by at most {:.2f} points\n",
                     100 * apart);
}

int winners(const CommandLine& cli, WinnersFlags flags) {
  const std::string& folder = flags.options.folder;
  if (!folder.empty()) make_folder(folder, "--out");
  flags.options.producer_version = program_version();
  const Store store(flags.database, Store::Mode::read);
  const InterruptFlag interrupt;
  PhaseLine line(!flags.quiet, cli.progress_bar, 1.0);
  WinnerHooks hooks;
  std::string which;
  hooks.progress = [&](std::size_t done, std::size_t total) {
    which = fmt::format("winner {} of {}", done + 1, total);
    line.show("test the front", done, total);
  };
  hooks.train.stop = &interrupt.flag();
  hooks.train.progress = [&](const TrainProgress& now) {
    line.show(fmt::format("{}, epoch {} of {}, loss {:.3f}", which, now.epoch, now.epochs, now.loss), now.step,
              now.steps);
  };
  const Winners found =
      as_problems_of("winners", [&] { return test_winners(store, flags.study, cli.resources, flags.options, hooks); });
  if (found.stopped) {
    const bool tuned = flags.options.fine_tune_epochs > 0;
    const std::string kept = tuned ? "finished epochs are saved in " + folder : "no checkpoint was written";
    std::fputs(fmt::format("interrupted; {}\nto go on: {}\n", kept, cli.command).c_str(), stderr);
    return exit_interrupted;
  }
  if (!folder.empty() && flags.options.fine_tune_epochs == 0) {
    for (const Winner& winner : found.winners) check_replaceable(file_of(flags, winner), "--out");
    for (const Winner& winner : found.winners) write_checkpoint(file_of(flags, winner), winner.checkpoint);
  }
  if (flags.json) {
    cli.print_json(winners_json(found, flags));
  } else {
    cli.print(winners_text(found, flags, cli.style));
  }
  return found.winners.empty() ? exit_infeasible : exit_done;
}

void add_winners(CLI::App& app, CommandLine& cli) {
  const auto flags = std::make_shared<WinnersFlags>();
  CLI::App* command =
      add_command(app, "winners", "the front of a search on a supernet, on the test split; and as checkpoints",
                  "ridgeline winners demo --db ridgeline.db --out winners --export");
  command->add_option("study", flags->study, "name of a stored study")->required();
  add_database_option(*command, flags->database);
  WinnerOptions& options = flags->options;
  CLI::Option* out = command->add_option("--out", options.folder, "folder to write each winner's checkpoint to");
  command
      ->add_flag("--export", options.export_onnx,
                 "also write each winner as ONNX, in the formats it was searched in, and run the file to compare")
      ->needs(out);
  CLI::Option* tune =
      command
          ->add_option("--fine-tune", options.fine_tune_epochs,
                       "train each winner on for so many epochs, in its formats; goes on after an interruption")
          ->check(CLI::Range(1, 1000))
          ->needs(out);
  command->add_option("--learning-rate", options.learning_rate, "of --fine-tune, at its beginning")
      ->check(CLI::PositiveNumber)
      ->needs(tune)
      ->capture_default_str();
  add_threads_option(*command, options.threads);
  add_quiet_option(*command, flags->quiet);
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return winners(cli, *flags); }; });
}

}  // namespace

void add_supernet_commands(CLI::App& app, CommandLine& cli) {
  add_extract(app, cli);
  add_rank(app, cli);
  add_winners(app, cli);
}

}  // namespace ridgeline
