#include <fmt/format.h>

#include <array>
#include <span>
#include <string_view>

#include "experiments/training/train.hpp"
#include "experiments/training/training_report.hpp"

namespace ridgeline {
namespace {

struct StoredFlag {
  const char* flag;
  const char* place;  // in the stored configuration
};

// Those whose value is another one than in `defaults`.
std::string changed_flags(std::span<const StoredFlag> flags, const Json& training, const Json& defaults) {
  std::string text;
  for (const auto& [flag, place] : flags) {
    const Json::json_pointer at(place);
    if (!training.contains(at) || (defaults.contains(at) && training.at(at) == defaults.at(at))) continue;
    text += fmt::format(" {} {}", flag, shell_quoted(choice_text(training.at(at))));
  }
  return text;
}

std::string phase_flag(const Json& phase) {
  const Json& open = phase.at("open");  // "all", or the names of dimensions
  const std::string names = open.is_string() ? open.get<std::string>()
                            : open.empty()   ? "largest"
                                             : fmt::format("{}", fmt::join(open.get<std::vector<std::string>>(), ","));
  return fmt::format(" --phase {}", shell_quoted(fmt::format("{}:{}", phase.at("epochs").get<int>(), names)));
}

std::string supernet_flags(const Json& training, const Json& defaults) {
  static constexpr std::array<StoredFlag, 2> flags{
      {{"--candidates", "/supernet/candidates"}, {"--distillation", "/supernet/distillation"}}};
  std::string text = fmt::format(" --supernet{}", changed_flags(flags, training, defaults));
  if (!training.value("/supernet/sandwich"_json_pointer, true)) text += " --uniform";
  for (const Json& phase : training.value("/supernet/phases"_json_pointer, Json::array())) text += phase_flag(phase);
  return text;
}

std::string schedule_flags(const Json& training, const Json& defaults) {
  static constexpr std::array<StoredFlag, 14> flags{{{"--batch", "/batch"},
                                                     {"--format", "/format"},
                                                     {"--optimizer", "/optimizer/kind"},
                                                     {"--learning-rate", "/learning_rate"},
                                                     {"--momentum", "/optimizer/momentum"},
                                                     {"--weight-decay", "/optimizer/weight_decay"},
                                                     {"--schedule", "/schedule"},
                                                     {"--warmup", "/warmup_epochs"},
                                                     {"--clip", "/clip_norm"},
                                                     {"--average", "/average_decay"},
                                                     {"--smoothing", "/label_smoothing"},
                                                     {"--crop", "/augment/crop_padding"},
                                                     {"--cutout", "/augment/cutout"},
                                                     {"--mixup", "/augment/mixup_alpha"}}};
  const std::string text = changed_flags(flags, training, defaults);
  return training.value("/augment/flip"_json_pointer, false) ? text + " --flip" : text;
}

std::string controller_flags(const Json& training, const Json& defaults) {
  static constexpr std::array<StoredFlag, 6> flags{{{"--cost-device", "/controller/device"},
                                                    {"--cost-weight", "/controller/weight"},
                                                    {"--controller-dims", "/controller/dims"},
                                                    {"--controller-from", "/controller/from"},
                                                    {"--controller-learning-rate", "/controller/learning_rate"},
                                                    {"--controller-entropy", "/controller/entropy"}}};
  const Json& controller = training.at("controller");
  return fmt::format(" --controller --cost {} --cost-target {}{}",
                     shell_quoted(controller.at("cost").get<std::string>()), controller.at("target").dump(),
                     changed_flags(flags, training, defaults));
}

}  // namespace

std::string train_command(const ModelCheckpoint& checkpoint, const std::string& path) {
  TrainConfig plain;
  plain.supernet = SupernetConfig();
  plain.controller = ControllerConfig();
  const Json defaults = train_config_json(plain);
  const Json& training = checkpoint.training;
  std::string text = fmt::format("ridgeline train {}", shell_quoted(checkpoint.model.space));
  for (const auto& [name, value] : checkpoint.model.parameters) {
    text += fmt::format(" --parameter {}", shell_quoted(name + "=" + choice_text(value)));
  }
  const bool supernet = checkpoint.model.supernet();
  text += supernet ? supernet_flags(training, defaults)
                   : fmt::format(" --genome {}", shell_quoted(Json(checkpoint.model.genome.genes).dump()));
  const std::string& data = checkpoint.data_path.empty() ? checkpoint.data_name : checkpoint.data_path;
  text += fmt::format(" --data {}", shell_quoted(data));
  const bool phased = !training.value("/supernet/phases"_json_pointer, Json::array()).empty();
  for (const char* name : {"epochs", "threads", "seed"}) {
    if (phased && name == std::string_view("epochs")) continue;  // the phases have them
    if (training.contains(name)) text += fmt::format(" --{} {}", name, training.at(name).dump());
  }
  if (const auto quantize = training.find("quantize"); quantize != training.end()) {
    text += fmt::format(" --quantize {} --quantize-by {}", shell_quoted(quantize->at("formats").get<std::string>()),
                        quantize->at("by").get<std::string>());
  }
  if (supernet && training.contains("controller")) text += controller_flags(training, defaults);
  return fmt::format("{}{} --out {}", text, schedule_flags(training, defaults), shell_quoted(path));
}

}  // namespace ridgeline
