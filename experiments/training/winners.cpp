#include "experiments/training/winners.hpp"
#include "experiments/report/stored_study.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "experiments/evaluator.hpp"
#include "experiments/report/stored_study.hpp"
#include "experiments/study/study_config.hpp"
#include "experiments/training/evaluate.hpp"
#include "experiments/training/supernet.hpp"
#include "experiments/training/trained_model.hpp"
#include "experiments/whole_file.hpp"
#include "kernels/pinning.hpp"
#include "kernels/training/rounding_sites.hpp"
#include "spaces/config_error.hpp"
#include "spaces/onnx/check.hpp"
#include "spaces/onnx/import.hpp"

namespace ridgeline {
namespace {

std::size_t supernet_objective(const StudyConfig& config) {
  for (std::size_t i = 0; i < config.objectives.size(); ++i) {
    if (config.objectives[i].from.value("evaluator", "") == "supernet") return i;
  }
  throw ConfigError(Problem{"study '" + config.name + "'", "objectives", "one from the evaluator 'supernet'", "none",
                            "search with {\"evaluator\": \"supernet\", ...}; other winners have no weights"});
}

// Searched values are the same bits whenever they are evaluated, unless what they came from is another one now.
void check_unchanged(const StudyConfig& config, std::size_t objective, const SearchSpace& space,
                     const Resources& resources, std::span<const FrontMember> front) {
  JsonDocument options = JsonDocument::from_value(config.objectives[objective].from, "stored configuration");
  const auto evaluator = make_evaluator(options.root(), {.space = &space, .resources = &resources});
  options.raise();
  for (const FrontMember& member : front) {
    const Genome genome = space.from_json(member.genome);
    const Design design = decode_for(config, space, genome);
    const Candidate candidate{member.trial, &genome, &design};
    Score score;
    evaluator->evaluate({&candidate, 1}, {&score, 1});
    if (score.status == Status::ok && score.value == member.values[objective]) continue;
    throw ConfigError(Problem{
        "study '" + config.name + "'", config.objectives[objective].objective.name,
        fmt::format("{} for trial {}, as in the search", member.values[objective], member.trial),
        score.status == Status::ok ? fmt::format("{}", score.value) : score.reason,
        "the supernet or the data set is another one now: put the old one back, or search again in a new study"});
  }
}

std::vector<std::size_t> top_classes(std::span<const float> rows, std::size_t classes) {
  std::vector<std::size_t> found;
  for (std::size_t first = 0; first < rows.size(); first += classes) {
    const auto row = rows.subspan(first, classes);
    found.push_back(static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin()));
  }
  return found;
}

class WinnerTest {
 public:
  WinnerTest(const StudyConfig& config, const Json& source, const Resources& resources, const WinnerOptions& options,
             const WinnerHooks& hooks)
      : config_(config),
        resources_(resources),
        options_(options),
        hooks_(hooks),
        data_folder_(source.value("data", "")),
        supernet_(Supernet::load(resources.checkpoint(source.value("checkpoint", "")), resources)),
        data_(load_dataset(data_folder_)),
        recalibration_(data_.train, supernet_.normalisation(),
                       source.value("recalibration_images", Recalibration::usual_images), options.threads) {
    supernet_.check_data(data_);
  }

  const SearchSpace& space() const { return supernet_.space(); }
  void load_test() { test_ = load_test_split(data_folder_); }

  // Nothing where fine-tuning was interrupted.
  std::optional<Winner> of(const FrontMember& member) {
    Winner winner;
    winner.member = member;
    const Genome genome = space().from_json(member.genome);
    const PrecisionPlan precision = decode_for(config_, space(), genome).precision;  // as the search had it
    winner.checkpoint = supernet_.extracted(genome, supernet_.candidate(genome, recalibration_));
    if (options_.fine_tune_epochs == 0) {
      const PinnedThreads pinned(options_.threads);
      winner.design = supernet_.quantized(genome, precision, recalibration_, data_.train, options_.threads);
    } else if (!fine_tune(winner, genome, precision)) {
      return std::nullopt;
    }
    const PinnedThreads pinned(options_.threads);
    winner.validation_accuracy = accuracy(winner.design, data_.validation, Emulation::missing);
    winner.emulated_accuracy = accuracy(winner.design, data_.validation, Emulation::all);
    winner.test_accuracy = accuracy(winner.design, test_, Emulation::missing);
    if (options_.export_onnx) winner.onnx = exported(winner);
    return winner;
  }

