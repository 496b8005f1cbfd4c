#include "experiments/quantization/passes.hpp"

#include <algorithm>
#include <array>

namespace ridgeline {
namespace {

const PostTrainingOptions usual{};

}  // namespace

std::span<const std::string> quantization_pass_names() {
  static const std::array<std::string, 8> names{"fold", "equalize", "smooth", "shift",
                                                "clip", "adaround", "gptq",   "correct-bias"};
  return names;
}

bool PostTrainingOptions::has(QuantizationPass pass) const { return std::ranges::binary_search(passes, pass); }

std::string PostTrainingOptions::text() const {
  std::string text;
  for (const QuantizationPass pass : passes) {
    text += (text.empty() ? "" : "+") + quantization_pass_names()[static_cast<std::size_t>(pass)];
  }
  return text.empty() ? "none" : text;
}

Json PostTrainingOptions::json() const {
  Json made = Json::object();
  if (calibration != usual.calibration) {
    made["calibration"] = calibration_method_names()[static_cast<std::size_t>(calibration)];
  }
  for (const QuantizationPass pass : passes) {
    made["passes"].push_back(quantization_pass_names()[static_cast<std::size_t>(pass)]);
  }
  if (images != usual.images) made["calibration_images"] = images;
  if (migration != usual.migration) made["migration"] = migration;
  return made;
}

std::vector<QuantizationPass> parse_passes(std::span<const std::string> names, const std::string& origin) {
  const std::span<const std::string> known = quantization_pass_names();
  std::vector<QuantizationPass> passes;
  const auto add = [&](QuantizationPass pass) {
    if (std::ranges::find(passes, pass) == passes.end()) passes.push_back(pass);
  };
  for (const std::string& name : names) {
    const auto found = std::ranges::find(known, name);
    if (found == known.end()) {
      throw ConfigError(Problem{origin, "", "the name of a pass", "'" + name + "'", known_words(name, known)});
    }
    add(static_cast<QuantizationPass>(found - known.begin()));
  }
  const auto has = [&](QuantizationPass pass) { return std::ranges::find(passes, pass) != passes.end(); };
  if (has(QuantizationPass::adaround) && has(QuantizationPass::gptq)) {
    throw ConfigError(Problem{origin, "", "one way to round weights", "adaround and gptq", "leave one out"});
  }
  if (has(QuantizationPass::shift)) add(QuantizationPass::smooth);
  if (!passes.empty()) add(QuantizationPass::fold);
  std::ranges::sort(passes);
  return passes;
}

PostTrainingOptions read_post_training(JsonReader& options) {
  PostTrainingOptions read;
  const std::span<const std::string> methods = calibration_method_names();
  const std::string method = options.word("calibration", methods, methods.front());
  read.calibration = static_cast<CalibrationMethod>(std::ranges::find(methods, method) - methods.begin());
  try {
    read.passes = parse_passes(options.strings("passes", false), "passes");
  } catch (const ConfigError& error) {
    const Problem& problem = error.problems().front();
    options.note("passes", problem.expected, problem.found, problem.remedy);
  }
  read.images = static_cast<std::size_t>(options.integer(
      "calibration_images", {.fallback = static_cast<std::int64_t>(usual.images), .least = 1, .most = 1'000'000}));
  read.migration = options.number("migration", {.fallback = usual.migration, .least = 0.0, .most = 1.0});
  return read;
}

}  // namespace ridgeline
