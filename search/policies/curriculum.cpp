#include "search/policies/curriculum.hpp"

#include <algorithm>

namespace ridgeline {
namespace {

constexpr double most_threshold = 0.9;

}  // namespace

std::size_t Curriculum::free() const { return (dims_ * stage_ + options_.stages - 1) / options_.stages; }

std::size_t Curriculum::length(Rng& rng) const {
  const std::size_t most = free();
  if (options_.halting == 0.0) return most;
  std::size_t length = 0, failures = 0;
  while (length < most && failures < options_.failures) {
    ++length;
    if (rng.chance(options_.halting)) ++failures;
  }
  return length;
}

double Curriculum::judge(double reward) {
  if (options_.stages <= 1) return reward;
  const bool success = reward > threshold_;
  successes_ += success ? 1 : 0;
  ++waited_;
  if (successes_ >= options_.successes) {
    next_stage(std::min(most_threshold, (threshold_ + 1) / 2));
  } else if (waited_ >= options_.patience) {
    next_stage(std::max(0.0, 2 * threshold_ - 1));
  }
  return success ? 1.0 : reward;
}

void Curriculum::next_stage(double threshold) {
  threshold_ = threshold;
  stage_ = std::min(stage_ + 1, options_.stages);
  successes_ = waited_ = 0;
}

Json Curriculum::save() const {
  return {{"stage", stage_}, {"successes", successes_}, {"waited", waited_}, {"threshold", threshold_}};
}

void Curriculum::load(JsonReader& reader, const std::string& key) {
  std::optional<JsonReader> saved = reader.object(key);
  if (!saved) return;
  const auto count = [&saved](const std::string& name, std::int64_t least, std::size_t most) {
    return static_cast<std::size_t>(
        saved->integer(name, {.fallback = {}, .least = least, .most = static_cast<std::int64_t>(most)}));
  };
  stage_ = count("stage", 1, options_.stages);
  successes_ = count("successes", 0, options_.successes);
  waited_ = count("waited", 0, options_.patience);
  threshold_ = saved->number("threshold", {.fallback = {}, .least = 0.0, .most = most_threshold});
  saved->finish();
}

}  // namespace ridgeline
