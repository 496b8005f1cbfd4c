// A learnt score as something that other tools read: its numbers, and what each of its features is.
#pragma once

#include <string>

#include "experiments/report/learned_score.hpp"

namespace ridgeline {

struct ExportedPredictor {
  // An ONNX model (opset 13, input `features` [N, d], output `output` [N, 1]), whose metadata_props are `description`
  // without examples: each member's value as JSON. Empty where it was not asked for.
  std::string model;
  // {"ridgeline_exported_predictor": 1, "objective", "unit", "study", "space", "predicted_by", "output": "value" or
  // "natural logarithm of the value", "held_out_rmse", "features": [names], "examples": [{"choices", "genes",
  // "features": [...], "output", "value"}]}; where there is no model also "numbers", what the predictor saves.
  Json description;
  // Of the model read back and executed here, against the predictor, over 100 random candidates: relative to the
  // outputs' range.
  double worst_difference = 0;
};

// Throws ConfigError: a model of a predictor that has no such operators (predictors/predictor_network.hpp), any other
// kind than rows of features.
ExportedPredictor export_predictor(const LearnedScore& score, bool as_model, const std::string& version);

}  // namespace ridgeline
