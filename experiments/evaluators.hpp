// The makers behind the registry of evaluators; each is described at its objects in evaluator.hpp.
#pragma once

#include "experiments/evaluator.hpp"

namespace ridgeline {

std::unique_ptr<Evaluator> make_table_evaluator(JsonReader options, const EvaluatorSetup& setup);
std::unique_ptr<Evaluator> make_cost_evaluator(JsonReader options, const EvaluatorSetup& setup);
std::unique_ptr<Evaluator> make_measured_evaluator(JsonReader options, const EvaluatorSetup& setup);
std::unique_ptr<Evaluator> make_count_evaluator(JsonReader options, const EvaluatorSetup& setup);
std::unique_ptr<Evaluator> make_proxy_evaluator(JsonReader options, const EvaluatorSetup& setup);
std::unique_ptr<Evaluator> make_supernet_evaluator(JsonReader options, const EvaluatorSetup& setup);
std::unique_ptr<Evaluator> make_quantized_evaluator(JsonReader options, const EvaluatorSetup& setup);
std::unique_ptr<Evaluator> make_predictor_evaluator(JsonReader options, const EvaluatorSetup& setup);
std::unique_ptr<Evaluator> make_function_evaluator(JsonReader options, const EvaluatorSetup& setup);
std::unique_ptr<Evaluator> make_additive_evaluator(JsonReader options, const EvaluatorSetup& setup);
std::unique_ptr<Evaluator> make_surrogate_evaluator(JsonReader options, const EvaluatorSetup& setup);

}  // namespace ridgeline
