// The options of every command that trains.
#pragma once

#include "cli/command_line.hpp"
#include "experiments/training/train.hpp"
#include "kernels/executable.hpp"

namespace ridgeline {

// --epochs --batch --learning-rate --optimizer ... --mixup; not --data, --threads, --seed and --format.
void add_training_options(CLI::App& command, TrainConfig& config);
void add_threads_option(CLI::App& command, int& threads);

// The current exception, Diverged or Unsupported, as a ConfigError of the command `name`.
[[noreturn]] void refuse_training(const std::string& name);
// Calls `action`; what training cannot do becomes a problem of the command.

template <typename Action>
auto as_problems_of(const std::string& name, Action&& action) {
  try {
    return action();
  } catch (const Diverged&) {
    refuse_training(name);
  } catch (const Unsupported&) {
    refuse_training(name);
  }
}

}  // namespace ridgeline
