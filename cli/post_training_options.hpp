// The options of every command that quantizes a trained network: how ranges are chosen and which passes are applied.
#pragma once

#include <string>

#include "cli/command_line.hpp"
#include "experiments/quantization/passes.hpp"

namespace ridgeline {

struct PostTrainingFlags {
  std::string calibration, passes = "none";
  std::int64_t images = 0;
  double migration = 0.5;

  PostTrainingOptions options() const;  // throws ConfigError
};

// --calibration --passes --calibration-images --migration; they mean nothing without the option `format`, where there
// is one.
void add_post_training_options(CLI::App& command, PostTrainingFlags& flags, CLI::Option* format = nullptr);

// "a,b" to {"a", "b"}.
std::vector<std::string> words_of(const std::string& list);

}  // namespace ridgeline
