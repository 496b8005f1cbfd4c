// space shrink
#include <fmt/format.h>

#include "cli/command_line.hpp"
#include "cli/output_file.hpp"
#include "cli/progress.hpp"
#include "cli/shared_options.hpp"
#include "experiments/report/narrowed_space.hpp"
#include "experiments/report/report.hpp"
#include "experiments/report/report_units.hpp"
#include "experiments/report/shrunk_space.hpp"

namespace ridgeline {
namespace {

struct ShrinkFlags {
  std::string database;
  ShrunkSpaceOptions options;
  bool json = false, quiet = false;
};

Json shrunk_json(const ShrunkSpace& shrunk) {
  Json rounds = Json::array();
  for (const ShrinkingRound& round : shrunk.shrinking.rounds) {
    Json dropped = Json::array();
    for (const ScoredChoice& one : round.dropped) {
      const Dimension& dimension = shrunk.start.dims()[one.dim];
      dropped.push_back({{"dimension", dimension.name},
                         {"choice", dimension.choices[one.gene]},
                         {"quality", one.quality},
                         {"diversity", one.diversity},
                         {"score", one.score}});
    }
    rounds.push_back(
        {{"log10_before", round.log10_before}, {"log10_after", round.log10_after}, {"dropped", std::move(dropped)}});
  }
  Json errors = Json::object();
  for (std::size_t i = 0; i < shrunk.errors.size(); ++i) errors[shrunk.objectives[i].name] = shrunk.errors[i];
  return {{"study", shrunk.study},
          {"space", shrunk.start.name()},
          {"trials", shrunk.trials},
          {"fidelity", fidelity_names()[static_cast<std::size_t>(shrunk.fidelity)]},
          {"cross_validation", std::move(errors)},
          {"rounds", std::move(rounds)},
          {"reached", shrunk.shrinking.reached},
          {"choices", choices_left(shrunk.start, shrunk.start, shrunk.shrinking.kept)},
          {"file", shrunk.file}};
}

std::string predictors_text(const ShrunkSpace& shrunk) {
  std::string text = fmt::format("predictors of {} {} trials, ten-fold cross-validation\n", shrunk.trials,
                                 fidelity_names()[static_cast<std::size_t>(shrunk.fidelity)]);
  for (std::size_t i = 0; i < shrunk.errors.size(); ++i) {
    const Objective& objective = shrunk.objectives[i];
    const Json& rho = shrunk.errors[i].at("spearman");
    text += fmt::format("  {}: mean absolute error {}, Spearman {}\n", plain_name(objective.name, objective.unit),
                        pretty(shrunk.errors[i].at("mean_absolute_error").get<double>(), objective.unit),
                        rho.is_null() ? "undefined" : fmt::format("{:.3f}", rho.get<double>()));
  }
  return text;
}

std::string shrunk_text(const ShrunkSpace& shrunk, const TextStyle& style) {
  TextTable rounds({{"round", true}, {"log10 size before", true}, {"after", true}, {"dropped", false}});
  for (std::size_t r = 0; r < shrunk.shrinking.rounds.size(); ++r) {
    const ShrinkingRound& round = shrunk.shrinking.rounds[r];
    std::string dropped;
    for (const ScoredChoice& one : round.dropped) {
      const Dimension& dimension = shrunk.start.dims()[one.dim];
      dropped +=
          fmt::format("{}{} {}", dropped.empty() ? "" : ", ", dimension.name, choice_text(dimension.choices[one.gene]));
    }
    rounds.add({std::to_string(r + 1), fmt::format("{:.2f}", round.log10_before),
                fmt::format("{:.2f}", round.log10_after), shortened(dropped, 100)});
  }
  TextTable scores({{"dimension", false},
                    {"dropped choice", false},
                    {"round", true},
                    {"quality", true},
                    {"diversity", true},
                    {"score", true}});
  for (std::size_t r = 0; r < shrunk.shrinking.rounds.size(); ++r) {
    for (const ScoredChoice& one : shrunk.shrinking.rounds[r].dropped) {
      const Dimension& dimension = shrunk.start.dims()[one.dim];
      scores.add({dimension.name, choice_text(dimension.choices[one.gene]), std::to_string(r + 1),
                  fmt::format("{:.3f}", one.quality), fmt::format("{:.3f}", one.diversity),
                  fmt::format("{:.3f}", one.score)});
    }
  }
  const std::string end =
      shrunk.shrinking.reached ? "" : "the size was not reached: what is left has no choice that may be dropped\n";
  return predictors_text(shrunk) + "\n" + rounds.text(style) + end + "\n" + scores.text(style);
}

int shrink(const CommandLine& cli, ShrinkFlags& flags) {
  ShrunkSpaceOptions& options = flags.options;
  check_writable(options.out, "--out");
  check_different(options.out, "--out", flags.database, "--db");
  const Store store(flags.database, Store::Mode::read);
  const ShrunkSpace shrunk = [&] {
    PhaseLine line(!flags.quiet, cli.progress_bar, 2.0);
    options.shrinking.progress = [&](std::size_t done, std::size_t total) { line.show("rounds", done, total); };
    return shrink_study_space(store, cli.resources, options);
  }();
  write_file(options.out, shrunk.file.dump(2) + "\n", "--out");
  if (flags.json) {
    cli.print_json(shrunk_json(shrunk));
  } else {
    cli.print(shrunk_text(shrunk, cli.style) + "\nwrote " + options.out + "\n");
  }
  return exit_done;
}

}  // namespace

void add_space_shrink_command(CLI::App& spaces, CommandLine& cli) {
  auto flags = std::make_shared<ShrinkFlags>();
  SpaceShrinkingSetup& shrinking = flags->options.shrinking;
  CLI::App* command =
      add_command(spaces, "shrink",
                  "drop choices of low predicted quality and diversity over several rounds, from a study's trials",
                  "ridgeline space shrink joint_glyphs --rounds 4 --to 6 --diversity 0.25 --out small.json");
  command->add_option("study", flags->options.study, "a stored study of 30 trials at least")->required();
  add_database_option(*command, flags->database);
  command->add_option("--out", flags->options.out, "the space file to write, which narrows the study's")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--to", shrinking.log10_size,
                   "log10 of the number of candidates to reach; default: half of the space's")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--rounds", shrinking.rounds, "in equal steps of the log10 size, with new scores in each")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--diversity", shrinking.diversity, "its share of a choice's score; the rest is quality")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_option("--least", shrinking.least, "choices that each dimension keeps")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  command->add_option("--candidates", shrinking.candidates, "candidates drawn for each scoring")
      ->check(CLI::Range(2, 1000000))
      ->capture_default_str();
  command
      ->add_option("--contexts", shrinking.contexts,
                   "of the best of these, in which a dimension's choices are compared")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_option("--predictor", flags->options.predictor, "what predicts the objectives: auto, or a name")
      ->capture_default_str();
  command->add_option("--seed", shrinking.seed, "seed of the candidates that are drawn")->capture_default_str();
  add_quiet_option(*command, flags->quiet);
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return shrink(cli, *flags); }; });
}

}  // namespace ridgeline
