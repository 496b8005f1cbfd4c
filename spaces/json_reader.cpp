#include "spaces/json_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <utility>

namespace ridgeline {
namespace {

constexpr int deepest = 64;

// Where byte `offset` of `text` stands, as "line L, column C".
std::string place(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  const std::string_view before = text.substr(0, offset);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t start = before.rfind('\n');
  const std::size_t column = start == std::string_view::npos ? offset + 1 : offset - start;
  return fmt::format("line {}, column {}", line, column);
}

// nlohmann's message behind its own prefix and position, which `place` gives better.
std::string syntax_message(const std::string& what) {
  const std::size_t cut = what.find(": ", what.find("column "));
  return cut == std::string::npos ? what : what.substr(cut + 2);
}

}  // namespace

std::string describe(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::object:
      return fmt::format("an object with {} keys", value.size());
    case Json::value_t::array:
      return fmt::format("an array of {}", value.size());
    case Json::value_t::string: {
      std::string text = value.get<std::string>();
      if (text.size() > 60) text = text.substr(0, 57) + "...";
      return fmt::format("\"{}\" (string)", text);
    }
    case Json::value_t::boolean:
      return fmt::format("{} (boolean)", value.get<bool>());
    default:
      return fmt::format("{} (number)", value.dump());
  }
}

JsonDocument::JsonDocument(Json value, std::string origin)
    : value_(std::make_unique<Json>(std::move(value))),
      origin_(std::make_unique<std::string>(std::move(origin))),
      problems_(std::make_unique<std::vector<Problem>>()) {}

JsonDocument JsonDocument::load(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  // Of an empty file the buffer gives nothing, and what it is written to would fail.
  if (file && file.peek() != std::ifstream::traits_type::eof()) text << file.rdbuf();
  if (file.bad() || !file.is_open() || text.fail()) {
    throw ConfigError(
        {path, "", "a readable JSON file", "a file that cannot be read", "check the path and its rights"});
  }
  return parse(text.str(), path);
}

JsonDocument JsonDocument::parse(std::string_view text, const std::string& origin) {
  std::vector<std::vector<std::string>> keys;  // of every object still open, to find duplicates
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > deepest) {
      throw ConfigError({origin, "", fmt::format("nesting of at most {} levels", deepest), "deeper nesting", ""});
    }
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      auto& open = keys.back();
      if (std::find(open.begin(), open.end(), key) != open.end()) {
        throw ConfigError(
            {origin, key, "every key once in an object", fmt::format("'{}' twice", key), "keep one of them"});
      }
      open.push_back(key);
    }
    return true;
  };
  try {
    return {Json::parse(text, watch, true, true), origin};
  } catch (const Json::parse_error& error) {
    const std::size_t offset = error.byte > 0 ? error.byte - 1 : 0;
    throw ConfigError({origin, place(text, offset), "JSON", syntax_message(error.what()), ""});
  } catch (const Json::exception& error) {  // a number that overflows a double
    throw ConfigError({origin, "", "JSON with finite numbers", error.what(), ""});
  }
}

JsonDocument JsonDocument::from_value(Json value, const std::string& origin) { return {std::move(value), origin}; }

JsonReader JsonDocument::root() {
  JsonReader reader(*value_, "", *origin_, *problems_);
  if (!value_->is_object()) reader.note("", "an object at the top level", describe(*value_));
  return reader;
}

void JsonDocument::raise() const {
  if (!problems_->empty()) throw ConfigError(*problems_);
}

JsonReader::JsonReader(const Json& value, std::string path, const std::string& origin, std::vector<Problem>& problems)
    : value_(&value), path_(std::move(path)), origin_(&origin), problems_(&problems) {}

bool JsonReader::has(const std::string& key) const { return value_->is_object() && value_->contains(key); }

std::string JsonReader::at(const std::string& key) const {
  if (key.empty()) return path_;
  return path_.empty() ? key : path_ + "." + key;
}

void JsonReader::note(const std::string& key, std::string expected, std::string found, std::string remedy) {
  problems_->push_back({*origin_, at(key), std::move(expected), std::move(found), std::move(remedy)});
}

const Json* JsonReader::find(const std::string& key, bool required, const char* expected) {
  asked_.push_back(key);
  if (!value_->is_object()) {  // said once: by whoever made this reader, or here
    const bool known =
        std::ranges::any_of(*problems_, [&](const Problem& one) { return one.file == *origin_ && one.path == path_; });
    if (!known) note("", "an object", describe(*value_));
    return nullptr;
  }
  const auto it = value_->find(key);
  if (it != value_->end()) return &*it;
  if (required) note(key, expected, "nothing", "add the key");
  return nullptr;
}

std::string JsonReader::string(const std::string& key, std::optional<std::string> fallback) {
  const Json* value = find(key, !fallback, "a string");
  if (value == nullptr) return fallback.value_or("");
  if (value->is_string()) return value->get<std::string>();
  note(key, "a string", describe(*value));
  return fallback.value_or("");
}

