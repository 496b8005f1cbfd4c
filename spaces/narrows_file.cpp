// Space files that narrow another: {"ridgeline_space": 1, "name": ..., "narrows": FILE, "choices": {...}}.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "spaces/search_space_impl.hpp"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_files = 16;  // a chain of files, so that a circle ends

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

// A shipped name wins over a file of that name, as everywhere; anything else is a path from the file's folder.
std::string base_of(JsonReader& root, const std::string& wanted, const std::string& origin,
                    const std::string& library) {
  const bool looks_like_path = wanted.find('/') != std::string::npos || wanted.ends_with(".json");
  if (!looks_like_path && !library.empty() && is_file(fs::path(library) / (wanted + ".json"))) {
    return (fs::path(library) / (wanted + ".json")).string();
  }
  const fs::path path = fs::path(origin).parent_path() / wanted;
  if (is_file(path)) return path.string();
  std::vector<std::string> known;
  std::error_code error;
  for (fs::directory_iterator it(library, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".json") known.push_back(it->path().stem().string());
  }
  std::sort(known.begin(), known.end());
  root.note("narrows", "a space file, named from the folder of this one, or a shipped space",
            fmt::format("'{}', and no file {}", wanted, path.string()),
            looks_like_path || known.empty() ? "check the path" : known_words(wanted, known));
  return {};
}

// One file of the chain: adds what it says and returns the file that it narrows.
std::string read_file(JsonDocument& document, const SpaceOptions& options, NarrowedDocument& narrowed) {
  JsonReader root = document.root();
  root.integer("ridgeline_space", {.fallback = {}, .least = 1, .most = 1});
  const std::string name = root.string("name"), about = root.string("about", "");
  root.string("source", "");
  if (narrowed.name.empty()) narrowed.name = name;
  if (narrowed.about.empty()) narrowed.about = about;
  const std::string wanted = root.string("narrows");
  if (document.value()["narrows"] == "") root.note("narrows", "a space", "no name");
  for (const auto& [key, reader] : root.members("parameters", false)) {
    narrowed.parameters.try_emplace(key, reader.value());  // what stands outside goes before
  }
  Narrowing narrowing{{}, {document.origin(), "choices."}};
  for (const auto& [key, reader] : root.members("choices")) narrowing.choices[key] = reader.value();
  narrowed.narrowings.insert(narrowed.narrowings.begin(), std::move(narrowing));
  root.finish();
  const std::string base = wanted.empty() ? "" : base_of(root, wanted, document.origin(), options.library);
  document.raise();
  return base;
}

}  // namespace

NarrowedDocument read_narrowed(JsonDocument document, const SpaceOptions& options) {
  NarrowedDocument narrowed{std::move(document), {}, {}, options.parameters, {}};
  if (!options.choices.empty()) narrowed.narrowings.push_back({options.choices, {}});
  std::size_t files = 0;
  while (narrowed.whole.value().is_object() && narrowed.whole.value().contains("narrows")) {
    if (++files > most_files) {
      throw ConfigError({narrowed.whole.origin(), "narrows", fmt::format("a chain of at most {} files", most_files),
                         "a longer one, or a circle", "name a space with dimensions of its own"});
    }
    const std::string base = read_file(narrowed.whole, options, narrowed);
    narrowed.whole = JsonDocument::load(base);
  }
  return narrowed;
}

}  // namespace ridgeline
