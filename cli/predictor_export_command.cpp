// predictor export
#include <fmt/format.h>

#include "cli/command_line.hpp"
#include "cli/output_file.hpp"
#include "cli/version.hpp"
#include "experiments/report/predictor_export.hpp"
#include "experiments/report/report_explain.hpp"
#include "experiments/report/stored_study.hpp"

namespace ridgeline {
namespace {

struct PredictorExportFlags {
  std::string file, out, study, database;
  bool json = false;
};

bool as_model(const std::string& path) {
  if (path.ends_with(".onnx")) return true;
  if (path.ends_with(".json")) return false;
  throw ConfigError({"--out", "", "a file that ends in .onnx or .json", path, ""});
}

// The study whose space the predictor was learnt in: the one that its file names.
std::string study_of(const PredictorExportFlags& flags) {
  if (!flags.study.empty()) return flags.study;
  const JsonDocument document = JsonDocument::load(flags.file);
  const Json name = document.value().is_object() ? document.value().value("study", Json()) : Json();
  if (name.is_string()) return name.get<std::string>();
  throw ConfigError({flags.file, "study", "a file that ridgeline predictor train has written", describe(name), ""});
}

int export_file(const CommandLine& cli, const PredictorExportFlags& flags) {
  const bool model = as_model(flags.out);
  const std::string description = flags.out + (model ? ".json" : "");
  check_writable(flags.out, "--out");
  check_writable(description, "--out");
  check_different(flags.out, "--out", flags.file, "the predictor");
  const Store store(flags.database, Store::Mode::read);
  const StudyRecord record = find_study(store, study_of(flags));
  const StudyConfig config = parse_study(JsonDocument::parse(record.config, "stored configuration of " + record.name));
  const auto space = std::make_shared<const SearchSpace>(stored_space(record, config, cli.resources));
  const LearnedScore score = LearnedScore::load(flags.file, space, cli.resources);
  const ExportedPredictor exported = export_predictor(score, model, program_version());
  if (model) write_file(flags.out, exported.model, "--out");
  write_file(description, exported.description.dump(1) + "\n", "--out");
  const std::size_t features = exported.description.at("features").size();
  if (flags.json) {
    Json json{{"predicted_by", score.form.text()}, {"features", features}, {"description", description}};
    json["output"] = exported.description.at("output");
    if (model) json["onnx"] = flags.out;
    if (model) json["worst_difference_of_range"] = exported.worst_difference;
    cli.print_json(json);
    return exit_done;
  }
  std::string text = fmt::format("{} by {}: {} features, described with examples in {}\n", score.objective,
                                 score.form.text(), features, description);
  if (model) {
    text += fmt::format(
        "{}: features [N,{}] -> output [N,1], the {}; run again, it is off by at most {:.1e} of the range\n", flags.out,
        features, exported.description.at("output").get<std::string>(), exported.worst_difference);
  }
  cli.print(text);
  return exit_done;
}

}  // namespace

void add_predictor_export_command(CLI::App& predictors, CommandLine& cli) {
  auto flags = std::make_shared<PredictorExportFlags>();
  CLI::App* command = add_command(
      predictors, "export",
      "write a trained predictor for other tools: ridge and mlp as ONNX from features to output, any on features as "
      "JSON; with what each feature is, and examples",
      "ridgeline predictor export energy.json --out energy.onnx --db ridgeline.db");
  command->add_option("file", flags->file, "what predictor train wrote")->required();
  command->add_option("--out", flags->out, "the file to write, .onnx (and .onnx.json beside it) or .json")->required();
  command->add_option("--study", flags->study, "a stored study of its space; default: the one it was learnt from");
  add_database_option(*command, flags->database);
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return export_file(cli, *flags); }; });
}

}  // namespace ridgeline
