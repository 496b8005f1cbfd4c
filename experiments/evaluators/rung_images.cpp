#include "experiments/evaluators/rung_images.hpp"

#include <fmt/format.h>

#include "experiments/training/evaluate.hpp"

namespace ridgeline {

std::vector<double> read_images(JsonReader& options) {
  return read_work(options, "images", {.fallback = 0.0, .least = 1.0, .most = 1e9, .whole_numbers = true});
}

bool check_images(JsonReader& options, std::span<const double> counts, const LabelledImages& validation) {
  const auto there = static_cast<double>(validation.size());
  if (counts.front() <= there) return true;
  options.note("images", fmt::format("at most {}, the validation images there are", there),
               fmt::format("{}", counts.front()), counts.size() > 1 ? "" : "leave it out to take all");
  return false;
}

std::vector<LabelledImages> images_of_rungs(const LabelledImages& validation, std::span<const double> counts) {
  std::vector<LabelledImages> images;
  for (const double count : counts) {
    images.push_back(count > 0 ? calibration_images(validation, static_cast<std::size_t>(count)) : validation);
  }
  return images;
}

}  // namespace ridgeline
