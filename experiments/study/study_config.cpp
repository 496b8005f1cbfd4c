#include "experiments/study/study_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "experiments/study/device_limits.hpp"
#include "experiments/study/study_parts.hpp"
#include "experiments/study/study_variants.hpp"
#include "search/searcher.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

class ConfigReader {
 public:
  explicit ConfigReader(JsonDocument& document) : document_(document), root_(document.root()) {}

  StudyConfig read() {
    config_.origin = document_.origin();
    config_.canonical = document_.value();
    root_.integer("ridgeline_study", {.least = 1, .most = 1});
    config_.name = root_.string("name");
    if (root_.has("name") && root_.value()["name"] == "") root_.note("name", "a name", "an empty one");
    if (std::ranges::any_of(config_.name, [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
      root_.note("name", "a name of printable characters", Json(config_.name).dump());
    }
    root_.string("about", "");
    config_.space = root_.string("space");
    config_.seed = static_cast<std::uint64_t>(root_.integer("seed", {.fallback = 1, .least = 0}));
    config_.space_options.batch = root_.integer("batch_images", {.fallback = 1, .least = 1, .most = 65536});
    for (const auto& [name, member] : root_.members("parameters", false)) {
      config_.space_options.parameters.emplace(name, member.value());
    }
    for (const auto& [name, member] : root_.members("choices", false)) {
      config_.space_options.choices.emplace(name, member.value());
    }
    read_precision();
    read_searcher();
    read_warm_start();
    config_.batch = root_.integer("batch", {.fallback = 0, .least = 1, .most = 1'000'000});
    config_.threads = static_cast<int>(root_.integer("threads", {.fallback = 0, .least = 0, .most = 1024}));
    config_.verify_front = root_.boolean("verify_front", true);
    config_.verify_cache = root_.boolean("verify_cache", false);
    const std::string cache = root_.word("cache", cache_names(), cache_names()[0]);
    const auto named = std::ranges::find(cache_names(), cache);
    if (named != cache_names().end()) config_.cache = static_cast<StudyCache>(named - cache_names().begin());
    read_stop();
    for (JsonReader& entry : root_.array("objectives")) read_objective(entry, false);
    if (root_.has("objectives") && root_.value()["objectives"] == Json::array()) {
      root_.note("objectives", "at least one objective", "none", "add what is searched for");
    }
    for (JsonReader& entry : root_.array("constraints", false)) read_objective(entry, true);
    config_.variants = read_variants(root_);
    read_steps("before", config_.before);
    read_steps("after", config_.after);
    root_.finish();
    return std::move(config_);
  }

 private:
  void read_precision() {
    if (!root_.has("precision")) return;
    config_.precision = root_.string("precision");
    try {
      PrecisionPlan::uniform(Network(), *config_.precision);
    } catch (const ConfigError& error) {
      const Problem& problem = error.problems().front();
      root_.note("precision", problem.expected, problem.found, problem.remedy);
    }
  }

  void read_searcher() {
    std::optional<JsonReader> searcher = root_.object("searcher");
    if (!searcher) return;
    config_.searcher = searcher->string("name");
    config_.searcher_options = searcher->value();
    config_.searcher_options.erase("name");
    const auto known = searchers();
    if (config_.searcher.empty() || std::ranges::find(known, config_.searcher, &SearcherEntry::name) != known.end())
      return;
    std::vector<std::string> names;
    for (const SearcherEntry& entry : known) names.push_back(entry.name);
    searcher->note("name", "the name of a searcher", fmt::format("'{}'", config_.searcher),
                   known_words(config_.searcher, names));
  }

  void read_warm_start() {
    std::optional<JsonReader> warm = root_.object("warm_start", false);
    if (!warm) return;
    WarmStartConfig read;
    read.from = warm->strings("from", false);
    read.trials = warm->integer("trials", {.fallback = read.trials, .least = 1, .most = 100'000});
    const Json* const genomes = warm->any("genomes");
    if (genomes != nullptr && genomes->is_array()) {
      read.genomes.assign(genomes->begin(), genomes->end());
    } else if (genomes != nullptr || read.from.empty()) {
      warm->note("genomes", "\"from\", a list of stored studies, or \"genomes\", a list of candidates",
                 genomes != nullptr ? describe(*genomes) : "neither");
    }
    read.similarity = warm->number("similarity", {.fallback = 1.0, .least = 0.0, .most = 1.0});
    read.of = warm->string("of", "");
    warm->finish();
    config_.warm = std::move(read);
  }

  void read_stop() {
    std::optional<JsonReader> stop = root_.object("stop", false);
    if (!stop) return;
    config_.stop.trials = stop->integer("trials", {.fallback = config_.stop.trials, .least = 1});
    if (stop->has("wall_s")) config_.stop.wall_s = stop->number("wall_s", {.least = 1e-3, .most = 1e9});
    if (stop->has("stagnation")) config_.stop.stagnation = stop->integer("stagnation", {.least = 1});
    stop->finish();
  }

  void read_objective(JsonReader& entry, bool constraint_only) {
    static const std::vector<std::string> directions = {"minimise", "maximise"};
    if (!entry.value().is_object()) {
      entry.note("", "an object", describe(entry.value()));
      return;
    }
    ObjectiveConfig read;
    Objective& objective = read.objective;
    objective.constraint_only = constraint_only;
    objective.name = entry.string("name");
    objective.unit = entry.string("unit", "");
    // A constraint's direction says on which side of the limit it is well: below, unless told otherwise.
    const auto fallback = constraint_only ? std::optional<std::string>("minimise") : std::nullopt;
    objective.direction =
        entry.word("direction", directions, fallback) == "maximise" ? Direction::maximise : Direction::minimise;
    if (constraint_only || entry.has("limit")) objective.limit = entry.number("limit");
    if (const std::optional<JsonReader> from = entry.object("from")) read.from = from->value();
    read_screen(entry, read);
    read_early_exit(entry, read);
    entry.finish();
    const auto same = [&](const ObjectiveConfig& other) { return other.objective.name == objective.name; };
    if (!objective.name.empty() && std::any_of(config_.objectives.begin(), config_.objectives.end(), same)) {
      entry.note("name", "names that differ", fmt::format("'{}' twice", objective.name), "rename one of them");
    }
    config_.objectives.push_back(std::move(read));
  }

  void read_steps(const char* key, std::vector<StudyStep>& steps) {
    for (JsonReader& entry : root_.array(key, false)) {
      if (!entry.value().is_object()) {
        entry.note("", R"(an object such as {"run": ["data", "make", "glyphs", "--out", "glyphs"]})",
                   describe(entry.value()));
        continue;
      }
      StudyStep step;
      for (const JsonReader& word : entry.array("run")) {
        if (word.value().is_string()) step.words.push_back(word.value().get<std::string>());
      }
      step.makes = entry.string("makes", "");
      const Json run = entry.value().value("run", Json::array());
      const bool searches = !step.words.empty() && (step.words[0] == "search" || step.words[0] == "resume");
      if (step.words.size() != run.size() || run.empty() || searches) {
        entry.note("run", "the words of a command, search and resume excepted", run.dump(),
                   R"(for example ["winners", "{study}", "--db", "{db}", "--out", "winners"])");
      }
      entry.finish();
      steps.push_back(std::move(step));
    }
  }

  static void read_early_exit(JsonReader& entry, ObjectiveConfig& read) {
    if (!entry.has("early_exit")) return;
    if (!entry.value()["early_exit"].is_boolean()) {
      read.early_exit = entry.number("early_exit");
    } else if (entry.boolean("early_exit", false)) {
      read.early_exit = read.objective.limit;
      if (!read.early_exit) entry.note("early_exit", "a number, as there is no \"limit\"", "true");
    }
  }

  static void read_screen(JsonReader& entry, ObjectiveConfig& read) {
    std::optional<JsonReader> screen = entry.object("screen", false);
    if (!screen) return;
    read.keep = screen->number("keep", {.least = 0.0, .most = 1.0});
    if (screen->has("keep") && screen->value()["keep"] == 0) {
      screen->note("keep", "a share above 0", "0", "with nothing kept nothing would be evaluated");
    }
    read.screen = screen->value();
    read.screen->erase("keep");
  }

  JsonDocument& document_;
  JsonReader root_;
  StudyConfig config_;
};

// Problems at a place that "--set" wrote say so.
void blame_overrides(std::vector<Problem>& problems, const std::vector<std::string>& overrides,
                     const std::string& file) {
  for (Problem& problem : problems) {
    for (const std::string& text : overrides) {
      const std::string path = text.substr(0, text.find('='));
      const bool there =
          problem.path == path || problem.path.starts_with(path + ".") || problem.path.starts_with(path + "[");
      if (problem.file == file && there) problem.file = "--set " + text;
    }
  }
}

}  // namespace

std::span<const std::string> cache_names() {
  static const std::vector<std::string> names = {"functional", "genome", "off"};
  return names;
}

std::uint64_t StudyConfig::hash() const {
  Json decisive = {{"precision", precision.value_or("")},
                   {"seed", seed},
                   {"searcher", searcher},
                   {"options", searcher_options},
                   {"batch", batch > 0 ? static_cast<std::size_t>(batch) : find_searcher(searcher).batch}};
  if (cache != StudyCache::functional) decisive["cache"] = cache_names()[static_cast<std::size_t>(cache)];
  if (warm && !warm->from.empty()) decisive["warm_start"] = {{"from", warm->from}, {"trials", warm->trials}};
  if (warm && warm->from.empty()) {
    decisive["warm_start"] = {{"genomes", warm->genomes}, {"similarity", warm->similarity}};
  }
  for (const ObjectiveConfig& one : objectives) {
    decisive["objectives"].push_back({{"name", one.objective.name},
                                      {"unit", one.objective.unit},
                                      {"direction", static_cast<int>(one.objective.direction)},
                                      {"limit", one.objective.limit ? Json(*one.objective.limit) : Json()},
                                      {"constraint_only", one.objective.constraint_only},
                                      {"from", one.from},
                                      {"screen", one.screen.value_or(Json())},
                                      {"keep", one.keep}});
    if (one.early_exit) decisive["objectives"].back()["early_exit"] = *one.early_exit;
  }
  return Hasher().add(std::string_view(decisive.dump())).value();
}

StudyConfig read_study(JsonDocument& document) { return ConfigReader(document).read(); }

StudyConfig parse_study(JsonDocument document) {
  StudyConfig config = read_study(document);
  document.raise();
  return config;
}

StudyConfig peek_study(const std::string& path, const std::vector<std::string>& overrides, const Resources& resources) {
  const std::string file = resources.study(path);
  return parse_study(JsonDocument::from_value(with_overrides(JsonDocument::load(file).value(), overrides), file));
}

StudyConfig load_study(const std::string& path, const std::vector<std::string>& overrides, const Resources& resources) {
  const std::string file = resources.study(path);
  Json study = with_device_limits(with_overrides(JsonDocument::load(file).value(), overrides), resources);
  JsonDocument document = JsonDocument::from_value(std::move(study), file);
  StudyConfig config = read_study(document);
  make_parts(config, resources, document);
  // What is wrong with the study is wrong with every variant.
  if (document.problems().empty()) check_variants(config, resources, document);
  std::vector<Problem> problems = document.problems();
  blame_overrides(problems, overrides, file);
  if (!problems.empty()) throw ConfigError(std::move(problems));
  return config;
}

Design decode_for(const StudyConfig& config, const SearchSpace& space, const Genome& genome) {
  Design design = space.decode(genome);
  if (config.precision) {
    design.precision = PrecisionPlan::uniform(design.network, *config.precision);
  }
  return design;
}

}  // namespace ridgeline
