// space list|show|count|sample|check; evolve and shrink are in space_*_command.cpp
#include <fmt/format.h>

#include <map>

#include "cli/command_line.hpp"
#include "cli/design_options.hpp"
#include "spaces/counts.hpp"

namespace ridgeline {
namespace {

struct SpaceFlags {
  DesignOptions design;
  std::int64_t count = 1;
  std::int64_t sample = 100;
  bool json = false, dot = false;
};

int list_spaces(const CommandLine& cli, bool json) {
  Json list = Json::array();
  TextTable table({{"space", false}, {"candidates", true}, {"dimensions", true}, {"about", false}});
  for (const std::string& name : cli.resources.spaces()) {
    const SearchSpace space = cli.resources.load_space(name);
    list.push_back({{"name", name},
                    {"about", space.about()},
                    {"log10_size", space.log10_size()},
                    {"dimensions", space.dims().size()}});
    table.add({name, size_text(space.log10_size()), std::to_string(space.dims().size()), shortened(space.about(), 90)});
  }
  if (json) {
    cli.print_json(list);
  } else {
    cli.print(table.text(cli.style));
  }
  return exit_done;
}

Json range_json(const SampledRange& range) {
  return {{"least", range.least}, {"median", range.median}, {"most", range.most}};
}

Json survey_json(const SpaceSurvey& survey) {
  return {{"sample", survey.sample},
          {"nodes", range_json(survey.nodes)},
          {"macs", range_json(survey.macs)},
          {"parameters", range_json(survey.parameters)},
          {"weight_bytes", range_json(survey.weight_bytes)},
          {"peak_activation_bytes", range_json(survey.peak_activation_bytes)}};
}

std::string survey_text(const SpaceSurvey& survey, const TextStyle& style) {
  TextTable table({{fmt::format("of {} random networks", survey.sample), false},
                   {"least", true},
                   {"median", true},
                   {"most", true}});
  const auto row = [&](const char* name, const SampledRange& range, const char* unit) {
    table.add({name, pretty(range.least, unit), pretty(range.median, unit), pretty(range.most, unit)});
  };
  row("operators", survey.nodes, "");
  row("MACs", survey.macs, "");
  row("parameters", survey.parameters, "");
  row("weights", survey.weight_bytes, "B");
  row("activations at the peak", survey.peak_activation_bytes, "B");
  return table.text(style);
}

// One row a declared dimension: "kernel, 20 of them, architecture, 3 5 7".
std::string dimensions_text(const SearchSpace& space, const TextStyle& style) {
  struct Row {
    std::string name, group, choices;
    std::size_t repeats = 0;
    bool ordered = false;
  };
  std::vector<Row> rows;
  for (const Dimension& dimension : space.dims()) {
    std::string choices;
    for (const Json& choice : dimension.choices) choices.append(choices.empty() ? "" : " ").append(choice_text(choice));
    const std::string name = dimension.name.substr(0, dimension.name.find('['));
    const std::string group = gene_group_names()[static_cast<std::size_t>(dimension.group)];
    if (rows.empty() || rows.back().name != name || rows.back().choices != choices) {
      rows.push_back({name, group, choices, 0, dimension.ordered});
    }
    ++rows.back().repeats;
  }
  TextTable table({{"dimension", false}, {"repeats", true}, {"group", false}, {"order", false}, {"choices", false}});
  for (const Row& row : rows) {
    table.add({row.name, std::to_string(row.repeats), row.group, row.ordered ? "ordered" : "none",
               shortened(row.choices, 70)});
  }
  return table.text(style);
}

Json dimensions_json(const SearchSpace& space) {
  Json list = Json::array();
  for (const Dimension& dimension : space.dims()) {
    list.push_back({{"name", dimension.name},
                    {"group", gene_group_names()[static_cast<std::size_t>(dimension.group)]},
                    {"ordered", dimension.ordered},
                    {"choices", dimension.choices}});
  }
  return list;
}

int show_space(const CommandLine& cli, const SpaceFlags& flags) {
  const StudyConfig config = space_config(flags.design);
  const SearchSpace space = open_space(config, cli.resources);
  if (flags.dot) {
    const Genome genome = chosen_genome(flags.design, space);
    std::fputs(network_dot(decode_for(config, space, genome).network, space.name()).c_str(), stdout);
    return exit_done;
  }
  if (!flags.design.genome.empty()) {
    throw ConfigError({"--genome", "", "--dot beside it", "a genome alone",
                       "'ridgeline estimate' shows one network's layers and costs"});
  }
  const SpaceSurvey survey = survey_space(config, space, flags.design.seed, static_cast<std::size_t>(flags.sample));
  if (flags.json) {
    cli.print_json({{"name", space.name()},
                    {"about", space.about()},
                    {"log10_size", space.log10_size()},
                    {"dimensions", dimensions_json(space)},
                    {"survey", survey_json(survey)}});
    return exit_done;
  }
  cli.print(fmt::format("{}: {}\n{} candidates before constraints\n\n{}\n{}", space.name(), space.about(),
                        size_text(space.log10_size()), dimensions_text(space, cli.style),
                        survey_text(survey, cli.style)));
  return exit_done;
}

int count_candidates(const CommandLine& cli, const SpaceFlags& flags) {
  const SearchSpace space = open_space(space_config(flags.design), cli.resources);
  const SpaceCount count = count_space(space, flags.design.seed);
  if (flags.json) {
    cli.print_json({{"name", space.name()},
                    {"log10_size", count.log10_size},
                    {"combinations", count.combinations > 0 ? Json(count.combinations) : Json()},
                    {"valid", count.valid ? Json(*count.valid) : Json()},
                    {"valid_share", count.valid_share},
                    {"draws", count.draws}});
    return exit_done;
  }
  std::string text =
      fmt::format("{}: {} distinct candidates before constraints\n", space.name(), size_text(count.log10_size));
  if (count.valid)
    text += fmt::format("{} keep every constraint (counted one by one)\n",
                        grouped(static_cast<std::int64_t>(*count.valid)));
  text += fmt::format("{} of {} random combinations keep every constraint\n", percent(count.valid_share),
                      grouped(static_cast<std::int64_t>(count.draws)));
  cli.print(text);
  return exit_done;
}

int sample_space(const CommandLine& cli, const SpaceFlags& flags) {
  const StudyConfig config = space_config(flags.design);
  const SearchSpace space = open_space(config, cli.resources);
  Json list = Json::array();
  for (std::int64_t i = 0; i < flags.count; ++i) {
    Rng rng(flags.design.seed, "sample", static_cast<std::uint64_t>(i));
    const Genome genome = space.sample(rng);
    const Design design = decode_for(config, space, genome);
    Json one{{"genome", space.describe(genome)},
             {"genes", genome.genes},
             {"macs", macs(design.network)},
             {"parameters", parameters(design.network)}};
    if (flags.json) {
      list.push_back(std::move(one));
    } else {
      std::fputs((one.at("genome").dump() + "\n").c_str(), stdout);
    }
  }
  if (flags.json) cli.print_json(list);
  return exit_done;
}

int check_space(const CommandLine& cli, const SpaceFlags& flags) {
  const StudyConfig config = space_config(flags.design);
  const SearchSpace space = open_space(config, cli.resources);
  const SpaceSurvey survey = survey_space(config, space, flags.design.seed, static_cast<std::size_t>(flags.sample));
  if (flags.json) {
    cli.print_json(
        {{"name", space.name()}, {"ok", true}, {"log10_size", space.log10_size()}, {"survey", survey_json(survey)}});
    return exit_done;
  }
  cli.print(fmt::format("{} is well formed: {} candidates in {} dimensions; {} random networks decode\n\n{}",
                        space.name(), size_text(space.log10_size()), space.dims().size(), survey.sample,
                        survey_text(survey, cli.style)));
  return exit_done;
}

using SpaceAction = int (*)(const CommandLine&, const SpaceFlags&);

void set_action(CLI::App& command, CommandLine& cli, const std::shared_ptr<SpaceFlags>& flags, SpaceAction action) {
  command.callback([&cli, flags, action] { cli.action = [&cli, flags, action] { return action(cli, *flags); }; });
}

}  // namespace

void add_space_commands(CLI::App& app, CommandLine& cli) {
  CLI::App* spaces = add_command(app, "space", "search spaces: what can be built", "ridgeline space list");
  spaces->require_subcommand(1);
  auto flags = std::make_shared<SpaceFlags>();

  CLI::App* list = add_command(*spaces, "list", "the shipped spaces with their sizes", "ridgeline space list");
  add_json_option(*list, flags->json);
  list->callback([&cli, flags] { cli.action = [&cli, flags] { return list_spaces(cli, flags->json); }; });

  CLI::App* show =
      add_command(*spaces, "show", "dimensions, and the sizes of a random sample; or one network as a graph",
                  "ridgeline space show mobilenet_v2 --dot --seed 3 | dot -Tsvg > network.svg");
  add_space_options(*show, flags->design);
  add_genome_options(*show, flags->design);
  show->add_option("--sample", flags->sample, "random networks to look at")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  show->add_flag("--dot", flags->dot, "print one network (--genome or --seed) as Graphviz source");
  add_json_option(*show, flags->json);
  set_action(*show, cli, flags, show_space);

  CLI::App* count =
      add_command(*spaces, "count", "how many candidates there are, and the share that keeps the constraints",
                  "ridgeline space count nasbench201");
  add_space_options(*count, flags->design);
  count->add_option("--seed", flags->design.seed, "seed of the random combinations")->capture_default_str();
  add_json_option(*count, flags->json);
  set_action(*count, cli, flags, count_candidates);

  CLI::App* sample = add_command(*spaces, "sample", "random genomes, one a line as JSON",
                                 "ridgeline space sample resnet --n 5 --seed 7");
  add_space_options(*sample, flags->design);
  sample->add_option("--n,-n", flags->count, "how many")->check(CLI::Range(1, 1000000))->capture_default_str();
  sample->add_option("--seed", flags->design.seed, "seed of the sample")->capture_default_str();
  add_json_option(*sample, flags->json);
  set_action(*sample, cli, flags, sample_space);

  CLI::App* check =
      add_command(*spaces, "check", "validate a space file: every problem with its place, then a random sample decoded",
                  "ridgeline space check my_space.json --sample 500");
  add_space_options(*check, flags->design);
  check->add_option("--sample", flags->sample, "random networks to decode")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  check->add_option("--seed", flags->design.seed, "seed of the sample")->capture_default_str();
  add_json_option(*check, flags->json);
  set_action(*check, cli, flags, check_space);

  add_space_evolve_command(*spaces, cli);
  add_space_shrink_command(*spaces, cli);
}

}  // namespace ridgeline