 private:
  double accuracy(const Design& design, const LabelledImages& images, Emulation emulation) const {
    return evaluate_classifier(design, images, supernet_.normalisation(),
                               {.threads = options_.threads, .emulation = emulation})
        .accuracy;
  }

  ExportedWinner exported(const Winner& winner) const {
    ExportedWinner made;
    const std::string name = fmt::format("trial_{}", winner.member.trial);
    const ModelCheckpoint& checkpoint = winner.checkpoint;
    const TrainedModel model{name, winner.design, checkpoint.class_names, supernet_.normalisation()};
    std::string bytes;
    try {
      bytes = onnx_model(winner.design, onnx_options_of(model, options_.producer_version));
    } catch (const ConfigError& error) {  // a format that no file holds
      made.problem = error.problems().front().found;
      return made;
    }
    check_onnx_model(bytes, onnx_tensors(winner.design.network));
    made.file = (std::filesystem::path(options_.folder) / (name + ".onnx")).string();
    write_whole_file(made.file, bytes, "--out");
    const EvaluateOptions executed{.threads = options_.threads, .emulation = Emulation::missing};
    const std::size_t classes = checkpoint.class_names.size();
    const auto top = [&](const Design& design) {
      return top_classes(answers(design, test_, supernet_.normalisation(), executed), classes);
    };
    const std::vector<std::size_t> ours = top(winner.design), theirs = top(import_onnx(made.file).design);
    std::size_t same = 0;
    for (std::size_t i = 0; i < ours.size(); ++i) same += ours[i] == theirs[i] ? 1 : 0;
    made.same_answers = static_cast<double>(same) / static_cast<double>(ours.size());
    return made;
  }

  bool fine_tune(Winner& winner, const Genome& genome, const PrecisionPlan& precision) {
    const std::filesystem::path folder(options_.folder);
    const std::string name = fmt::format("trial_{}", winner.member.trial);
    TrainConfig config;
    config.data = data_folder_;
    config.epochs = options_.fine_tune_epochs;
    config.learning_rate = options_.learning_rate;
    config.threads = options_.threads;
    config.seed = config_.seed;
    config.from = (folder / (name + "_inherited.ckpt")).string();
    const auto of_precision = [](const Dimension& one) { return one.group == GeneGroup::precision; };
    const bool by_gene = std::ranges::any_of(space().dims(), of_precision);
    if (by_gene) config.quantize = TrainingFormats{by_genes, RoundingWay::fake};
    write_checkpoint(config.from, winner.checkpoint);
    ModelSource model = supernet_.checkpoint().model;
    model.genome = genome;
    const std::string path = (folder / (name + ".ckpt")).string();
    if (train_model(std::move(model), resources_, config, path, hooks_.train).stopped) return false;
    LoadedModel loaded = load_model(path, resources_);
    winner.checkpoint = loaded.checkpoint;
    TrainedModel trained = trained_model(std::move(loaded));
    winner.design = trained.in_formats ? std::move(*trained.in_formats) : std::move(trained.design);
    if (by_gene) return true;
    winner.design.precision = precision;
    calibrate(winner.design, data_.train, supernet_.normalisation(), options_.threads);
    return true;
  }

  const StudyConfig& config_;
  const Resources& resources_;
  const WinnerOptions& options_;
  const WinnerHooks& hooks_;
  std::string data_folder_;
  Supernet supernet_;
  Dataset data_;
  LabelledImages test_;
  Recalibration recalibration_;
};

}  // namespace

Winners test_winners(const Store& store, const std::string& study, const Resources& resources,
                     const WinnerOptions& options, const WinnerHooks& hooks) {
  Winners result;
  result.report = front_of(store, study, resources);
  const StudyConfig config = parse_study(JsonDocument::parse(result.report.record.config, "stored configuration"));
  const std::size_t objective = supernet_objective(config);
  stored_space(result.report.record, config, resources);  // throws where it is another one now
  const Json& source = config.objectives[objective].from;
  result.supernet = source.value("checkpoint", "");
  result.data = source.value("data", "");
  WinnerTest test(config, source, resources, options, hooks);
  check_unchanged(config, objective, test.space(), resources, result.report.front);
  test.load_test();
  for (const FrontMember& member : result.report.front) {
    if (hooks.progress) hooks.progress(result.winners.size(), result.report.front.size());
    const bool asked = hooks.train.stop != nullptr && hooks.train.stop->load();
    std::optional<Winner> winner = asked ? std::nullopt : test.of(member);
    result.stopped = !winner;
    if (!winner) break;
    result.winners.push_back(std::move(*winner));
  }
  return result;
}

}  // namespace ridgeline
