#include "experiments/evaluators/evaluator_function.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "experiments/evaluators.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

TestFunctionShape shape_of(const SearchSpace& space, std::size_t objectives) {
  TestFunctionShape shape;
  shape.variables = space.dims().size();
  shape.objectives = objectives;
  shape.levels = space.dims().empty() ? 0 : space.dims()[0].choices.size();
  for (const Dimension& dim : space.dims()) {
    if (dim.choices.size() != shape.levels) shape.levels = 0;
  }
  return shape;
}

}  // namespace

FunctionEvaluator::FunctionEvaluator(TestFunction function, const SearchSpace& space, std::size_t output,
                                     FunctionRungs rungs)
    : function_(std::move(function)), output_(output), rungs_(std::move(rungs)) {
  for (const Dimension& dim : space.dims()) {
    offsets_.push_back(values_.size());
    const std::size_t n = dim.choices.size();
    for (std::size_t k = 0; k < n; ++k) {
      values_.push_back(n == 1 ? 0.0 : static_cast<double>(k) / static_cast<double>(n - 1));
    }
  }
}

std::uint64_t FunctionEvaluator::fingerprint() const {
  Hasher hasher;
  hasher.add(std::string_view(function_.name()))
      .add(std::uint64_t{function_.shape().objectives})
      .add(std::uint64_t{output_});
  if (rungs_.costs.size() > 1) hasher.add(rungs_.error);
  for (std::size_t k = 1; k < rungs_.costs.size(); ++k) hasher.add(rungs_.costs[k]);
  return hasher.value();
}

double FunctionEvaluator::error_of(const Candidate& candidate) const {
  Hasher hasher;
  hasher.add(std::uint64_t{output_}).add(candidate.rung);
  for (const std::uint16_t gene : candidate.genome->genes) hasher.add(std::uint64_t{gene});
  const double draw = static_cast<double>(hasher.value() >> 11) * 0x1.0p-53;  // from 0 to 1
  return (2.0 * draw - 1.0) * rungs_.error *
         std::sqrt(1.0 / rungs_.costs[static_cast<std::size_t>(candidate.rung)] - 1.0);
}

void FunctionEvaluator::evaluate(std::span<const Candidate> candidates, std::span<Score> scores) {
  std::array<double, 256> near;  // an allocation would cost as much as many a function
  const std::size_t outputs = function_.shape().objectives + function_.constraints(), n = offsets_.size();
  std::vector<double> far(n + outputs > near.size() ? n + outputs : 0);
  const std::span<double> all = far.empty() ? std::span<double>(near).first(n + outputs) : std::span<double>(far);
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    const std::vector<std::uint16_t>& genes = candidates[c].genome->genes;
    for (std::size_t i = 0; i < n; ++i) all[i] = values_[offsets_[i] + genes[i]];
    function_.evaluate(all.first(n), all.subspan(n));
    scores[c].value = all[n + output_];
    if (candidates[c].rung > 0 && rungs_.costs.size() > 1) scores[c].value += error_of(candidates[c]);
  }
}

std::unique_ptr<Evaluator> make_function_evaluator(JsonReader options, const EvaluatorSetup& setup) {
  const std::string name = options.string("function");
  const std::string word = options.string("output");
  const auto usual = static_cast<std::int64_t>(TestFunction::usual_objectives(name));
  const auto objectives =
      static_cast<std::size_t>(options.integer("objectives", {.fallback = usual, .least = 2, .most = 15}));
  FunctionRungs rungs;
  rungs.costs = read_work(options, "rungs", {.fallback = 1.0, .least = 1e-3, .most = 1.0});
  if (rungs.costs.front() != 1.0)
    options.note("rungs", "1 for the whole evaluation, the first", describe(rungs.costs.front()));
  rungs.error = options.number("rung_error", {.fallback = rungs.error, .least = 0.0, .most = 1e9});
  options.finish();
  if (name.empty() || word.empty() || setup.space == nullptr) return nullptr;
  try {
    TestFunction function(name, shape_of(*setup.space, objectives));
    std::vector<std::string> outputs;
    for (std::size_t i = 0; i < objectives; ++i) outputs.push_back(fmt::format("f{}", i + 1));
    for (std::size_t i = 0; i < function.constraints(); ++i) outputs.push_back(fmt::format("c{}", i + 1));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] == word) return std::make_unique<FunctionEvaluator>(std::move(function), *setup.space, i, rungs);
    }
    options.note("output", fmt::format("an output of '{}'", name), "'" + word + "'", known_words(word, outputs));
  } catch (const ConfigError& error) {
    const Problem& problem = error.problems().front();
    options.note(problem.path, problem.expected, problem.found, problem.remedy);
  }
  return nullptr;
}

}  // namespace ridgeline
