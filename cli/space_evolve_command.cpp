// space evolve
#include <fmt/format.h>

#include <cmath>

#include "cli/command_line.hpp"
#include "cli/output_file.hpp"
#include "cli/progress.hpp"
#include "cli/shared_options.hpp"
#include "experiments/report/evolved_space.hpp"
#include "experiments/report/narrowed_space.hpp"
#include "experiments/report/report.hpp"
#include "experiments/report/report_units.hpp"

namespace ridgeline {
namespace {

struct EvolveFlags {
  std::string database;
  EvolvedSpaceOptions options;
  std::vector<std::string> evolve;
  std::size_t top = 3;
  bool json = false, quiet = false;
};

Json scored_json(const ScoredSpace& space, const Json& choices) {
  Json qualities = Json::array();
  for (const auto& quality : space.quality) qualities.push_back(quality ? Json(*quality) : Json());
  return {{"score", space.score}, {"quality", std::move(qualities)}, {"choices", choices}};
}

Json evolved_json(const EvolvedSpace& evolved, std::size_t top) {
  const SpaceEvolution& evolution = evolved.evolution;
  Json best = Json::array();
  for (std::size_t i = 0; i < std::min(top, evolution.scored.size()); ++i) {
    const ScoredSpace& one = evolution.scored[i];
    best.push_back(scored_json(one, choices_left(evolved.start, evolved.start, one.kept)));
  }
  return {{"study", evolved.study},
          {"space", evolved.start.name()},
          {"quality", evolved.quality.name},
          {"cost", evolved.cost.name},
          {"trials", evolved.trials},
          {"fidelity", fidelity_names()[static_cast<std::size_t>(evolved.fidelity)]},
          {"cross_validation", {{"quality", evolved.quality_error}, {"cost", evolved.cost_error}}},
          {"sub_spaces", evolution.sub_spaces},
          {"scored", evolution.scored.size()},
          {"targets", evolution.targets},
          {"start", scored_json(evolution.start, Json::object())},
          {"best", std::move(best)},
          {"file", evolved.file}};
}

std::string scores_text(const EvolvedSpace& evolved, std::size_t top, const TextStyle& style) {
  const SpaceEvolution& evolution = evolved.evolution;
  const UnitScale cost = scale_for(evolution.targets, evolved.cost.unit);
  std::vector<TextTable::Column> columns{{"space", false}, {"score", true}};
  for (const double target : evolution.targets) columns.push_back({"at " + cost.text(target), true});
  TextTable table(std::move(columns));
  const auto row = [&](const std::string& name, const ScoredSpace& space) {
    std::vector<std::string> cells{name, pretty(space.score, evolved.quality.unit)};
    for (const auto& quality : space.quality) {
      cells.push_back(quality ? pretty(*quality, evolved.quality.unit) : "none");
    }
    table.add(std::move(cells));
  };
  row(evolved.start.name(), evolution.start);
  for (std::size_t i = 0; i < top; ++i) row(fmt::format("sub-space {}", i + 1), evolution.scored[i]);
  return table.text(style);
}

// A row an element: what each of the best sub-spaces keeps of it.
std::string kept_text(const EvolvedSpace& evolved, std::size_t top, const TextStyle& style) {
  std::vector<TextTable::Column> columns{{"dimension", false}, {"choices", false}};
  for (std::size_t i = 0; i < top; ++i) columns.push_back({fmt::format("kept by {}", i + 1), false});
  TextTable table(std::move(columns));
  for (std::size_t dim = 0; dim < evolved.start.dims().size(); ++dim) {
    const Dimension& dimension = evolved.start.dims()[dim];
    if (evolved.evolution.scored.front().kept[dim].size() == dimension.choices.size()) continue;
    std::vector<std::string> cells{dimension.name};
    std::string all;
    for (const Json& choice : dimension.choices) all.append(all.empty() ? "" : " ").append(choice_text(choice));
    cells.push_back(shortened(all, 40));
    for (std::size_t i = 0; i < top; ++i) {
      std::string kept;
      for (const std::uint16_t gene : evolved.evolution.scored[i].kept[dim]) {
        kept.append(kept.empty() ? "" : " ").append(choice_text(dimension.choices[gene]));
      }
      cells.push_back(std::move(kept));
    }
    table.add(std::move(cells));
  }
  return table.text(style);
}

std::string error_text(const Objective& objective, const Json& error) {
  const Json& rho = error.at("spearman");
  return fmt::format("{}: mean absolute error {}, Spearman {}\n", plain_name(objective.name, objective.unit),
                     pretty(error.at("mean_absolute_error").get<double>(), objective.unit),
                     rho.is_null() ? "undefined" : fmt::format("{:.3f}", rho.get<double>()));
}

std::string evolved_text(const EvolvedSpace& evolved, std::size_t top, const TextStyle& style) {
  top = std::min(top, evolved.evolution.scored.size());
  return fmt::format("predictors of {} {} trials, ten-fold cross-validation\n  {}  {}\n", evolved.trials,
                     fidelity_names()[static_cast<std::size_t>(evolved.fidelity)],
                     error_text(evolved.quality, evolved.quality_error), error_text(evolved.cost, evolved.cost_error)) +
         fmt::format("best predicted {} within each {}; {} of {} sub-spaces scored\n",
                     plain_name(evolved.quality.name, evolved.quality.unit),
                     plain_name(evolved.cost.name, evolved.cost.unit), evolved.evolution.scored.size(),
                     size_text(std::log10(evolved.evolution.sub_spaces))) +
         scores_text(evolved, top, style) + "\n" + kept_text(evolved, top, style);
}

int evolve(const CommandLine& cli, EvolveFlags& flags) {
  EvolvedSpaceOptions& options = flags.options;
  check_writable(options.out, "--out");
  check_different(options.out, "--out", flags.database, "--db");
  options.kept.clear();
  for (const std::string& one : flags.evolve) options.kept.push_back(read_kept_count(one));
  const Store store(flags.database, Store::Mode::read);
  const EvolvedSpace evolved = [&] {
    PhaseLine line(!flags.quiet, cli.progress_bar, 2.0);
    options.search.progress = [&](std::size_t done, std::size_t total) { line.show("sub-spaces", done, total); };
    return evolve_study_space(store, cli.resources, options);
  }();
  write_file(options.out, evolved.file.dump(2) + "\n", "--out");
  if (flags.json) {
    cli.print_json(evolved_json(evolved, flags.top));
  } else {
    cli.print(evolved_text(evolved, flags.top, cli.style) + "\nwrote " + options.out + "\n");
  }
  return exit_done;
}

}  // namespace

void add_space_evolve_command(CLI::App& spaces, CommandLine& cli) {
  auto flags = std::make_shared<EvolveFlags>();
  SpaceEvolutionSetup& search = flags->options.search;
  CLI::App* command = add_command(
      spaces, "evolve", "the sub-space with the best predicted quality within several costs, from a study's trials",
      "ridgeline space evolve joint_glyphs --evolve block=1 --evolve width=1 --out evolved.json");
  command->add_option("study", flags->options.study, "a stored study of a quality and a cost, of 30 trials at least")
      ->required();
  add_database_option(*command, flags->database);
  command
      ->add_option("--evolve", flags->evolve,
                   "name=count: how many choices of a dimension are kept, neighbours where it is ordered; may be "
                   "repeated")
      ->type_name("NAME=COUNT")
      ->allow_extra_args(false)
      ->required();
  command->add_option("--out", flags->options.out, "the space file to write, which narrows the study's")
      ->type_name("FILE")
      ->required();
  auto* target = command
                     ->add_option("--target", search.targets,
                                  "a cost in SI units within which the best quality counts; may be repeated")
                     ->allow_extra_args(false)
                     ->check(CLI::PositiveNumber);
  command
      ->add_option("--targets", search.target_count,
                   "how many costs, evenly over the logarithm of the starting space's predicted front")
      ->check(CLI::Range(1, 100))
      ->capture_default_str()
      ->excludes(target);
  command->add_option("--spaces", search.spaces, "sub-spaces to score")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command->add_option("--seed", search.seed, "seed of the evolution")->capture_default_str();
  command->add_option("--top", flags->top, "sub-spaces to show")->check(CLI::Range(1, 1000))->capture_default_str();
  add_quiet_option(*command, flags->quiet);
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return evolve(cli, *flags); }; });
}

}  // namespace ridgeline
