#include "experiments/report/predictor_export.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/executable.hpp"
#include "predictors/predictor_network.hpp"
#include "spaces/onnx/export.hpp"
#include "spaces/onnx/import.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t examples = 3;
constexpr std::size_t compared = 100;

Json numbers(const Eigen::RowVectorXd& row) { return Json(std::vector<double>(row.data(), row.data() + row.size())); }

Json describe_score(const LearnedScore& score, const std::vector<Genome>& genomes) {
  const ScoreModel& model = score.model();
  const Eigen::MatrixXd rows = model.features()->rows(genomes);
  const Eigen::VectorXd outputs = model.predict_mean(genomes), values = score.predict(genomes);
  Json shown = Json::array();
  for (std::size_t i = 0; i < examples; ++i) {
    const auto row = static_cast<Eigen::Index>(i);
    shown.push_back({{"choices", score.space().describe(genomes[i])},
                     {"genes", genomes[i].genes},
                     {"features", numbers(rows.row(row))},
                     {"output", outputs[row]},
                     {"value", values[row]}});
  }
  return {{"ridgeline_exported_predictor", 1},
          {"objective", score.objective},
          {"unit", score.unit},
          {"study", score.study},
          {"space", score.space_name},
          {"predicted_by", score.form.text()},
          {"output", score.form.logarithm ? "natural logarithm of the value" : "value"},
          {"held_out_rmse", score.held_out.rmse},
          {"features", model.features()->names()},
          {"examples", std::move(shown)}};
}

std::string model_bytes(const Design& network, const Json& description, const std::string& version) {
  std::vector<std::pair<std::string, std::string>> metadata;
  for (const auto& [key, value] : description.items()) {
    if (key != "examples") metadata.emplace_back(key, value.dump());
  }
  OnnxOptions options;
  options.graph_name = "predictor";
  return onnx_bytes(onnx_graph(network, options), version, metadata);
}

// The bytes are read again and what they say is executed.
double difference(const std::string& model, const Eigen::MatrixXd& rows, const Eigen::VectorXd& outputs) {
  const ImportedModel imported = import_onnx(parse_onnx(model, "predictor"));
  Executable executable(imported.design);
  double worst = 0;
  for (Eigen::Index i = 0; i < rows.rows(); ++i) {
    const Eigen::RowVectorXf row = rows.row(i).cast<float>();
    std::copy(row.data(), row.data() + row.size(), executable.input().begin());
    executable.run();
    worst = std::max(worst, std::abs(static_cast<double>(executable.output()[0]) - outputs[i]));
  }
  const double range = outputs.maxCoeff() - outputs.minCoeff();
  return range > 0 ? worst / range : worst;
}

}  // namespace

ExportedPredictor export_predictor(const LearnedScore& score, bool as_model, const std::string& version) {
  const ScoreModel& model = score.model();
  if (model.features() == nullptr) {
    throw ConfigError({"export", score.objective, "a predictor on rows of features", "'" + score.form.text() + "'",
                       "its numbers are in its own file, which \"evaluator\": \"predictor\" reads"});
  }
  Rng rng(1, "exported predictor");
  std::vector<Genome> genomes;
  for (std::size_t i = 0; i < compared; ++i) genomes.push_back(score.space().normalise(score.space().sample(rng)));
  ExportedPredictor exported;
  exported.description = describe_score(score, genomes);
  if (!as_model) {
    exported.description["numbers"] = model.save();
    return exported;
  }
  const std::optional<Design> network = predictor_network(*model.predictor());
  if (!network) {
    throw ConfigError({"export", score.objective,
                       "a predictor of linear operators and swish: ridge or mlp, with features",
                       "'" + score.form.text() + "'", "train with --predictor ridge or mlp, or write a .json file"});
  }
  exported.model = model_bytes(*network, exported.description, version);
  exported.worst_difference = difference(exported.model, model.features()->rows(genomes), model.predict_mean(genomes));
  return exported;
}

}  // namespace ridgeline
