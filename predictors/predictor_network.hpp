// A fitted predictor as a network of operators with weights, so that other tools run it: its mean, in f32.
#pragma once

#include <optional>

#include "predictors/predictor.hpp"
#include "spaces/design.hpp"

namespace ridgeline {

// From one row of features, input [1, d], to predict_mean() of it, output [1, 1]; any batch. Standardisation is folded
// into the linear operators. Ridge is one; an ensemble of perceptrons has those of its members side by side, with
// swish between, and one for all their linear ways. nullopt: predictors of other kinds, and those without features,
// which consist of no such operators. Throws std::logic_error before fit.
std::optional<Design> predictor_network(const Predictor& predictor);

}  // namespace ridgeline
