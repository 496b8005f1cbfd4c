// What a study's configuration names, made: space, searcher, evaluators; and what a study does with their values that
// does not need its store.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "experiments/evaluator.hpp"
#include "experiments/study/study_config.hpp"
#include "search/searcher.hpp"

namespace ridgeline {

class EarlyExit;

struct StudyParts {
  std::unique_ptr<SearchSpace> space;
  std::shared_ptr<EarlyExit> early_exit;  // what the space refuses by; null: nothing
  std::unique_ptr<Searcher> searcher;
  std::uint64_t costs = 0;  // fingerprint of the devices whose costs the searcher looks at; 0: none
  std::vector<std::unique_ptr<Evaluator>> from;    // one an objective
  std::vector<std::unique_ptr<Evaluator>> screen;  // one an objective, null where it has none
  // Of an evaluation on each rung that the objectives have, in whole ones: of the dearest of those that have rungs.
  std::vector<double> rung_costs = {1.0};
};

// What an evaluator of the study is given beside its options.
struct PartOptions {
  WorkerPool* pool = nullptr;
  MeasureFunction measure;
};

// Makes everything, noting every problem in the document (the configuration's own); what could not be made is null.
StudyParts make_parts(const StudyConfig& config, const Resources& resources, JsonDocument& document,
                      const PartOptions& options = {});

// The cache that a study works with: the configured one, but candidates of one function are told apart by their genomes
// where an evaluator's values differ between them.
StudyCache cache_of(const StudyConfig& config, const StudyParts& parts);
// What a stored study is known by beside its space and name: its configuration and what its evaluators read.
std::uint64_t study_identity(const StudyConfig& config, const StudyParts& parts);
std::vector<Objective> objectives_of(const StudyConfig& config);

// In whole evaluations: what all trials up to and with each cost. `trials` are on every rung, by id, from 0 on.
std::vector<double> cost_through(std::span<const Trial> trials, std::span<const double> rung_costs);

// Sets values (minimised), violation, reason and status of a trial that every evaluator gave an answer for, from one
// natural value an objective; estimates (none, or one an objective) stand in for values that were not asked for because
// the candidate breaks a limit already.
void conclude_values(std::span<const Objective> objectives, std::span<const std::optional<double>> values,
                     std::span<const std::optional<double>> estimates, Trial& trial);

}  // namespace ridgeline
