#include "cli/post_training_options.hpp"

#include <algorithm>

namespace ridgeline {

std::vector<std::string> words_of(const std::string& list) {
  std::vector<std::string> words;
  for (std::size_t from = 0; from <= list.size();) {
    const std::size_t comma = std::min(list.find(',', from), list.size());
    words.push_back(list.substr(from, comma - from));
    from = comma + 1;
  }
  return words;
}

PostTrainingOptions PostTrainingFlags::options() const {
  PostTrainingOptions options;
  const auto names = calibration_method_names();
  const auto method = std::ranges::find(names, calibration);
  if (method != names.end()) options.calibration = static_cast<CalibrationMethod>(method - names.begin());
  if (passes != "none") options.passes = parse_passes(words_of(passes), "--passes");
  options.images = static_cast<std::size_t>(images);
  options.migration = migration;
  return options;
}

void add_post_training_options(CLI::App& command, PostTrainingFlags& flags, CLI::Option* format) {
  const PostTrainingOptions usual;
  const auto names = calibration_method_names();
  flags.calibration = names[static_cast<std::size_t>(usual.calibration)];
  flags.images = static_cast<std::int64_t>(usual.images);
  flags.migration = usual.migration;
  command.add_option("--calibration", flags.calibration, "how activations' ranges follow from what is seen")
      ->check(CLI::IsMember(std::vector<std::string>(names.begin(), names.end())))
      ->capture_default_str();
  command.add_option("--calibration-images", flags.images, "images of the training split that are looked at")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command
      .add_option("--passes", flags.passes,
                  "none, or with commas: fold (batch norms), equalize (channels of neighbours), smooth (outliers into "
                  "weights), shift (with smooth: channels centred), clip (kernels' ranges), adaround or gptq (learned "
                  "rounding), correct-bias")
      ->capture_default_str();
  command.add_option("--migration", flags.migration, "of smooth: 0 leaves outliers in activations, 1 moves all")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  for (const char* one : {"--calibration", "--calibration-images", "--passes", "--migration"}) {
    if (format != nullptr) command.get_option(one)->needs(format);
  }
}

}  // namespace ridgeline
