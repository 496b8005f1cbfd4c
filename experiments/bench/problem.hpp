// What searchers are compared on: a study's space, objectives, limits and evaluators, without its searcher, store, stop
// rules and screens. One problem serves all runs and all threads.
//
// A candidate is scored as the study would score it (conclude_values). What is the same candidate is the study's
// "cache" too, or what the benchmark was told: of `functional` ones the first to be asked answers for the others of its
// function, `genome` ones are told apart by their genes, with `off` every candidate that is asked for is an evaluation.
// Where a network has to be built for it, what was computed for a genome is kept and shared by all runs.
//
// The exact answer (the best value of one objective, the front of several) is known where every candidate can be
// enumerated, and where every objective is an output of one analytic function with a known front (test_functions.hpp).
// In the functional sense it is still that of all genomes: a run whose first candidate of the best function was another
// one does not reach it.
//
// Thread-safe after it is made. The resources must outlive it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "experiments/study/study_parts.hpp"
#include "search/fronts/pareto.hpp"

namespace ridgeline {

// What is known of the best there is.
struct ExactAnswer {
  enum class Source : std::uint8_t { none, enumeration, closed_form };
  Source source = Source::none;
  std::uint64_t candidates = 0;       // valid ones, of an enumeration
  std::optional<double> best;         // of a single objective, minimised; none where nothing is feasible
  std::vector<Point> front;           // of several, minimised; a dense sample of it where it is a closed form
  std::optional<double> hypervolume;  // of a closed form, for its own reference point
  Point reference;                    // its own, minimised; empty for an enumeration
};

class BenchProblem {
 public:
  // Throws ConfigError: what make_parts refuses, a timed objective, a screen. `cache`: none takes the study's own.
  BenchProblem(StudyConfig config, const Resources& resources, std::optional<StudyCache> cache = {});

  const StudyConfig& config() const { return config_; }
  const Resources& resources() const { return resources_; }
  const SearchSpace& space() const { return *parts_.space; }
  std::span<const Objective> objectives() const { return objectives_; }
  std::span<const std::size_t> counted() const { return counted_; }  // those that are optimised
  StudyCache cache() const { return cache_; }
  // What a searcher with these options looks at (experiments/cost_features.hpp).
  std::shared_ptr<const FeatureSet> costs_for(const Json& options, const std::string& origin) const;
  // study_identity of another study of this problem.
  std::uint64_t identity(const StudyConfig& config) const { return study_identity(config, parts_); }

  // What a study would make of the candidate, without id and genome; function_hash is its key in the sense of cache().
  // Throws std::logic_error for an invalid genome.
  Trial evaluate(const Genome& genome) const;

  // Computes it where it can be: by a closed form, or by enumerating at most `most` combinations, the threads of the
  // pool sharing them.
  ExactAnswer exact(std::uint64_t most, WorkerPool& pool) const;

 private:
  Trial computed(const Genome& genome, bool values_alone) const;  // values_alone: the function may be left out

  StudyConfig config_;
  Resources resources_;
  std::vector<Objective> objectives_;
  std::vector<std::size_t> counted_;
  StudyParts parts_;
  StudyCache cache_;
  bool needs_design_ = false;  // an evaluator looks at it

  struct Shelf {  // a share of what was computed, by genome
    std::mutex mutex;
    std::unordered_map<std::uint64_t, Trial> known;
  };
  std::unique_ptr<std::array<Shelf, 64>> shelves_;
  std::unique_ptr<std::mutex> evaluators_mutex_;  // of those that need designs
};

}  // namespace ridgeline
