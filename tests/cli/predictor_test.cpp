// Scores learnt from stored trials: judged on another search's trials, whose values are counted and not learnt.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "spaces/json_reader.hpp"
#include "tests/cli/child.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class PredictorCommands : public ::testing::Test {
 protected:
  Outcome run(const std::vector<std::string>& arguments) const {
    return run_ridgeline(arguments, {folder_.path(), {{"LC_ALL", "C.UTF-8"}}, 0, ""});
  }
  void search(const std::string& name, int seed, const std::string& space = "nasbench201") const {
    Json study = Json::parse(counting_study(name, space, 150));
    study["seed"] = seed;
    study["searcher"] = {{"name", "random"}};
    folder_.write("study.json", study.dump());
    const Outcome outcome = run({"search", "./study.json", "--quiet"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    objective_ = study["objectives"][1]["name"].get<std::string>();
  }
  Json train(const std::string& study) const {
    return parsed(run({"predictor", "train", study, "--objective", objective_, "--out", "score.json", "--json"}));
  }
  // The second objective of every trial.
  std::vector<double> column(const std::string& study) const {
    EXPECT_EQ(run({"report", study, "--csv", "trials.csv"}).code, 0);
    std::istringstream text(content("trials.csv"));
    std::string line, cell;
    std::getline(text, line);
    std::vector<double> values;
    while (std::getline(text, line)) {
      std::istringstream cells(line);
      for (int i = 0; i < 6; ++i) std::getline(cells, cell, ',');
      values.push_back(std::stod(cell));
    }
    return values;
  }
  std::string content(const std::string& name) const {
    std::ifstream file(folder_.file(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  TemporaryFolder folder_;
  mutable std::string objective_;
};

TEST_F(PredictorCommands, ACountIsLearntAndStandsInForItself) {
  search("first", 1);
  search("second", 2);
  const Json trained = train("first");
  EXPECT_EQ(trained.at("trials"), 150);
  EXPECT_EQ(trained.at("held_out").at("trials"), 30);
  EXPECT_LT(trained.at("held_out").at("rmse_of_range"), 0.05);
  const Json judged = parsed(run({"predictor", "eval", "score.json", "second", "--json"}));
  EXPECT_EQ(judged.at("trials"), 150);
  EXPECT_LT(judged.at("rmse_of_range"), 0.05);
  EXPECT_GT(judged.at("spearman"), 0.95);

  Json study = Json::parse(counting_study("learnt", "nasbench201", 150));
  study["seed"] = 2;
  study["searcher"] = {{"name", "random"}};
  study["objectives"][1]["from"] = {{"evaluator", "predictor"}, {"file", "score.json"}};
  folder_.write("study.json", study.dump());
  const Outcome outcome = run({"search", "./study.json", "--quiet"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  // The same genomes with learnt values: off by what eval said.
  const std::vector<double> truth = column("second"), learnt = column("learnt");
  ASSERT_EQ(truth.size(), learnt.size());
  double squares = 0.0;
  for (std::size_t i = 0; i < truth.size(); ++i) squares += (truth[i] - learnt[i]) * (truth[i] - learnt[i]);
  const double rmse = std::sqrt(squares / static_cast<double>(truth.size()));
  EXPECT_NEAR(rmse, judged.at("rmse").get<double>(), 1e-6 * rmse);
}

TEST_F(PredictorCommands, TheSameTrialsTeachTheSame) {
  search("first", 1);
  train("first");
  const std::string once = content("score.json");
  train("first");
  EXPECT_EQ(content("score.json"), once);
}

TEST_F(PredictorCommands, FeaturesAreThoseThatTheSpaceHas) {
  search("first", 1);
  const Outcome asked = run({"predictor", "train", "first", "--objective", objective_, "--out", "score.json",
                             "--predictor", "ridge", "--features", "architecture", "--json"});
  EXPECT_EQ(parsed(asked).at("predicted_by"), "ridge on architecture");
  // 30 variables of 101 levels have millions of pairs: none are tried unasked, and asked for they are refused.
  const Outcome many = run({"search", "zdt1", "--trials", "30", "--quiet"});
  ASSERT_EQ(many.code, 0) << many.err;
  const std::vector<std::string> arguments = {"predictor", "train",      "zdt1",        "--objective", "f2",
                                              "--out",     "score.json", "--predictor", "ridge"};
  EXPECT_EQ(run(arguments).code, 0);
  std::vector<std::string> pairs = arguments;
  pairs.insert(pairs.end(), {"--features", "pairs"});
  const Outcome refused = run(pairs);
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("too many pairs"));
  Json changed = Json::parse(content("score.json"));
  changed["predicted_by"] = "ridge on pairs";
  folder_.write("changed.json", changed.dump());
  EXPECT_EQ(run({"predictor", "eval", "changed.json", "zdt1"}).code, 2);
}

TEST_F(PredictorCommands, CostsAreFeatures) {
  search("first", 1);
  const Json trained =
      parsed(run({"predictor", "train", "first", "--objective", objective_, "--out", "score.json", "--predictor",
                  "ridge", "--features", "costs", "--device", "pixel_6,nvidia_v100", "--json"}));
  EXPECT_THAT(trained.at("predicted_by").get<std::string>(), HasSubstr("ridge on costs"));
  EXPECT_GT(trained.at("held_out").at("spearman"), 0.99);  // the count is among them
  EXPECT_EQ(run({"predictor", "eval", "score.json", "first"}).code, 0);
  const Outcome unused = run({"predictor", "train", "first", "--objective", objective_, "--out", "other.json",
                              "--features", "genes", "--device", "pixel_6"});
  EXPECT_EQ(unused.code, 2);
  EXPECT_THAT(unused.err, HasSubstr("--device"));
}

TEST_F(PredictorCommands, ExportsAreForOtherTools) {
  search("first", 1);
  ASSERT_EQ(run({"predictor", "train", "first", "--objective", objective_, "--out", "score.json", "--predictor",
                 "ridge", "--features", "genes"})
                .code,
            0);
  const Json exported = parsed(run({"predictor", "export", "score.json", "--out", "score.onnx", "--json"}));
  EXPECT_LT(exported.at("worst_difference_of_range"), 1e-4);
  const Json description = Json::parse(content("score.onnx.json"));
  EXPECT_EQ(description.at("features").size(), exported.at("features"));
  EXPECT_EQ(description.at("features")[3], "edge[0]=nor_conv_3x3");
  EXPECT_TRUE(folder_.has("score.onnx"));
  EXPECT_EQ(run({"predictor", "export", "score.json", "--out", "numbers.json"}).code, 0);
  EXPECT_TRUE(Json::parse(content("numbers.json")).contains("numbers"));
  const Outcome other = run({"predictor", "export", "score.json", "--out", "score.pt"});
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.err, HasSubstr(".onnx or .json"));
}

TEST_F(PredictorCommands, TransfersAndGraphsAreTrained) {
  search("first", 1);
  const Json transfer = parsed(run({"predictor", "train", "first", "--objective", objective_, "--out", "t.json",
                                    "--predictor", "transfer", "--from", "pixel_6,nvidia_v100", "--json"}));
  EXPECT_EQ(transfer.at("predicted_by"), "transfer");
  EXPECT_EQ(run({"predictor", "eval", "t.json", "first"}).code, 0);
  const Json graph = parsed(run({"predictor", "train", "first", "--objective", objective_, "--out", "g.json",
                                 "--predictor", "graph", "--pretrain", "20", "--device", "pixel_6", "--json"}));
  EXPECT_THAT(graph.at("predicted_by").get<std::string>(), HasSubstr("graph"));
  EXPECT_EQ(run({"predictor", "eval", "g.json", "first"}).code, 0);
  const Outcome both = run({"predictor", "train", "first", "--objective", objective_, "--out", "x.json", "--predictor",
                            "graph", "--features", "genes"});
  EXPECT_EQ(both.code, 2);
  EXPECT_THAT(both.err, HasSubstr("--features"));
}

TEST_F(PredictorCommands, BadInputIsSaidWithItsRemedy) {
  search("first", 1);
  const auto refused = [&](const std::vector<std::string>& arguments, const std::string& what) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr(what));
  };
  refused({"predictor", "train", "firts", "--objective", objective_, "--out", "x.json"}, "first");
  refused({"predictor", "train", "first", "--objective", "energy", "--out", "x.json"}, objective_);
  refused({"predictor", "train", "first", "--objective", objective_, "--out", "no/x.json"}, "--out");
  refused({"predictor", "train", "first", "--objective", objective_, "--out", "x.json", "--predictor", "tree"},
          "xgboost");
  refused({"predictor", "train", "first", "--objective", objective_, "--out", "x.json", "--features", "network"},
          "genes,architecture,pairs");
  EXPECT_FALSE(folder_.has("x.json"));
  train("first");
  search("other", 1, "nasbench_macro");
  refused({"predictor", "eval", "score.json", "other"}, "predictor train");
  Json damaged = Json::parse(content("score.json"));
  damaged["state"] = Json::object();
  folder_.write("damaged.json", damaged.dump());
  refused({"predictor", "eval", "damaged.json", "first"}, "signature");
  refused({"predictor", "eval", "none.json", "first"}, "none.json");
}

}  // namespace
}  // namespace ridgeline
