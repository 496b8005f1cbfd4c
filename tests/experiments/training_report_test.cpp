// The report of a training, from a checkpoint written by hand.
#include "experiments/training/training_report.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiments/training/train.hpp"
#include "spaces/config_error.hpp"
#include "spaces/counts.hpp"
#include "tests/experiments/html_support.hpp"
#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const char* const two_widths = R"({
  "ridgeline_space": 1, "name": "tiny", "about": "", "source": "",
  "parameters": {"classes": 2, "resolution": 8, "channels": 1},
  "dimensions": [{"name": "width", "choices": [6, 12], "ordered": true}],
  "network": {"input": ["channels", "resolution", "resolution"], "body": [
    {"op": "conv2d", "channels": "width", "kernel": 3}, {"op": "relu"},
    {"op": "global_avg_pool"}, {"op": "flatten"}, {"op": "linear", "channels": "classes"}]}
})";

const char* const script = "<script>alert(1)</script>{{vega}}";

class TrainingReports : public ::testing::Test {
 protected:
  TrainingReports() {
    made_.model = {scratch_.write("tiny.json", two_widths), {{"classes", 3}}, {{1}}};
    const SearchSpace space = open_space(made_.model, resources());
    network_ = space.decode(made_.model.genome).network;
    made_.network_hash = structural_hash(network_);
    TrainConfig config;
    config.epochs = 4;
    config.threads = 1;
    config.learning_rate = 0.05;
    config.augment.flip = true;
    config.augment.mixup_alpha = 0.2;
    made_.training = train_config_json(config);
    made_.data_name = "stripes";
    made_.data_path = "my data";
    made_.data_fingerprint = 0xabc;
    made_.mean = {0.25F};
    made_.stddev = {0.5F};
    made_.class_names = {"flat", "upright", "slanted"};
    made_.epochs_done = 3;
    made_.history = {{1, 1.5, 0.25, 1.25, 0.375, 0.05, 2.0},
                     {2, 1.0, 0.5, 0.75, 0.8125, 0.025, 2.5},
                     {3, 0.5, 0.75, 1.0, 0.8125, 0.1 + 0.2, 3.0}};
    made_.state.parameters.resize(static_cast<std::size_t>(parameters(network_)));
    made_.state.optimizer.moments.emplace_back();
  }
  TrainingReport report() const {
    const std::string path = scratch_.path("model");
    write_checkpoint(path, made_);
    return training_report_of(path, resources());
  }
  std::string train_words() const {
    return "ridgeline train " + scratch_.path("tiny.json") + " --parameter classes=3 ";
  }

  Scratch scratch_;
  ModelCheckpoint made_;
  Network network_;
};

TEST_F(TrainingReports, SaysWhatWasTrainedAndHowItWent) {
  const TrainingReport made = report();
  EXPECT_EQ(made.parameters, parameters(network_));
  EXPECT_EQ(made.macs, macs(network_));
  EXPECT_EQ(made.space_problem, "");
  EXPECT_THAT(made.choices, ElementsAre(std::pair<std::string, std::string>("width", "12")));
  EXPECT_EQ(made.best, 1U);  // the first of equal ones
  EXPECT_EQ(made.epochs, 4);
  EXPECT_TRUE(made.checkpoint.state.parameters.empty());
  EXPECT_EQ(training_summary(made),
            fmt::format("tiny trained on stripes, 3 of 4 epochs: validation accuracy 81.25 % (the best was 81.25 % "
                        "after epoch 2), {} parameters, {} MACs.",
                        pretty(static_cast<double>(parameters(network_)), ""),
                        pretty(static_cast<double>(macs(network_)), "")));
  const std::string text = training_report_text(made, {});
  EXPECT_THAT(text, AllOf(HasSubstr("width: 12"), HasSubstr("●"), HasSubstr("again\n  ridgeline train")));
  EXPECT_THAT(text, HasSubstr("    2          0.025      1.0000         50.00 %           0.7500"));
}

TEST_F(TrainingReports, TheCommandNamesWhatIsNotTheDefault) {
  EXPECT_EQ(report().command, train_words() +
                                  "--genome '[1]' --data 'my data' --epochs 4 --threads 1 --seed 1 --learning-rate "
                                  "0.05 --mixup 0.2 --flip --out " +
                                  scratch_.path("model"));
  TrainConfig config;
  config.supernet =
      SupernetConfig{.candidates = 3, .sandwich = false, .phases = {{2, false, {}}, {4, false, {"width"}}, {2}}};
  made_.training = train_config_json(config);
  made_.model.genome.genes.clear();
  EXPECT_EQ(report().command, train_words() +
                                  "--supernet --candidates 3 --uniform --phase 2:largest --phase 4:width --phase 2:all "
                                  "--data 'my data' --threads 1 --seed 1 --out " +
                                  scratch_.path("model"));
}

