// train, evaluate
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "cli/command_line.hpp"
#include "cli/design_options.hpp"
#include "cli/output_file.hpp"
#include "cli/post_training_options.hpp"
#include "cli/progress.hpp"
#include "cli/train_options.hpp"
#include "experiments/data/array_files.hpp"
#include "experiments/quantization/post_training.hpp"
#include "experiments/training/controller_report.hpp"
#include "experiments/training/evaluate.hpp"
#include "experiments/training/supernet.hpp"
#include "experiments/training/train.hpp"
#include "experiments/training/trained_model.hpp"
#include "kernels/executable.hpp"
#include "kernels/pinning.hpp"

namespace ridgeline {
namespace {

struct TrainFlags {
  DesignOptions design;
  TrainConfig config;
  SupernetConfig supernet;
  ControllerConfig controller;
  std::string controller_dims = "precision";
  std::vector<std::string> phases;
  std::string out, format = "f32", quantize, quantize_by = rounding_way_names()[0];
  bool whole_space = false, uniform = false, with_controller = false, json = false, quiet = false;
};

struct EvaluateFlags {
  std::string model, data, format, genome, predictions;
  EvaluateOptions options;
  PostTrainingFlags post_training;
  bool test = false, json = false, quiet = false;
};

std::string epoch_line(const EpochRecord& record, int epochs) {
  const std::string smallest =
      record.smallest_accuracy ? fmt::format(", smallest {}", percent(*record.smallest_accuracy, 2)) : "";
  const std::string entropy =
      record.policy_entropy ? fmt::format(", policy entropy {}", percent(*record.policy_entropy, 1)) : "";
  return fmt::format("epoch {:3} of {}: loss {:.4f}, train {}, validation {} (loss {:.4f}){}{}, {:.1f} s\n",
                     record.epoch, epochs, record.train_loss, percent(record.train_accuracy, 2),
                     percent(record.validation_accuracy, 2), record.validation_loss, smallest, entropy, record.seconds);
}

std::string step_times_text(const StepTimes& times) {
  std::string text = fmt::format("a step in full precision: {:.1f} ms", 1e3 * times.plain_s);
  for (std::size_t i = 0; i < times.ways.size(); ++i) {
    text += fmt::format(", {} {:.1f} ms", rounding_way_names()[i], 1e3 * times.ways[i]);
  }
  return text + "\n";
}

Json step_times_json(const std::optional<StepTimes>& times) {
  if (!times) return nullptr;
  Json json{{"full_precision_s", times->plain_s}};
  for (std::size_t i = 0; i < times->ways.size(); ++i) json[rounding_way_names()[i] + "_s"] = times->ways[i];
  return json;
}

Json train_json(const TrainFlags& flags, const TrainResult& result) {
  return {{"checkpoint", flags.out},
          {"parameters", result.parameters},
          {"macs", result.macs},
          {"data", result.checkpoint.data_name},
          {"epochs_done", result.checkpoint.epochs_done},
          {"stopped", result.stopped},
          {"step_times", step_times_json(result.step_times)},
          {"history", history_json(result.checkpoint.history)},
          {"controller", controller_json(result.checkpoint, flags.out)}};
}

// "4:kernel,depth", "2:all" or "2:largest".
ShrinkPhase phase_of(const std::string& text) {
  const auto refuse = [&] {
    throw ConfigError(Problem{"--phase", "", "epochs, a colon, and all, largest or names of dimensions",
                              "'" + text + "'", "for example --phase 4:largest --phase 4:kernel,depth --phase 8:all"});
  };
  const std::size_t colon = text.find(':');
  ShrinkPhase phase;
  const auto [end, error] = std::from_chars(text.data(), text.data() + std::min(colon, text.size()), phase.epochs);
  if (colon == std::string::npos || error != std::errc() || end != text.data() + colon || phase.epochs < 1) refuse();
  std::vector<std::string> names;
  for (std::size_t begin = colon + 1; begin <= text.size();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    names.push_back(text.substr(begin, comma - begin));
    if (names.back().empty()) refuse();
    begin = comma + 1;
  }
  phase.all_open = names == std::vector<std::string>{"all"};
  if (!phase.all_open && names != std::vector<std::string>{"largest"}) phase.open = std::move(names);
  return phase;
}

ModelSource model_of(TrainFlags& flags, const CommandLine& cli) {
  const StudyConfig space_part = space_config(flags.design);
  const SearchSpace space = open_space(space_part, cli.resources);
  ModelSource model{flags.design.space, space_part.space_options.parameters, {}};
  if (!flags.whole_space) {
    model.genome = chosen_genome(flags.design, space);
    return model;
  }
  flags.supernet.sandwich = !flags.uniform;
  if (!flags.phases.empty()) flags.config.epochs = 0;
  for (const std::string& text : flags.phases) {
    flags.supernet.phases.push_back(phase_of(text));
    flags.config.epochs += flags.supernet.phases.back().epochs;
  }
  flags.config.supernet = flags.supernet;
  return model;
}

int train(const CommandLine& cli, TrainFlags flags) {
  flags.config.format = Format::parse(flags.format);
  flags.config.seed = flags.design.seed;
  if (!flags.quantize.empty()) {
    const auto names = rounding_way_names();
    const auto way = std::find(names.begin(), names.end(), flags.quantize_by) - names.begin();
    flags.config.quantize = TrainingFormats{flags.quantize, static_cast<RoundingWay>(way)};
  }
  if (flags.with_controller) {
    flags.controller.all = flags.controller_dims == "all";
    flags.config.controller = flags.controller;
  }
  const ModelSource model = model_of(flags, cli);
  check_writable(flags.out, "--out", Overwrite::checkpoints);
  const InterruptFlag interrupt;
  TrainHooks hooks;
  hooks.stop = &interrupt.flag();
  PhaseLine line(!flags.quiet && cli.progress_bar, cli.progress_bar, 1.0);
  hooks.note = [&](const std::string& note) {
    if (!flags.quiet) std::fputs((note + "\n").c_str(), stderr);
  };
  hooks.progress = [&](const TrainProgress& now) {
    line.show(fmt::format("epoch {} of {}, loss {:.3f}, accuracy {}, {:.0f} images/s, {} left", now.epoch, now.epochs,
                          now.loss, percent(now.accuracy, 2), now.images_per_s, duration(now.left_s)),
              now.step, now.steps);
  };
  hooks.epoch_done = [&](const EpochRecord& record) {
    if (!flags.quiet) std::fputs(("\r" + epoch_line(record, flags.config.epochs)).c_str(), stderr);
  };
  const TrainResult result =
      as_problems_of("train", [&] { return train_model(model, cli.resources, flags.config, flags.out, hooks); });
  if (flags.json) cli.print_json(train_json(flags, result));
  if (result.stopped) {
    std::fputs(fmt::format("interrupted after {} of {} epochs; {}\nto go on: {}\n", result.checkpoint.epochs_done,
                           flags.config.epochs,
                           result.checkpoint.epochs_done > 0 ? "they are saved" : "nothing was saved", cli.command)
                   .c_str(),
               stderr);
    return exit_interrupted;
  }
  if (!flags.json) {
    const EpochRecord& last = result.checkpoint.history.back();
    cli.print(fmt::format("{}: {} parameters, {} MACs, validation accuracy {} after {} epoch{}{}\n", flags.out,
                          pretty(static_cast<double>(result.parameters), ""),
                          pretty(static_cast<double>(result.macs), ""), percent(last.validation_accuracy, 2),
                          last.epoch, last.epoch == 1 ? "" : "s",
                          result.resumed_at > 0 ? fmt::format(" ({} were there already)", result.resumed_at) : ""));
    if (result.step_times) cli.print(step_times_text(*result.step_times));
    if (flags.with_controller) cli.print(fmt::format("\n{}", controller_text(result.checkpoint, flags.out, cli.style)));
  }
  return exit_done;
}

// The pairs of classes most often mistaken for each other.
std::string confusion_text(const ClassificationScores& scores, const std::vector<std::string>& names,
                           const TextStyle& style) {
  struct Mistake {
    std::int64_t count;
    std::size_t label, predicted;
  };
  std::vector<Mistake> mistakes;
  const std::size_t classes = names.size();
  for (std::size_t i = 0; i < scores.confusion.size(); ++i) {
    if (i / classes != i % classes && scores.confusion[i] > 0) {
      mistakes.push_back({scores.confusion[i], i / classes, i % classes});
    }
  }
  std::stable_sort(mistakes.begin(), mistakes.end(), [](const auto& a, const auto& b) { return a.count > b.count; });
  if (mistakes.empty()) return {};
  TextTable table({{"most often mistaken", false}, {"for", false}, {"images", true}});
  for (std::size_t i = 0; i < std::min<std::size_t>(10, mistakes.size()); ++i) {
    table.add({names[mistakes[i].label], names[mistakes[i].predicted], std::to_string(mistakes[i].count)});
  }
  return "\n" + table.text(style);
}

Json scores_json(const ClassificationScores& scores, const TrainedModel& model, const EvaluateFlags& flags) {
  const std::size_t classes = model.class_names.size();
  Json confusion = Json::array();
  for (std::size_t label = 0; label < classes; ++label) {
    const auto row = scores.confusion.begin() + static_cast<std::ptrdiff_t>(label * classes);
    confusion.push_back(std::vector<std::int64_t>(row, row + static_cast<std::ptrdiff_t>(classes)));
  }
  return {{"checkpoint", flags.model},
          {"split", flags.test ? "test" : "validation"},
          {"format", flags.format.empty() ? "f32" : flags.format},
          {"post_training", flags.post_training.options().json()},
          {"accuracy", scores.accuracy},
          {"nll", scores.nll},
          {"brier", scores.brier},
          {"ece", scores.ece},
          {"adaptive_ece", scores.adaptive_ece},
          {"bins", flags.options.bins},
          {"classes", model.class_names},
          {"confusion", confusion}};
}

int evaluate(const CommandLine& cli, EvaluateFlags flags) {
  if (!flags.predictions.empty()) {
    check_writable(flags.predictions, "--predictions");
    check_different(flags.predictions, "--predictions", flags.model, "the checkpoint");
  }
  const Dataset data = load_dataset(flags.data);
  TrainedModel model = flags.genome.empty()
                           ? load_trained_model(flags.model, cli.resources)
                           : trained_model(load_candidate(cli.resources.checkpoint(flags.model),
                                                          JsonDocument::parse(flags.genome, "--genome").value(), data,
                                                          cli.resources, flags.options.threads));
  adapt(model, data);
  const LabelledImages images = flags.test ? load_test_split(flags.data) : data.validation;
  Design& design = model.design;
  const std::string note = resize_note(design.network, images.shape());
  if (!note.empty() && !flags.quiet) std::fputs((note + "\n").c_str(), stderr);
  if (flags.format.empty() && model.in_formats) {
    design = *model.in_formats;
    flags.format = model.formats;
  } else if (!flags.format.empty()) {
    const PostTraining prepared(model, data.train, flags.post_training.options(), flags.options.threads);
    design = prepared.quantized(PrecisionPlan::uniform(design.network, flags.format));
  }
  flags.options.emulation = Emulation::missing;
  PhaseLine line(!flags.quiet, cli.progress_bar, 1.0);
  ClassificationScores scores;
  try {
    const PinnedThreads pinned(flags.options.threads);
    const std::vector<float> probabilities =
        classify(design, images, model.normalisation, flags.options,
                 [&](std::size_t done, std::size_t total) { line.show("evaluate", done, total); });
    const std::size_t classes = model.class_names.size();
    scores = score_classification(probabilities, images.labels(), classes, flags.options.bins);
    if (!flags.predictions.empty()) write_file(flags.predictions, npy_bytes(probabilities, classes), "--predictions");
  } catch (const Unsupported& problem) {
    throw ConfigError(Problem{"--format", "", "a format that this machine executes", problem.what(), ""});
  }
  if (flags.json) {
    cli.print_json(scores_json(scores, model, flags));
    return exit_done;
  }
  cli.print(fmt::format(
      "{} on {} images ({}){}: accuracy {}, loss {:.4f}\nECE {}, adaptive ECE {} ({} bins), Brier "
      "{:.4f}\n{}",
      flags.model, images.size(), flags.test ? "test" : "validation", flags.format.empty() ? "" : " in " + flags.format,
      percent(scores.accuracy, 2), scores.nll, percent(scores.ece, 2), percent(scores.adaptive_ece, 2),
      flags.options.bins, scores.brier, confusion_text(scores, model.class_names, cli.style)));
  return exit_done;
}

void add_supernet_options(CLI::App& command, TrainFlags& flags) {
  CLI::Option* whole =
      command.add_flag("--supernet", flags.whole_space, "train all candidates of the space at once, in shared weights");
  for (const char* one : {"--genome", "--random"}) whole->excludes(command.get_option(one));
  command.add_option("--candidates", flags.supernet.candidates, "trained in a step: the largest, the smallest, others")
      ->check(CLI::Range(1, 64))
      ->needs(whole)
      ->capture_default_str();
  command.add_flag("--uniform", flags.uniform, "all candidates of a step are random")->needs(whole);
  command
      .add_option("--distillation", flags.supernet.distillation,
                  "share of the largest one's answers in what the others learn; the rest is labels")
      ->check(CLI::Range(0.0, 1.0))
      ->needs(whole)
      ->capture_default_str();
  command
      .add_option("--phase", flags.phases,
                  "EPOCHS:all, EPOCHS:largest or EPOCHS:kernel,depth: progressive shrinking, dimensions that are not "
                  "named stay at their largest; may be repeated, instead of --epochs")
      ->type_name("PHASE")
      ->allow_extra_args(false)
      ->needs(whole)
      ->excludes(command.get_option("--epochs"));
}

void add_quantize_options(CLI::App& command, TrainFlags& flags) {
  CLI::Option* quantize =
      command
          .add_option("--quantize", flags.quantize,
                      "train through these number formats, WEIGHTS/ACTIVATIONS such as int4@channel/int4: intN and "
                      "eXmY; or genes: those of each candidate, where the space has precision genes. Ranges are "
                      "learned and kept, and evaluate and export use them")
          ->type_name("FORMATS");
  const std::span<const std::string> names = rounding_way_names();
  command
      .add_option("--quantize-by", flags.quantize_by,
                  "fake: numbers are rounded, gradients go straight through; noise: uniform noise of one step instead. "
                  "What a step takes either way is printed at the end")
      ->check(CLI::IsMember(std::vector<std::string>(names.begin(), names.end())))
      ->needs(quantize)
      ->capture_default_str();
}

void add_controller_options(CLI::App& command, TrainFlags& flags) {
  ControllerConfig& config = flags.controller;
  CLI::Option* cost = command.add_option(
      "--cost", config.cost,
      "of the controller: weight_bytes, macs, parameters or peak_bytes; with --cost-device latency_s ...");
  CLI::Option* target =
      command.add_option("--cost-target", config.target, "what the cost is to be near, in its own unit");
  CLI::Option* controller =
      command
          .add_flag(
              "--controller", flags.with_controller,
              "search the number formats while the supernet trains: a policy draws one candidate of each step and "
              "learns from its accuracy and cost, such as --supernet --quantize genes --controller --cost "
              "weight_bytes --cost-target 60e3")
          ->needs(command.get_option("--supernet"))
          ->needs(command.get_option("--quantize"))
          ->needs(cost)
          ->needs(target);
  cost->needs(controller);
  target->needs(controller);
  command.add_option("--cost-device", config.device, "device whose model gives the cost; default: counted")
      ->needs(controller);
  command.add_option("--cost-weight", config.weight, "of |cost / target - 1| in the reward, beside the accuracy")
      ->needs(controller)
      ->capture_default_str();
  command
      .add_option("--controller-dims", flags.controller_dims,
                  "precision: formats of the largest architecture; all: the architecture too")
      ->check(CLI::IsMember({"precision", "all"}))
      ->needs(controller)
      ->capture_default_str();
  command.add_option("--controller-from", config.from, "share of the steps that is trained without it")
      ->needs(controller)
      ->capture_default_str();
  command.add_option("--controller-learning-rate", config.learning_rate, "of the policy")
      ->needs(controller)
      ->capture_default_str();
  command.add_option("--controller-entropy", config.entropy, "bonus for undecided choices at first, falling to 0")
      ->needs(controller)
      ->capture_default_str();
}

void add_train(CLI::App& app, CommandLine& cli) {
  const auto flags = std::make_shared<TrainFlags>();
  flags->config.threads = allowed_processors();
  CLI::App* command = add_command(
      app, "train",
      "train a network of a space, or all as a supernet, on a data set; the same command goes on after an interruption",
      "ridgeline train plain_cnn --seed 3 --data glyphs --epochs 8 --out cnn.ckpt");
  command->add_option("space", flags->design.space, "space file, or the name of a shipped space")->required();
  command
      ->add_option("--parameter", flags->design.parameters,
                   "name=value: replace a parameter of the space; classes, channels and resolution follow the data")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  add_genome_options(*command, flags->design);
  command
      ->add_option("--data", flags->config.data,
                   "folder of a data set (see: ridgeline data); images are resized to the network's input")
      ->required();
  command->add_option("--out", flags->out, "checkpoint: written after every epoch, gone on from where it is there")
      ->required();
  command->add_option("--format", flags->format, "f32 or bf16 (with f32 weights)")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->capture_default_str();
  add_threads_option(*command, flags->config.threads);
  add_training_options(*command, flags->config);
  command->add_option("--from", flags->config.from,
                      "checkpoint of the same network, or supernet, to begin with: its weights instead of random ones");
  add_supernet_options(*command, *flags);
  add_quantize_options(*command, *flags);
  add_controller_options(*command, *flags);
  command->add_flag("--quiet", flags->quiet, "no progress");
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return train(cli, *flags); }; });
}

