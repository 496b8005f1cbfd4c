// What a search begins with that searches before it have found: candidates retrieved from studies in the same database.
//
//   "warm_start": {"from": ["demo", "demo_pi"], "trials": 20}     the nearest of these; ["*"]: of all that are stored
//                                                                 (for a benchmark's run all but its own problem's)
//   "warm_start": {"genomes": [[0, 2, 1], {"depth": 3, ...}]}     or candidates given, the best first
//
// Of the studies named, the one most similar to this one is taken (Chowdhury et al., "Retrieval-guided reinforcement
// learning for Boolean circuit minimization", ICLR 2024: the nearest neighbour decides how far what is known is relied
// on). Similarity, from 0 to 1, is that of the spaces times that of what is searched for; that share of "trials" is
// retrieved, the best by the objectives that both studies have. A candidate of another space keeps its choices of the
// dimensions that both have, or takes the nearest number; the others are drawn by the seed.
//
// What was retrieved is stored with the configuration of the study as "genomes", "similarity" and "of" beside "from": a
// search that goes on begins with the same, whatever became of the other study. The study's hash is of what was asked
// for ("from" and "trials", or "genomes"), not of what was found.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/resources.hpp"
#include "experiments/store/store.hpp"
#include "experiments/study/study_config.hpp"
#include "search/searcher.hpp"

namespace ridgeline {

// The share of the choices of two spaces that both have: of each dimension of either, by name, the number of choices in
// both over those in either (0 where one has no such dimension), the mean over these dimensions.
double similarity(const SearchSpace& a, const SearchSpace& b);

// Of what two studies optimise: of each objective of either, by name and direction, 0 where one does not have it; else
// 1 where both have it from the same evaluator with the same options; else half and half of the share of options that
// agree, those of another kind of evaluator not at all. Devices agree by their files: the mean over the numbers in
// either of the ratio of the smaller to the larger. The mean over these objectives.
double similarity(const StudyConfig& a, const StudyConfig& b, const Resources& resources);

// The study with what was retrieved for it in its configuration. One that is stored already has what it began with;
// one without "from" stays as it is. Throws ConfigError: a study that is not there (naming those that are), or whose
// space cannot be read any more.
StudyConfig with_warm_start(StudyConfig config, const Store& store, const Resources& resources);

// The study with what was retrieved for another one of the same problem and seed.
StudyConfig with_warm_start(StudyConfig config, const WarmStartConfig& retrieved);

// "began with 12 candidates of 'demo' (similarity 0.60)"; empty where there is no warm start.
std::string begun_with(const StudyConfig& config);

// What the searcher is given, without what was retrieved and is not valid here. Notes genomes that are none of the
// space in the document.
WarmStart warm_start_of(const StudyConfig& config, const SearchSpace& space, JsonDocument& document);

}  // namespace ridgeline
