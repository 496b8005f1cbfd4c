// "surrogate": {"table": NAME, "column": VALUE, "predictor": "ridge"}: a published table of a part of a space, made
// whole by a predictor that is fitted to all its rows, on the choices of a candidate. Every value is the prediction,
// also those of rows, so that all candidates are judged alike; as NAS-Bench-301 does it (Zela et al., 2022). Its
// fidelity is predicted.

#include <fmt/format.h>

#include <optional>

#include "experiments/evaluators.hpp"
#include "experiments/evaluators/table.hpp"
#include "experiments/genome_evaluator.hpp"
#include "search/predicted/genome_features.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

class SurrogateEvaluator : public GenomeEvaluator {
 public:
  SurrogateEvaluator(const Table& table, const SearchSpace& space, std::size_t column, const std::string& predictor)
      : space_(space),
        features_(space.whole()),
        predictor_(make_predictor(predictor)),
        unit_(table.objective(column).unit),
        fingerprint_(Hasher().add(table.fingerprint(column)).add(std::string_view(predictor)).value()) {
    const std::vector<Genome> genomes = table.genomes();
    Eigen::VectorXd values(static_cast<Eigen::Index>(genomes.size()));
    for (std::size_t i = 0; i < genomes.size(); ++i) {
      values[static_cast<Eigen::Index>(i)] = table.value(genomes[i], column).value();
    }
    predictor_->fit(features_.rows(genomes), values);
  }

  Fidelity fidelity() const override { return Fidelity::predicted; }
  std::uint64_t fingerprint() const override { return fingerprint_; }
  std::string unit() const override { return unit_; }

  void evaluate(std::span<const Candidate> candidates, std::span<Score> scores) override {
    std::vector<Genome> genomes;
    for (const Candidate& one : candidates) genomes.push_back(space_.in_whole(*one.genome));
    const Eigen::VectorXd values = predictor_->predict_mean(features_.rows(genomes));
    for (std::size_t i = 0; i < scores.size(); ++i) scores[i].value = values[static_cast<Eigen::Index>(i)];
  }

 private:
  const SearchSpace& space_;
  GenomeFeatures features_;
  std::unique_ptr<Predictor> predictor_;
  std::string unit_;
  std::uint64_t fingerprint_;
};

}  // namespace

std::unique_ptr<Evaluator> make_surrogate_evaluator(JsonReader options, const EvaluatorSetup& setup) {
  std::vector<std::string> names;
  for (const PredictorEntry& entry : predictors()) names.push_back(entry.name);
  const std::string name = options.string("table"), column = options.string("column");
  const std::string predictor = options.word("predictor", names, "ridge");
  options.finish();
  if (name.empty() || column.empty() || setup.space == nullptr) return nullptr;
  const auto noted = [&](const std::string& key, const auto& make) {
    try {
      return std::optional(make());
    } catch (const ConfigError& error) {
      const Problem& problem = error.problems().front();
      options.note(key, problem.expected, problem.found, problem.remedy);
      return decltype(std::optional(make())){};
    }
  };
  const auto path = noted("table", [&] { return setup.resources->table(name); });
  if (!path) return nullptr;
  const Table table = Table::load(*path, *setup.resources, setup.space->whole());
  const auto index = noted("column", [&] { return table.column(column); });
  if (!index) return nullptr;
  return std::make_unique<SurrogateEvaluator>(table, *setup.space, *index, predictor);
}

}  // namespace ridgeline
