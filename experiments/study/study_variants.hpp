// Variants of a study: what it is compared with, each a study of its own in the same database.
//
//   "compare": [
//     {"name": "random", "about": "no search at all", "override": {"searcher": {"name": "random", "population":
//     null}}},
//     {"name": "int8", "override": {"space": "cells_int8", "stop": {"trials": 80}}} ]
//
// `override` is a JSON merge patch (RFC 7396) of the study: objects are merged, null takes a key away, anything else
// replaces. So a variant has the study's seed, objectives and stop rules unless it says otherwise. It is stored as
// STUDY/NAME and has no variants itself.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "experiments/study/study_config.hpp"

namespace ridgeline {

// The name of the study's own row among its variants; no variant may have it.
inline constexpr std::string_view main_variant = "main";

// "STUDY/NAME", and what stands behind the study's name; empty where `stored` is no variant of `study`.
std::string variant_study_name(const std::string& study, const std::string& variant);
std::string variant_in(const std::string& study, const std::string& stored);

// Reads "compare"; notes names that are missing, empty, doubled, reserved or hold a '/', and what no override may set.
std::vector<VariantConfig> read_variants(JsonReader& root);

// The study with a variant's override, and its configuration. Throws ConfigError, which check_variants would have
// noted.
Json variant_document(const StudyConfig& study, const VariantConfig& variant);
StudyConfig variant_of(const StudyConfig& study, const VariantConfig& variant);

// Makes every variant's parts and notes every problem at its place in the override. Variants must have the study's
// objectives: same names, units, directions and roles; limits and evaluators may differ.
void check_variants(const StudyConfig& study, const Resources& resources, JsonDocument& document);

// Which objective two studies differ in: "latency_s is minimised, in s" against what the other has; empty: in none.
std::string objectives_difference(const std::vector<Objective>& a, const std::vector<Objective>& b);

}  // namespace ridgeline
