// Strict reading of JSON files: every key consumed or reported, every problem with its place.
//
//   JsonDocument document = JsonDocument::load("space.json");       // syntax errors throw, with line and column
//   JsonReader root = document.root();
//   std::string name = root.string("name");                         // a missing key or a wrong type is noted, a
//   neutral double limit = root.number("limit", {.fallback = 1.0});         //   value is returned and reading goes on
//   root.finish();                                                  // unknown keys are noted, with the nearest known
//   one document.raise();                                               // throws ConfigError when anything was noted
//
// Comments (// and /* */) are allowed; duplicate keys, non-finite numbers and nesting deeper than 64 are not.
// A reader refers to its document, which must outlive it. Not thread-safe.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "spaces/config_error.hpp"

namespace ridgeline {

using Json = nlohmann::json;

class JsonReader;

class JsonDocument {
 public:
  // Throws ConfigError: unreadable file, empty file, syntax.
  static JsonDocument load(const std::string& path);
  static JsonDocument parse(std::string_view text, const std::string& origin);
  // A value made elsewhere (after --set overrides, say); `origin` stands in messages.
  static JsonDocument from_value(Json value, const std::string& origin);

  const Json& value() const { return *value_; }
  const std::string& origin() const { return *origin_; }
  JsonReader root();
  void note(Problem problem) { problems_->push_back(std::move(problem)); }
  const std::vector<Problem>& problems() const { return *problems_; }
  void raise() const;  // throws ConfigError with everything noted so far, if anything

 private:
  JsonDocument(Json value, std::string origin);
  std::unique_ptr<Json> value_;  // behind pointers so that readers stay valid when the document moves
  std::unique_ptr<std::string> origin_;
  std::unique_ptr<std::vector<Problem>> problems_;
};

struct NumberRule {
  std::optional<double> fallback{};  // used when the key is absent; a key without one is required
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
};

struct IntegerRule {
  std::optional<std::int64_t> fallback{};
  std::int64_t least = std::numeric_limits<std::int64_t>::min();
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
};

class JsonReader {
 public:
  JsonReader(const Json& value, std::string path, const std::string& origin, std::vector<Problem>& problems);

  const Json& value() const { return *value_; }
  const std::string& path() const { return path_; }
  bool has(const std::string& key) const;

  std::string string(const std::string& key, std::optional<std::string> fallback = std::nullopt);
  // One of `known`; the first of them is returned when the word is wrong.
  std::string word(const std::string& key, std::span<const std::string> known,
                   std::optional<std::string> fallback = std::nullopt);
  double number(const std::string& key, const NumberRule& rule = {});
  std::int64_t integer(const std::string& key, const IntegerRule& rule = {});
  bool boolean(const std::string& key, std::optional<bool> fallback = std::nullopt);
  std::vector<std::string> strings(const std::string& key, bool required = true);
  std::vector<double> numbers(const std::string& key, bool required = true);

  // The object under `key`, or nullopt where absent or no object (noted when `required` or of the wrong type).
  std::optional<JsonReader> object(const std::string& key, bool required = true);
  // The elements of the array under `key`; empty where absent or no array.
  std::vector<JsonReader> array(const std::string& key, bool required = true);
  // The members of the object under `key`, with their names, in the file's (sorted) order.
  std::vector<std::pair<std::string, JsonReader>> members(const std::string& key, bool required = true);
  // Any value under `key`, marked as consumed; nullptr where absent.
  const Json* any(const std::string& key, bool required = false);

  // Notes a problem at `key` of this object, or at this value itself where `key` is empty.
  void note(const std::string& key, std::string expected, std::string found, std::string remedy = {});
  // Notes every key that nothing asked for.
  void finish();

 private:
  const Json* find(const std::string& key, bool required, const char* expected);
  std::string at(const std::string& key) const;

  const Json* value_;
  std::string path_;
  const std::string* origin_;
  std::vector<Problem>* problems_;
  std::vector<std::string> asked_;
};

// "-3 (number)", "\"abc\" (string)", "an object with 3 keys": how a message shows a value.
std::string describe(const Json& value);

}  // namespace ridgeline
