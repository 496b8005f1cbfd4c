// One search, completely described: what `search` needs and nothing else is read after it is made.
//
//   { "ridgeline_study": 1, "name": "demo", "space": "ofa_mobilenet_v3", "seed": 1,
//     "parameters": {"classes": 10}, "batch_images": 1,
//     "choices": {"format": ["int8"], "depth[0]": [1, 2]},  // narrows the space: SpaceOptions::choices
//     "precision": "f32",                                   // uniform, where the space has no precision genes
//     "searcher": {"name": "nsga2", "population": 50}, "batch": 50,
//     "objectives": [
//       {"name": "accuracy", "unit": "%", "direction": "maximise", "from": {"evaluator": "table", "table":
//       "nasbench_macro", "column": "accuracy"}},
//       {"name": "latency_s", "unit": "s", "direction": "minimise", "limit": 0.02,
//        "screen": {"evaluator": "cost", "device": "host.json", "keep": 0.25},
//        "from": {"evaluator": "measured", "threads": 1, "cache": "hot"}} ],
//     "constraints": [ {"name": "parameters", "limit": 5e6, "from": {"evaluator": "count", "quantity": "parameters"}}
//     ], "stop": {"trials": 200, "wall_s": 600, "stagnation": 100}, "threads": 2, "verify_front": true }
//
// The space, the searcher's and the evaluators' own keys are described where they are: spaces/README.md, search/*.hpp,
// experiments/evaluators.cpp. "stagnation" counts trials since the front last changed.
// With a searcher that asks on rungs (evaluator.hpp) both stop rules count whole evaluations, a cheaper one as the
// share of one that it costs, so that a number of trials is the same work for every searcher.
//
// "cache": which candidates are one, so that the first one's values answer the others: "functional" (the default),
// whose networks compute the same function; "genome", only equal genomes, for tables that give candidates of one
// function values of their own (cache_of in study_parts.hpp); "off", none: whatever is proposed is a trial of its own.
// "verify_cache": true evaluates also what the functional cache answers, and counts the answers that are not the same.
//
// "warm_start": {"from": ["demo"], "trials": 20}: what the searcher is given to begin with, warm_start.hpp.
//
// "compare" lists variants, which are searched after the study and shown beside it: study_variants.hpp.
//
// "before" and "after" list commands of this program that `search` runs first and last, so that one command goes from
// data to an exported model: [{"run": ["data", "make", "glyphs", "--out", "glyphs"], "makes": "glyphs/dataset.json"}].
//
// "early_exit": true or a number, of an objective or a constraint: candidates beyond its limit, or beyond the number,
// are rejected and drawn or bred again before they cost a trial: early_exit.hpp.
//
// Tiers: an objective with "screen" is first estimated for the whole batch by the cheap evaluator; only the best `keep`
// share by non-dominated rank is given to "from", the rest keep the estimate and its fidelity.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "experiments/resources.hpp"
#include "search/trial.hpp"

namespace ridgeline {

// Which candidates are one evaluation (Gillard, Jouffe et al., "Unified Functional Hashing in Automatic Machine
// Learning", 2023, of the functional one).
enum class StudyCache : std::uint8_t { functional, genome, off };
std::span<const std::string> cache_names();  // "functional", "genome", "off"

struct ObjectiveConfig {
  Objective objective;
  Json from;                           // {"evaluator": ...}
  std::optional<Json> screen;          // the cheap tier
  double keep = 1.0;                   // share of a batch that passes the screen
  std::optional<double> early_exit{};  // natural units: what is beyond it is not even tried
};

struct StopRules {
  std::int64_t trials = 100;               // whole evaluations of distinct trials in the study, resumed ones included
  std::optional<double> wall_s;            // of this run
  std::optional<std::int64_t> stagnation;  // stop after so many trials without a new front member
};

// One of the studies that a study is compared with: study_variants.hpp.
struct VariantConfig {
  std::string name, about;
  Json override_patch;  // RFC 7396
};

// A command of this program, without the program's name, that a study is to run before it or after it: what it is made
// of, and what is done with its front. {study} and {db} in a word stand for the study's name and its database. Where
// the file `makes` is there already, the command has been run.
struct StudyStep {
  std::vector<std::string> words;
  std::string makes;
};

// What a search begins with: warm_start.hpp.
struct WarmStartConfig {
  std::vector<std::string> from;  // stored studies; "*": all
  std::int64_t trials = 20;       // at most so many of theirs
  std::vector<Json> genomes;      // given, or retrieved when the study began
  double similarity = 1;          // of the study they come from
  std::string of;                 // its name; empty: given
};

struct StudyConfig {
  std::string name;
  std::string space;  // name or path, as written
  SpaceOptions space_options;
  std::optional<std::string> precision;  // uniform format name
  std::uint64_t seed = 1;
  std::string searcher;
  Json searcher_options;
  StudyCache cache = StudyCache::functional;
  bool verify_cache = false;
  std::optional<WarmStartConfig> warm;
  std::int64_t batch = 0;                   // candidates asked for at once; 0 = the searcher's own default
  std::vector<ObjectiveConfig> objectives;  // objectives first, then constraint-only ones
  StopRules stop;
  int threads = 0;           // for analytic costs; 0 = all
  bool verify_front = true;  // measure the front again before it is reported
  std::vector<VariantConfig> variants;
  std::vector<StudyStep> before, after;

  Json canonical;      // the merged document, keys sorted
  std::string origin;  // the file, for messages
  // Of everything that decides which trials come out: not the name, the stop rules, the thread count, verify_front,
  // verify_cache or the variants. The space is not in it either: it has a fingerprint of its own.
  std::uint64_t hash() const;
};

// Reads a study file and applies overrides "path=value" (JSON value or bare word; "searcher.population=20",
// "objectives[0].limit=0.01"). Throws ConfigError with every problem found, those of the space, the searcher and the
// evaluators it names included, of its variants too. What its devices have only so much of is a constraint of it
// (device_limits.hpp).
StudyConfig load_study(const std::string& path, const std::vector<std::string>& overrides, const Resources& resources);
// The study alone, with overrides: what it names (space, tables, devices) is not opened.
StudyConfig peek_study(const std::string& path, const std::vector<std::string>& overrides, const Resources& resources);
// The study alone: what it names (space, tables, devices) is not opened. For stored configurations.
StudyConfig parse_study(JsonDocument document);
// The same, with problems noted in the document and not thrown.
StudyConfig read_study(JsonDocument& document);

// The document with overrides applied. Throws ConfigError naming the override.
Json with_overrides(Json document, const std::vector<std::string>& overrides);

// The genome's design in the study's formats: what every evaluator, report and explanation looks at.
Design decode_for(const StudyConfig& config, const SearchSpace& space, const Genome& genome);

}  // namespace ridgeline
