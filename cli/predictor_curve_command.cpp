// predictor curve
#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "cli/command_line.hpp"
#include "cli/feature_options.hpp"
#include "cli/progress.hpp"
#include "experiments/bench/learning_curve.hpp"
#include "experiments/cost_features.hpp"

namespace ridgeline {
namespace {

struct CurveFlags {
  std::string table, objective, shape = "auto";
  std::vector<std::string> from, predictors{"ridge"}, features{"genes"}, choices{"random"}, devices;
  CurveOptions options;
  bool json = false, quiet = false;
};

template <typename Word>
Word word_of(std::span<const std::string> names, const std::string& name) {
  return static_cast<Word>(std::ranges::find(names, name) - names.begin());
}

std::string text_of(const MeanInterval& figure) {
  if (!figure.interval) return fmt::format("{:.3f}", figure.mean);
  return fmt::format("{:.3f} +-{:.3f}", figure.mean, figure.interval->high - figure.mean);
}

struct Row {
  std::string choice;
  LearningCurve curve;
};

Json json_of(const CurveFlags& flags, const CurveData& data, const std::vector<Row>& rows) {
  Json curves = Json::array();
  for (const Row& row : rows) {
    Json points = Json::array();
    for (const CurvePoint& point : row.curve.points) {
      Json figures = Json::object();
      for (const CurvePoint::Figure& figure : point.figures) {
        figures[figure.name] = {{"mean", figure.over_draws.mean}};
        if (const auto& interval = figure.over_draws.interval) {
          figures[figure.name]["interval"] = {interval->low, interval->high};
        }
      }
      points.push_back({{"samples", point.samples}, {"figures", std::move(figures)}});
    }
    curves.push_back({{"predicted_by", row.curve.predicted_by},
                      {"choose", row.choice},
                      {"draws", row.curve.draws},
                      {"points", std::move(points)}});
  }
  return {{"table", data.table},
          {"objective", data.objective},
          {"rows", data.genomes.size()},
          {"from", data.from},
          {"first_seed", flags.options.first_seed},
          {"curves", std::move(curves)}};
}

std::string text_of(const CurveData& data, const std::vector<Row>& rows, const TextStyle& style) {
  static const std::vector<std::pair<std::string, std::string>> headings{
      {"spearman", "Spearman"},   {"kendall", "Kendall"},
      {"recall", "best tenth"},   {"percentage_error", "MAPE %"},
      {"within_5", "+-5 %"},      {"within_10", "+-10 %"},
      {"coverage_50", "in 50 %"}, {"coverage_90", "in 90 %"},
      {"coverage_95", "in 95 %"}, {"standardised_square", "(error/dev.)^2"}};
  std::vector<TextTable::Column> columns{{"predicted by", false}, {"chosen", false}, {"samples", true}};
  const std::vector<CurvePoint::Figure>& first = rows.front().curve.points.front().figures;
  for (const CurvePoint::Figure& figure : first) {
    columns.push_back(
        {std::ranges::find(headings, figure.name, &std::pair<std::string, std::string>::first)->second, true});
  }
  TextTable table(std::move(columns));
  for (const Row& row : rows) {
    for (const CurvePoint& point : row.curve.points) {
      std::vector<std::string> cells{row.curve.predicted_by, row.choice, std::to_string(point.samples)};
      for (const CurvePoint::Figure& figure : point.figures) cells.push_back(text_of(figure.over_draws));
      table.add(std::move(cells));
    }
  }
  std::string text = fmt::format(
      "{} of {}, {} rows; by the rows that are not samples; mean of {} draws with its 95 % "
      "interval\n",
      data.objective, data.table, data.genomes.size(), rows.front().curve.draws);
  if (!data.from.empty()) text += fmt::format("from {}\n", fmt::join(data.from, ", "));
  return text + table.text(style);
}

int curve(const CommandLine& cli, CurveFlags& flags) {
  const CurveData data = curve_data(cli.resources, flags.table, flags.objective, flags.from);
  flags.options.shape = word_of<CurveShape>(curve_shape_names(), flags.shape);
  const InterruptFlag interrupt;
  flags.options.stop = &interrupt.flag();
  std::vector<PredictedBy> forms;
  for (const std::string& predictor : flags.predictors) {
    for (const std::string& features : flags.features) {
      forms.push_back({predictor, feature_choice(features)});
    }
  }
  if (!data.from.empty()) forms.resize(1);  // a transfer looks at other devices, not at features
  const bool costs = std::ranges::any_of(forms, has_costs, &PredictedBy::features);
  check_feature_devices(flags.devices, costs);
  if (costs)
    flags.options.costs = std::make_shared<const CostFeatures>(*data.space, cli.resources, CostSource{flags.devices});
  std::vector<Row> rows;
  bool complete = true;
  PhaseLine line(!flags.quiet, cli.progress_bar, 2.0);
  for (const PredictedBy& by : forms) {
    for (const std::string& choice : flags.choices) {
      flags.options.by = by;
      flags.options.choice = word_of<SampleChoice>(sample_choice_names(), choice);
      const std::string phase = data.from.empty() ? by.text() : "transfer";
      flags.options.progress = [&](std::size_t done, std::size_t total) { line.show(phase, done, total); };
      LearningCurve one = learning_curve(data, flags.options);
      complete = complete && one.draws == flags.options.draws;
      if (one.draws > 0) rows.push_back({choice, std::move(one)});
    }
  }
  if (flags.json) {
    cli.print_json(json_of(flags, data, rows));
  } else if (!rows.empty()) {
    cli.print(text_of(data, rows, cli.style));
  }
  if (complete) return exit_done;
  std::cerr << "interrupted: means are of the draws that were done\n";
  return exit_interrupted;
}

}  // namespace

void add_curve_command(CLI::App& group, CommandLine& cli) {
  auto flags = std::make_shared<CurveFlags>();
  CLI::App* command = add_command(
      group, "curve", "how well a value of a table is predicted from few of its rows, over many draws",
      "ridgeline predictor curve nasbench201 --objective latency_s_gold_6226 --samples 10,50,100\n"
      "  ridgeline predictor curve nasbench201 --objective latency_s_gold_6226 --samples 10,50 --from others\n"
      "  ridgeline predictor curve nasbench201 --objective accuracy_cifar10 --predictor ridge,gp,mlp --choose "
      "random,spread\n"
      "  ridgeline predictor curve nasbench201 --objective latency_s_raspi4 --features genes,genes+costs --device "
      "raspberry_pi_4");
  command->add_option("table", flags->table, "a table's description, or the name of a shipped one")->required();
  command->add_option("--objective", flags->objective, "the value that is predicted")->required();
  command
      ->add_option("--from", flags->from,
                   "transfer: other values of the same rows, as latencies on other devices; others: all of that unit")
      ->delimiter(',');
  std::vector<std::string> names;
  for (const PredictorEntry& entry : predictors()) names.push_back(entry.name);
  command->add_option("--predictor", flags->predictors, "predictors, each a curve")
      ->delimiter(',')
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  const auto features = feature_choice_names().subspan(1);  // auto is no features
  command->add_option("--features", flags->features, "what they look at, each a curve")
      ->delimiter(',')
      ->check(CLI::IsMember(std::vector<std::string>(features.begin(), features.end())))
      ->capture_default_str();
  add_feature_device_option(*command, flags->devices);
  const auto shapes = curve_shape_names(), choices = sample_choice_names();
  command
      ->add_option("--shape", flags->shape,
                   "predict the value, its logarithm, or the logarithm of how far it is from the best sample")
      ->check(CLI::IsMember(std::vector<std::string>(shapes.begin(), shapes.end())))
      ->capture_default_str();
  command
      ->add_option("--choose", flags->choices,
                   "samples: drawn, far from each other, or where the prediction is least certain")
      ->delimiter(',')
      ->check(CLI::IsMember(std::vector<std::string>(choices.begin(), choices.end())))
      ->capture_default_str();
  command->add_option("--samples", flags->options.samples, "numbers of samples")->delimiter(',')->capture_default_str();
  command->add_option("--seeds", flags->options.draws, "draws of the samples")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}))
      ->capture_default_str();
  command->add_option("--first-seed", flags->options.first_seed, "seed of the first draw")->capture_default_str();
  command->add_option("--threads", flags->options.threads, "threads, each a draw at a time; 0: all")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command->add_flag("--quiet", flags->quiet, "no progress");
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return curve(cli, *flags); }; });
}

}  // namespace ridgeline
