// "table": looks candidates up in a published table. Its fidelity is analytic: nothing is predicted or measured here.

#include <fmt/format.h>

#include "experiments/evaluators.hpp"
#include "experiments/evaluators/table.hpp"
#include "experiments/genome_evaluator.hpp"

namespace ridgeline {
namespace {

class TableEvaluator : public GenomeEvaluator {
 public:
  TableEvaluator(Table table, const SearchSpace& space, std::size_t column)
      : table_(std::move(table)),
        space_(space),
        column_(column),
        missing_(fmt::format("table '{}' has no such row", table_.name())) {}

  Fidelity fidelity() const override { return Fidelity::analytic; }
  std::uint64_t fingerprint() const override { return table_.fingerprint(column_); }
  std::string unit() const override { return table_.objective(column_).unit; }

  void evaluate(std::span<const Candidate> candidates, std::span<Score> scores) override {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (const std::optional<double> value = table_.value(space_.in_whole(*candidates[i].genome), column_)) {
        scores[i].value = *value;
      } else {
        scores[i].status = Status::unsupported;
        scores[i].reason = missing_;
      }
    }
  }

 private:
  Table table_;  // of the whole space, which the study's may narrow
  const SearchSpace& space_;
  std::size_t column_;
  std::string missing_;
};

}  // namespace

std::unique_ptr<Evaluator> make_table_evaluator(JsonReader options, const EvaluatorSetup& setup) {
  const std::string name = options.string("table");
  const std::string column = options.string("column");
  options.finish();
  if (name.empty() || column.empty() || setup.space == nullptr) return nullptr;
  std::string path;
  try {
    path = setup.resources->table(name);
  } catch (const ConfigError& error) {
    const Problem& problem = error.problems().front();
    options.note("table", problem.expected, problem.found, problem.remedy);
    return nullptr;
  }
  Table table = Table::load(path, *setup.resources, setup.space->whole());
  try {
    const std::size_t index = table.column(column);
    return std::make_unique<TableEvaluator>(std::move(table), *setup.space, index);
  } catch (const ConfigError& error) {
    const Problem& problem = error.problems().front();
    options.note("column", problem.expected, problem.found, problem.remedy);
    return nullptr;
  }
}

}  // namespace ridgeline