TEST_F(TrainingReports, ASupernetHasTwoCurves) {
  TrainConfig config;
  config.supernet = SupernetConfig();
  made_.training = train_config_json(config);
  made_.model.genome.genes.clear();
  for (EpochRecord& one : made_.history) one.smallest_accuracy = 0.125;
  const TrainingReport made = report();
  EXPECT_EQ(made.macs, macs(network_));  // the largest candidate's
  EXPECT_EQ(made.space_problem, "");
  EXPECT_THAT(training_summary(made), AllOf(StartsWith("The supernet of tiny"), HasSubstr("12.50 % of the smallest")));
  EXPECT_THAT(training_report_text(made, {}), HasSubstr("of the smallest"));
  EXPECT_THAT(training_report_csv(made), HasSubstr(",0.8125,0.125,3\r\n"));
  EXPECT_EQ(page_data(training_report_html(made))["epochs"][0]["smallest_accuracy"], 0.125);
}

TEST_F(TrainingReports, CsvIsExactAndJsonIsComplete) {
  const TrainingReport made = report();
  EXPECT_THAT(training_report_csv(made),
              AllOf(StartsWith("epoch,learning_rate,train_loss,train_accuracy,validation_loss,validation_accuracy,"
                               "smallest_accuracy,time_s\r\n1,0.05,1.5,0.25,1.25,0.375,,2\r\n"),
                    HasSubstr("3,0.30000000000000004,")));
  const Json json = training_report_json(made);
  EXPECT_EQ(json["model"]["choices"]["width"], "12");
  EXPECT_EQ(json["model"]["macs"], macs(network_));
  EXPECT_EQ(json["data"]["path"], "my data");
  EXPECT_EQ(json["best_epoch"], 2);
  EXPECT_EQ(json["history"], history_json(made_.history));
  EXPECT_EQ(json["training"], made_.training);
  const std::string markdown = training_report_markdown(made);
  EXPECT_THAT(markdown,
              AllOf(HasSubstr("| 2 | 0.025 | 1.0000 |"), HasSubstr("- width: 12\n"), HasSubstr(made.command)));
}

TEST_F(TrainingReports, ThePageIsSelfContainedAndItsDataTheHistory) {
  const TrainingReport made = report();
  const std::string html = training_report_html(made);
  expect_balanced_tags(html);
  expect_self_contained(html);
  EXPECT_THAT(markup(html), AllOf(HasSubstr("<b>81.25 %</b>"), HasSubstr("3 of 4 epochs are done"),
                                  HasSubstr("--data &#39;my data&#39;")));
  const Json data = page_data(html);
  EXPECT_EQ(data["epochs"], history_json(made_.history));
  EXPECT_EQ(data["planned"], 4);
  EXPECT_EQ(data["best"], 2);
}

TEST_F(TrainingReports, UserTextsStayText) {
  made_.data_name = script;
  made_.class_names[1] = script;
  const std::string html = training_report_html(report());
  EXPECT_EQ(count(html, "<script"), 3U);  // data, Vega, charts
  EXPECT_THAT(markup(html), HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt;{{vega}}"));
  expect_balanced_tags(html);
}

TEST_F(TrainingReports, LongTrainingsAreThinnedInTables) {
  made_.history.clear();
  for (int epoch = 1; epoch <= 1000; ++epoch) made_.history.push_back({epoch, 1, 0.5, 1, 0.5, 0.1, 1});
  made_.epochs_done = 1000;
  const TrainingReport made = report();
  const std::vector<std::size_t> shown = shown_epochs(made, 40);
  EXPECT_EQ(shown.size(), 40U);
  EXPECT_EQ(shown.back(), 999U);
  EXPECT_THAT(training_report_text(made, {}), HasSubstr("40 of 1000 epochs"));
  const std::string html = training_report_html(made);
  EXPECT_THAT(html, HasSubstr("200 of 1000 epochs"));
  EXPECT_EQ(page_data(html)["epochs"].size(), 1000U);
}

TEST_F(TrainingReports, ASpaceThatIsGoneOrAnotherIsSaid) {
  std::string changed = two_widths;
  changed.replace(changed.find("[6, 12]"), 7, "[6, 13]");
  report();
  scratch_.write("tiny.json", changed);
  TrainingReport made = training_report_of(scratch_.path("model"), resources());
  EXPECT_THAT(made.space_problem, HasSubstr("has changed since"));
  EXPECT_FALSE(made.macs.has_value());
  EXPECT_THAT(training_report_text(made, {}), HasSubstr("has changed since"));
  EXPECT_THAT(training_report_html(made), AllOf(HasSubstr("has changed since"), HasSubstr("[1]")));
  std::filesystem::remove(scratch_.path("tiny.json"));
  made = training_report_of(scratch_.path("model"), resources());
  EXPECT_THAT(made.space_problem, HasSubstr("tiny.json"));
  EXPECT_EQ(made.parameters, parameters(network_));
  EXPECT_EQ(training_report_json(made)["model"]["macs"], Json());
}

TEST_F(TrainingReports, ACheckpointIsKnownByItsSignature) {
  report();
  EXPECT_TRUE(is_checkpoint(scratch_.path("model")));
  EXPECT_FALSE(is_checkpoint(scratch_.path("tiny.json")));
  EXPECT_FALSE(is_checkpoint(scratch_.path("missing")));
  EXPECT_FALSE(is_checkpoint(scratch_.write("short", "RIDGELINE")));
  EXPECT_THAT(what_of([&] { training_report_of(scratch_.path("tiny.json"), resources()); }), HasSubstr("another file"));
}

}  // namespace
}  // namespace ridgeline::testing