void add_evaluate(CLI::App& app, CommandLine& cli) {
  const auto flags = std::make_shared<EvaluateFlags>();
  flags->options.threads = allowed_processors();
  CLI::App* command = add_command(app, "evaluate", "accuracy, loss and calibration of a trained network",
                                  "ridgeline evaluate cnn.ckpt --data glyphs --test --format int8");
  command
      ->add_option("checkpoint", flags->model,
                   "what ridgeline train has written, the name of a shipped one, or an .onnx file")
      ->required();
  command->add_option("--data", flags->data, "folder of a data set")->required();
  command->add_option("--genome", flags->genome, "of a supernet: the candidate, JSON as ridgeline train takes it")
      ->type_name("JSON");
  command->add_flag("--test", flags->test, "on the test split; default: validation");
  CLI::Option* format = command->add_option(
      "--format", flags->format,
      "number format, or WEIGHTS/ACTIVATIONS such as int4@channel/int8; what this machine has not is emulated; "
      "default: f32, or what it was trained through");
  command->add_option("--predictions", flags->predictions,
                      "write the probabilities to this file, [images, classes] as NPY (numpy.load)");
  command->add_option("--bins", flags->options.bins, "of the calibration errors")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  add_post_training_options(*command, flags->post_training, format);
  add_threads_option(*command, flags->options.threads);
  command->add_flag("--quiet", flags->quiet, "no progress");
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return evaluate(cli, *flags); }; });
}

}  // namespace

void add_train_commands(CLI::App& app, CommandLine& cli) {
  add_train(app, cli);
  add_evaluate(app, cli);
}

}  // namespace ridgeline
