#include "cli/design_options.hpp"

#include <fmt/format.h>

#include "experiments/training/trained_model.hpp"
#include "spaces/counts.hpp"

namespace ridgeline {

void add_space_options(CLI::App& command, DesignOptions& options) {
  command.add_option("space", options.space, "space file, or the name of a shipped space (see: ridgeline space list)")
      ->required();
  command
      .add_option("--parameter", options.parameters, "name=value: replace a parameter of the space; may be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command
      .add_option("--choices", options.choices,
                  "name=choice or name=[choice,...]: all that is left of a dimension; may be repeated")
      ->type_name("NAME=CHOICES")
      ->allow_extra_args(false);
  command.add_option("--batch", options.batch, "images a forward pass")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
}

void add_genome_options(CLI::App& command, DesignOptions& options) {
  auto* genome =
      command.add_option("--genome", options.genome, "JSON: {\"dimension\": choice, ...} or an array of gene indices")
          ->type_name("JSON");
  command
      .add_flag_callback(
          "--random", [] {}, "a random network of the space, drawn with --seed (the default)")
      ->excludes(genome);
  command.add_option("--seed", options.seed, "seed of the random network")->capture_default_str();
}

void add_format_option(CLI::App& command, DesignOptions& options) {
  command.add_option(
      "--format", options.format,
      "number format of all weights and activations, such as f32, bf16, int8, or WEIGHTS/ACTIVATIONS; default: as the "
      "space says");
}

namespace {

ChosenDesign trained_design(const DesignOptions& options, const Resources& resources) {
  if (!options.genome.empty() || !options.parameters.empty() || !options.choices.empty()) {
    throw ConfigError({!options.genome.empty()       ? "--genome"
                       : !options.parameters.empty() ? "--parameter"
                                                     : "--choices",
                       "", "a space to choose from", "'" + options.space + "', one network", "leave it out"});
  }
  TrainedModel model = load_trained_model(options.space, resources);
  Design& design = model.design;
  if (options.batch != 1) design.network = with_batch(design.network, options.batch);
  if (!options.format.empty()) {
    design.precision = PrecisionPlan::uniform(design.network, options.format);
  }
  return {options.space, Json(), {}, std::move(design)};
}

}  // namespace

ChosenDesign choose_design(const DesignOptions& options, const Resources& resources) {
  if (is_model_file(options.space)) return trained_design(options, resources);
  const StudyConfig config = space_config(options);
  const SearchSpace space = open_space(config, resources);
  const Genome genome = chosen_genome(options, space);
  return {space.name(), space.describe(genome), grouped_choices(space, genome), decode_for(config, space, genome)};
}

std::string design_summary(const ChosenDesign& chosen) {
  const Network& network = chosen.design.network;
  std::string text = chosen.space + "\n";
  for (const auto& [name, choices] : chosen.choices) text += fmt::format("  {}: {}\n", name, choices);
  return text + fmt::format("{} MACs, {} parameters, {} of weights, {} of activations at the peak\n",
                            pretty(static_cast<double>(macs(network)), ""),
                            pretty(static_cast<double>(parameters(network)), ""),
                            pretty(static_cast<double>(weight_bytes(network, chosen.design.precision)), "B"),
                            pretty(static_cast<double>(peak_activation_bytes(network, chosen.design.precision)), "B"));
}

}  // namespace ridgeline