std::string JsonReader::word(const std::string& key, std::span<const std::string> known,
                             std::optional<std::string> fallback) {
  const std::size_t before = problems_->size();
  const std::string neutral = fallback.value_or(known.empty() ? "" : known.front());
  const std::string word = string(key, std::move(fallback));
  if (problems_->size() != before) return neutral;
  if (std::find(known.begin(), known.end(), word) != known.end()) return word;
  note(key, "a known name", fmt::format("'{}'", word), known_words(word, known));
  return neutral;
}

double JsonReader::number(const std::string& key, const NumberRule& rule) {
  const double neutral = rule.fallback.value_or(std::isfinite(rule.least) ? rule.least : 0.0);
  const Json* value = find(key, !rule.fallback, "a number");
  if (value == nullptr) return neutral;
  if (!value->is_number()) {
    note(key, "a number", describe(*value));
    return neutral;
  }
  const double number = value->get<double>();
  if (!std::isfinite(number)) {
    note(key, "a finite number", describe(*value));
    return neutral;
  }
  if (number < rule.least || number > rule.most) {
    note(key, fmt::format("a number from {} to {}", rule.least, rule.most), describe(*value));
    return neutral;
  }
  return number;
}

std::int64_t JsonReader::integer(const std::string& key, const IntegerRule& rule) {
  const bool bounded = rule.least > std::numeric_limits<std::int64_t>::min();
  const std::int64_t neutral = rule.fallback.value_or(bounded ? rule.least : 0);
  const Json* value = find(key, !rule.fallback, "an integer");
  if (value == nullptr) return neutral;
  const bool overflows = value->is_number_unsigned() &&
                         value->get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()};
  if (!value->is_number_integer() || overflows) {
    note(key, "an integer", describe(*value));
    return neutral;
  }
  const auto number = value->get<std::int64_t>();
  if (number < rule.least || number > rule.most) {
    note(key,
         rule.most == std::numeric_limits<std::int64_t>::max()
             ? fmt::format("an integer of at least {}", rule.least)
             : fmt::format("an integer from {} to {}", rule.least, rule.most),
         describe(*value));
    return neutral;
  }
  return number;
}

bool JsonReader::boolean(const std::string& key, std::optional<bool> fallback) {
  const Json* value = find(key, !fallback, "true or false");
  if (value == nullptr) return fallback.value_or(false);
  if (value->is_boolean()) return value->get<bool>();
  note(key, "true or false", describe(*value));
  return fallback.value_or(false);
}

std::vector<std::string> JsonReader::strings(const std::string& key, bool required) {
  std::vector<std::string> values;
  for (const JsonReader& element : array(key, required)) {
    if (element.value().is_string()) {
      values.push_back(element.value().get<std::string>());
    } else {
      JsonReader(element).note("", "a string", describe(element.value()));
    }
  }
  return values;
}

std::vector<double> JsonReader::numbers(const std::string& key, bool required) {
  std::vector<double> values;
  for (const JsonReader& element : array(key, required)) {
    if (element.value().is_number() && std::isfinite(element.value().get<double>())) {
      values.push_back(element.value().get<double>());
    } else {
      JsonReader(element).note("", "a finite number", describe(element.value()));
    }
  }
  return values;
}

std::optional<JsonReader> JsonReader::object(const std::string& key, bool required) {
  const Json* value = find(key, required, "an object");
  if (value == nullptr) return std::nullopt;
  if (value->is_object()) return JsonReader(*value, at(key), *origin_, *problems_);
  note(key, "an object", describe(*value));
  return std::nullopt;
}

std::vector<JsonReader> JsonReader::array(const std::string& key, bool required) {
  std::vector<JsonReader> elements;
  const Json* value = find(key, required, "an array");
  if (value == nullptr) return elements;
  if (!value->is_array()) {
    note(key, "an array", describe(*value));
    return elements;
  }
  for (std::size_t i = 0; i < value->size(); ++i) {
    elements.emplace_back((*value)[i], fmt::format("{}[{}]", at(key), i), *origin_, *problems_);
  }
  return elements;
}

std::vector<std::pair<std::string, JsonReader>> JsonReader::members(const std::string& key, bool required) {
  std::vector<std::pair<std::string, JsonReader>> members;
  const Json* value = find(key, required, "an object");
  if (value == nullptr) return members;
  if (!value->is_object()) {
    note(key, "an object", describe(*value));
    return members;
  }
  for (const auto& [name, member] : value->items()) {
    members.emplace_back(name, JsonReader(member, at(key) + "." + name, *origin_, *problems_));
  }
  return members;
}

const Json* JsonReader::any(const std::string& key, bool required) { return find(key, required, "a value"); }

void JsonReader::finish() {
  if (!value_->is_object()) return;
  for (const auto& [key, member] : value_->items()) {
    if (std::find(asked_.begin(), asked_.end(), key) != asked_.end()) continue;
    note(key, "a known key", fmt::format("'{}'", key), known_words(key, asked_));
  }
}

}  // namespace ridgeline
