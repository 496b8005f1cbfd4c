#include "experiments/study/study_variants.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "experiments/study/study_parts.hpp"

namespace ridgeline {
namespace {

// Keys of a study that a variant has of its own.
constexpr const char* own_keys[] = {"ridgeline_study", "name", "about", "compare"};

// Whether the override itself has something at `path`, such as "searcher.population" or "objectives[0].limit". Arrays
// are replaced whole, so that everything behind an index is the override's.
bool holds(const Json& override_patch, const std::string& path) {
  const Json* at = &override_patch;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find_first_of(".[", begin), path.size());
    const std::string key = path.substr(begin, end - begin);
    if (!at->is_object() || !at->contains(key)) return false;
    at = &at->at(key);
    if (end < path.size() && path[end] == '[') return true;
    begin = end + 1;
  }
  return true;
}

void check_name(JsonReader& entry, const std::string& name, const std::vector<VariantConfig>& others) {
  if (!entry.has("name") || !entry.value()["name"].is_string()) return;  // noted where it was read
  const std::string found = fmt::format("'{}'", name);
  if (name.empty() || name.find('/') != std::string::npos) {
    entry.note("name", "a name without '/'", found, "it is stored as STUDY/NAME");
  } else if (name == main_variant) {
    entry.note("name", "another name", found, "that is the study's own row beside its variants");
  } else if (std::ranges::find(others, name, &VariantConfig::name) != others.end()) {
    entry.note("name", "names that differ", found + " twice", "rename one of them");
  }
}

std::string role(const Objective& objective) {
  return fmt::format("'{}' is {}, {}", objective.name,
                     objective.constraint_only                    ? "only limited"
                     : objective.direction == Direction::minimise ? "minimised"
                                                                  : "maximised",
                     objective.unit.empty() ? "without a unit" : "in " + objective.unit);
}

void check_variant(const StudyConfig& study, std::size_t position, const Resources& resources, JsonDocument& document) {
  const VariantConfig& variant = study.variants[position];
  const std::string place = fmt::format("compare[{}].override", position);
  JsonDocument merged = JsonDocument::from_value(variant_document(study, variant), document.origin());
  const StudyConfig config = read_study(merged);
  make_parts(config, resources, merged);
  const std::string inside = document.origin() + ": ";  // "study.json: searcher", with a path in it
  for (Problem problem : merged.problems()) {
    if (problem.file.starts_with(inside)) {
      problem.path = problem.file.substr(inside.size()) + (problem.path.empty() ? "" : ".") + problem.path;
      problem.file = document.origin();
    }
    if (problem.file == document.origin()) {
      if (!problem.path.empty() && !holds(variant.override_patch, problem.path)) {
        problem.remedy += problem.remedy.empty() ? "" : "; ";
        problem.remedy += "the study's own value holds here: the override can replace it, null takes it away";
      }
      problem.path = problem.path.empty() ? place : place + "." + problem.path;
    }
    document.note(std::move(problem));
  }
  if (!merged.problems().empty()) return;
  const std::string difference = objectives_difference(objectives_of(study), objectives_of(config));
  if (difference.empty()) return;
  document.note({document.origin(), place, "the study's own objectives", difference,
                 "fronts are compared in the same quantities; limits and evaluators may differ"});
}

}  // namespace

std::string variant_study_name(const std::string& study, const std::string& variant) { return study + "/" + variant; }

std::string variant_in(const std::string& study, const std::string& stored) {
  const std::string begin = study + "/";
  if (!stored.starts_with(begin)) return "";
  const std::string rest = stored.substr(begin.size());
  return rest.find('/') == std::string::npos ? rest : "";
}

std::vector<VariantConfig> read_variants(JsonReader& root) {
  std::vector<VariantConfig> variants;
  for (JsonReader& entry : root.array("compare", false)) {
    if (!entry.value().is_object()) {
      entry.note("", "an object", describe(entry.value()));
      continue;
    }
    VariantConfig variant;
    variant.name = entry.string("name");
    variant.about = entry.string("about", "");
    variant.override_patch = Json::object();
    if (std::optional<JsonReader> patch = entry.object("override")) {
      variant.override_patch = patch->value();
      for (const char* key : own_keys) {
        if (!patch->has(key)) continue;
        patch->note(key, "what the search does otherwise", fmt::format("'{}'", key),
                    "a variant has a name and an \"about\" beside its override, and no variants");
        variant.override_patch.erase(key);
      }
    }
    entry.finish();
    check_name(entry, variant.name, variants);
    variants.push_back(std::move(variant));
  }
  return variants;
}

Json variant_document(const StudyConfig& study, const VariantConfig& variant) {
  Json document = study.canonical;
  document.erase("compare");
  document.erase("about");
  document.merge_patch(variant.override_patch);
  document["name"] = variant_study_name(study.name, variant.name);
  if (!variant.about.empty()) document["about"] = variant.about;
  return document;
}

StudyConfig variant_of(const StudyConfig& study, const VariantConfig& variant) {
  return parse_study(JsonDocument::from_value(variant_document(study, variant), study.origin));
}

void check_variants(const StudyConfig& study, const Resources& resources, JsonDocument& document) {
  for (std::size_t i = 0; i < study.variants.size(); ++i) check_variant(study, i, resources, document);
}

std::string objectives_difference(const std::vector<Objective>& a, const std::vector<Objective>& b) {
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    if (i >= a.size()) return role(b[i]) + ", which the other has not";
    if (i >= b.size()) return "no '" + a[i].name + "'";
    const bool same = a[i].name == b[i].name && a[i].unit == b[i].unit && a[i].direction == b[i].direction &&
                      a[i].constraint_only == b[i].constraint_only;
    if (!same) return fmt::format("{}, where {}", role(b[i]), role(a[i]));
  }
  return "";
}

}  // namespace ridgeline
