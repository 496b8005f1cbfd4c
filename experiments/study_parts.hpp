// What a study's configuration names, made: space, searcher, evaluators.
#pragma once

#include <memory>
#include <vector>

#include "experiments/evaluator.hpp"
#include "experiments/study_config.hpp"
#include "search/searcher.hpp"

namespace ridgeline {

struct StudyParts {
  std::unique_ptr<SearchSpace> space;
  std::unique_ptr<Searcher> searcher;
  std::vector<std::unique_ptr<Evaluator>> from;    // one an objective
  std::vector<std::unique_ptr<Evaluator>> screen;  // one an objective, null where it has none
};

// What an evaluator of the study is given beside its options.
struct PartOptions {
  WorkerPool* pool = nullptr;
  MeasureFunction measure;
};

// Makes everything, noting every problem in the document (the configuration's own); what could not be made is null.
StudyParts make_parts(const StudyConfig& config, const Resources& resources, JsonDocument& document,
                      const PartOptions& options = {});

}  // namespace ridgeline
