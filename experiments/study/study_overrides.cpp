// "--set path=value": the path grammar and the values.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "experiments/study/study_config.hpp"

namespace ridgeline {
namespace {

struct Step {
  std::string key;        // of an object, or
  std::size_t index = 0;  // of an array, where key is empty
};

[[noreturn]] void refuse(const std::string& text, std::string expected, std::string found, std::string remedy) {
  throw ConfigError({"--set", text, std::move(expected), std::move(found), std::move(remedy)});
}

// "objectives[0].limit" -> objectives, 0, limit
std::vector<Step> parse_path(const std::string& path, const std::string& text) {
  constexpr const char* form = "a path such as stop.trials or objectives[0].limit";
  std::vector<Step> steps;
  std::size_t at = 0;
  while (at < path.size()) {
    if (path[at] == '[') {
      Step step;
      const char* const end = path.data() + path.size();
      const auto [next, error] = std::from_chars(path.data() + at + 1, end, step.index);
      if (steps.empty() || error != std::errc{} || next == end || *next != ']') refuse(text, form, path, "");
      steps.push_back(step);
      at = static_cast<std::size_t>(next - path.data()) + 1;
      if (at < path.size() && path[at] == '.') ++at;
    } else {
      const std::size_t end = std::min(path.find_first_of(".[", at), path.size());
      if (end == at) refuse(text, form, path, "");
      steps.push_back({path.substr(at, end - at), 0});
      at = end < path.size() && path[end] == '.' ? end + 1 : end;
    }
    if (at == path.size() && path.back() == '.') refuse(text, form, path, "");
  }
  if (steps.empty()) refuse(text, form, "nothing before '='", "");
  return steps;
}

// JSON where it is JSON; a bare word stands for itself, so that nobody has to quote quotes.
Json parse_value(const std::string& value, const std::string& text) {
  const bool bare = value.empty() || std::string_view("{[\"").find(value.front()) == std::string_view::npos;
  const Json parsed = Json::parse(value, nullptr, false);
  if (parsed.is_discarded() && !bare) refuse(text, "a JSON value", value, "check quotes and brackets");
  return parsed.is_discarded() ? Json(value) : parsed;
}

Json& descend(Json& at, const Step& step, const std::string& text) {
  if (!step.key.empty()) {
    if (at.is_null()) at = Json::object();
    if (!at.is_object())
      refuse(text, fmt::format("an object that holds '{}'", step.key), describe(at), "check the path");
    return at[step.key];
  }
  if (!at.is_array() || step.index >= at.size()) {
    refuse(text, fmt::format("an array with an element {}", step.index), describe(at), "elements are counted from 0");
  }
  return at[step.index];
}

}  // namespace

Json with_overrides(Json document, const std::vector<std::string>& overrides) {
  std::vector<Problem> problems;
  for (const std::string& text : overrides) {
    try {
      const std::size_t equals = text.find('=');
      if (equals == std::string::npos) refuse(text, "path=value", "no '='", "e.g. --set stop.trials=500");
      Json value = parse_value(text.substr(equals + 1), text);
      Json* at = &document;
      for (const Step& step : parse_path(text.substr(0, equals), text)) at = &descend(*at, step, text);
      *at = std::move(value);
    } catch (const ConfigError& error) {
      problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    }
  }
  if (!problems.empty()) throw ConfigError(std::move(problems));
  return document;
}

}  // namespace ridgeline
