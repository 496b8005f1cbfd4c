#include "cli/train_options.hpp"

#include "kernels/pinning.hpp"

namespace ridgeline {
namespace {

void add_schedule_options(CLI::App& command, TrainConfig& config) {
  const auto names = [](std::span<const std::string> list) {
    return std::vector<std::string>(list.begin(), list.end());
  };
  command.add_option("--optimizer", config.optimizer.kind, "sgd (Nesterov), adamw or lion")
      ->check(CLI::IsMember(names(optimizer_names())))
      ->capture_default_str();
  command.add_option("--learning-rate", config.learning_rate, "the highest of the schedule; adamw wants about 0.002")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--momentum", config.optimizer.momentum, "of sgd")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--weight-decay", config.optimizer.weight_decay, "of kernels; norms and biases are not decayed")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--schedule", config.schedule, "constant, cosine or cosine_power")
      ->check(CLI::IsMember(names(schedule_names())))
      ->capture_default_str();
  command.add_option("--warmup", config.warmup_epochs, "epochs of linear warm-up")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--clip", config.clip_norm, "largest norm of a gradient; 0: not clipped")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--average", config.average_decay, "decay of a moving average of the weights, such as 0.999; 0: none")
      ->check(CLI::Range(0.0, 0.999999))
      ->capture_default_str();
  command.add_option("--smoothing", config.label_smoothing, "of labels")
      ->check(CLI::Range(0.0, 0.9))
      ->capture_default_str();
}

void add_augment_options(CLI::App& command, AugmentOptions& augment) {
  command.add_option("--crop", augment.crop_padding, "move images by up to so many pixels")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command.add_flag("--flip", augment.flip, "mirror half of the images");
  command.add_option("--cutout", augment.cutout, "blank a square of so many pixels")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command.add_option("--mixup", augment.mixup_alpha, "mix pairs of images, with this alpha")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

}  // namespace

void add_training_options(CLI::App& command, TrainConfig& config) {
  command.add_option("--epochs", config.epochs, "passes over the training images")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command.add_option("--batch", config.batch, "images a step")->check(CLI::Range(2, 65536))->capture_default_str();
  add_schedule_options(command, config);
  add_augment_options(command, config.augment);
}

void add_threads_option(CLI::App& command, int& threads) {
  threads = allowed_processors();
  command.add_option("--threads", threads, "threads, pinned")
      ->check(CLI::Range(1, allowed_processors()))
      ->capture_default_str();
}

void refuse_training(const std::string& name) {
  try {
    throw;
  } catch (const Diverged& problem) {
    throw ConfigError(Problem{name, "", "a loss that stays finite", problem.what(), ""});
  } catch (const Unsupported& problem) {
    throw ConfigError(Problem{name, "", "a network and a format that are trained here", problem.what(), ""});
  }
}

}  // namespace ridgeline
