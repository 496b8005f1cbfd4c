// The options of every command that names a space, or one network of it.
#pragma once

#include "cli/command_line.hpp"
#include "experiments/report/report_space.hpp"

namespace ridgeline {

void add_space_options(CLI::App& command, DesignOptions& options);   // SPACE --parameter --choices --batch
void add_genome_options(CLI::App& command, DesignOptions& options);  // --genome | --random, --seed
void add_format_option(CLI::App& command, DesignOptions& options);   // --format

struct ChosenDesign {
  std::string space;
  Json genome;  // {"dimension": choice}
  std::vector<std::pair<std::string, std::string>> choices;
  Design design;
};
// Of the space; or the network of a checkpoint or an ONNX file in its place. Throws ConfigError.
ChosenDesign choose_design(const DesignOptions& options, const Resources& resources);
std::string design_summary(const ChosenDesign& chosen);  // space, choices, MACs, parameters, bytes

}  // namespace ridgeline
