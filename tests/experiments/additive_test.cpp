// Sums over layers as an evaluator: a toy by brute force, the published assignments of HAWQ-V3 and FBNet's lookup
// table.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "experiments/allocation_file.hpp"
#include "experiments/bench/problem.hpp"
#include "tests/experiments/support.hpp"
#include "tests/spaces/published_data.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A base of one choice, four layers of which the second and the last are tied, costs below the base's.
constexpr const char* toy_table =
    "layer,bits,loss,ms\nbase,-,0,10\n"
    "a,8,0,0\na,4,0.5,-1\nb,8,0.25,0\nb,4,1,-2\nc,4,3,-0.5\nc,8,-1,0\nd,8,0,0\nd,4,0.125,-0.25\n";
constexpr const char* toy_problem = R"({
  "ridgeline_allocation": 1, "name": "toy", "budgets": {"latency_s": {"unit": "s"}},
  "tables": [{"file": "toy.csv", "layer": "{layer}", "choices": {"{bits}": {PENALTY"costs": {"latency_s": ["ms", 0.001]}}}}],
  "ties": [["b", "d"]],
  "boundaries": [{"producer": "a", "consumer": "c", "size": [2]}],
  "conversions": [{"from": "4", "to": "8", "costs": {"latency_s": 0.1}}]
})";

class Additive : public ::testing::Test {
 protected:
  static SearchSpace space(std::size_t layers, const Json& options) {
    return resources().load_space("layer_choices", {.parameters = {{"layers", layers}, {"options", options}}});
  }
  std::string problem(const std::string& penalty = R"("penalty": ["loss"], )") const {
    scratch_.write("toy.csv", toy_table);
    std::string text = toy_problem;
    text.replace(text.find("PENALTY"), 7, penalty);
    return scratch_.write("toy.json", text);
  }
  static std::unique_ptr<Evaluator> made(const SearchSpace& space, const std::string& problem,
                                         const std::string& quantity) {
    JsonDocument document =
        JsonDocument::from_value({{"evaluator", "additive"}, {"problem", problem}, {"quantity", quantity}}, "here");
    const Resources all = resources();
    EvaluatorSetup setup;
    setup.space = &space;
    setup.resources = &all;
    std::unique_ptr<Evaluator> evaluator = make_evaluator(document.root(), setup);
    document.raise();
    return evaluator;
  }
  static double value(Evaluator& evaluator, const Genome& genome) {
    const Candidate candidate{0, &genome, nullptr};
    Score score;
    evaluator.evaluate(std::span(&candidate, 1), std::span(&score, 1));
    return score.value;
  }
  Scratch scratch_;
};

TEST_F(Additive, AToyIsWhatItsLayersAddUpTo) {
  const SearchSpace three = space(3, {"4", "8"});  // words or numbers; a, b with d, c
  const std::string path = problem();
  const auto penalty = made(three, path, "penalty"), latency = made(three, path, "latency_s");
  EXPECT_EQ(latency->unit(), "s");
  EXPECT_NE(penalty->fingerprint(), latency->fingerprint());
  const double loss[3][2] = {{0.5, 0}, {1.125, 0.25}, {3, -1}}, ms[3][2] = {{-1, 0}, {-2.25, 0}, {-0.5, 0}};
  for (std::uint16_t code = 0; code < 8; ++code) {
    const Genome genome{{static_cast<std::uint16_t>(code & 1), static_cast<std::uint16_t>(code >> 1 & 1),
                         static_cast<std::uint16_t>(code >> 2)}};
    double losses = 0, time = 10;
    for (std::size_t i = 0; i < 3; ++i) {
      losses += loss[i][genome.genes[i]];
      time += ms[i][genome.genes[i]];
    }
    if (genome.genes[0] == 0 && genome.genes[2] == 1) time += 200;  // a conversion, twice 0.1 s
    EXPECT_NEAR(value(*penalty, genome), losses, 1e-12);
    EXPECT_NEAR(value(*latency, genome), time / 1000, 1e-12);
  }
  // A narrowed space: 8 bits alone in the first layer.
  SpaceOptions narrowed{.parameters = {{"layers", 3}, {"options", {4, 8}}}};
  narrowed.choices = {{"layer[0]", {8}}};
  const SearchSpace less = resources().load_space("layer_choices", narrowed);
  EXPECT_NEAR(value(*made(less, path, "penalty"), Genome{{0, 0, 0}}), 0 + 1.125 + 3, 1e-12);
}

TEST_F(Additive, WhatDoesNotFitIsRefused) {
  const std::string path = problem();
  const auto refused = [&](std::size_t layers, const Json& options, const std::string& quantity) {
    const SearchSpace other = space(layers, options);
    return what_of([&] { made(other, path, quantity); });
  };
  EXPECT_THAT(refused(4, {4, 8}, "penalty"), AllOf(HasSubstr("4 layers to decide"), HasSubstr("found 3")));
  EXPECT_THAT(refused(3, {4, 9}, "penalty"), AllOf(HasSubstr("layer 'a'"), HasSubstr("no '9'")));
  EXPECT_THAT(refused(3, {4, 8}, "latency"), HasSubstr("did you mean 'latency_s'"));
  const SearchSpace three = space(3, {4, 8});
  EXPECT_THAT(what_of([&] { made(three, "hawq", "penalty"); }), HasSubstr("hawq_v3_resnet18"));
  // Without penalties there are sums of costs, and no problem to allocate.
  const std::string bare = problem("");
  EXPECT_NEAR(value(*made(three, bare, "latency_s"), Genome{{1, 1, 1}}), 0.01, 1e-12);
  EXPECT_THAT(what_of([&] { made(three, bare, "penalty"); }), HasSubstr("known: latency_s"));
  EXPECT_THAT(what_of([&] { load_allocation(bare, resources()); }), HasSubstr("a penalty"));
}

TEST_F(Additive, ABenchmarkKnowsItsExactFront) {
  Json study = {{"ridgeline_study", 1},
                {"name", "toy"},
                {"space", "layer_choices"},
                {"parameters", {{"layers", 3}, {"options", {4, 8}}}},
                {"searcher", {{"name", "nsga2"}}},
                {"objectives", Json::array()},
                {"stop", {{"trials", 8}}}};
  for (const char* quantity : {"penalty", "latency_s"}) {
    study["objectives"].push_back(
        {{"name", quantity},
         {"unit", std::string(quantity) == "penalty" ? "" : "s"},
         {"direction", "minimise"},
         {"from", {{"evaluator", "additive"}, {"problem", problem()}, {"quantity", quantity}}}});
  }
  const BenchProblem bench(config_of(study), resources(), {});
  WorkerPool pool(1);
  const ExactAnswer exact = bench.exact(100, pool);
  EXPECT_EQ(exact.candidates, 8U);
  // By hand: all in 8 bits; then in 4 b and d; c as well; a as well, whose 4 bits before c's 8 take a conversion.
  EXPECT_THAT(exact.front,
              ::testing::UnorderedElementsAre(::testing::ElementsAre(-0.75, ::testing::DoubleNear(0.01, 1e-12)),
                                              ::testing::ElementsAre(0.125, ::testing::DoubleNear(0.00775, 1e-12)),
                                              ::testing::ElementsAre(4.125, ::testing::DoubleNear(0.00725, 1e-12)),
                                              ::testing::ElementsAre(4.625, ::testing::DoubleNear(0.00625, 1e-12))));
}

TEST_F(Additive, MinimisingReproducesThePublishedAssignments) {
  const auto configs = read_csv_gz(data_path("tables/hawq_v3_bit_configs.csv.gz"));
  if (!configs) GTEST_SKIP() << "no tables/hawq_v3_bit_configs.csv.gz in RIDGELINE_DATA";
  const StudyConfig study = load_study("hawq_resnet18_t4", {}, resources());
  const SearchSpace bits = space(16, {4, 8});
  const auto count = static_cast<std::size_t>(bits.enumeration_size());
  ASSERT_EQ(count, 65'536U);
  const auto all_of = [&](const char* quantity) {
    const auto evaluator = made(bits, "hawq_v3_resnet18", quantity);
    std::vector<double> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = value(*evaluator, *bits.at(i));
    return values;
  };
  const std::vector<double> penalty = all_of("penalty");
  for (const auto& [quantity, kind] :
       {std::pair{"weight_bytes", "modelsize"}, {"bit_operations", "bops"}, {"latency_s", "latency"}}) {
    const std::vector<double> cost = all_of(quantity);
    const auto [least, most] = std::ranges::minmax(cost);
    for (const double share : {0.25, 0.5, 0.75}) {
      const double limit = (least + share * (most - least)) * (1 + 1e-12);
      std::size_t best = count;
      for (std::size_t i = 0; i < count; ++i) {
        if (cost[i] <= limit && (best == count || penalty[i] < penalty[best])) best = i;
      }
      ASSERT_LT(best, count);
      std::string found, published;
      const Genome genome = *bits.at(best);
      std::size_t gene = 0;
      for (std::size_t layer = 0; layer < 19; ++layer) {
        // Down-sample layers follow the first of their stage's second convolution: 6 is 4's, 11 is 9's, 16 is 14's.
        if (layer == 6 || layer == 11 || layer == 16) {
          found += found[layer - 2];
        } else {
          found += genome.genes[gene++] == 0 ? '4' : '8';
        }
      }
      for (const CsvRow& row : *configs) {
        const std::string& tensor = row.at("tensor");
        if (row.at("config_name") != fmt::format("resnet18_{}_{}", kind, share)) continue;
        if (tensor.find("convbn") != std::string::npos && !tensor.starts_with("quant_init_block"))
          published += row.at("bits");
      }
      EXPECT_EQ(found, published) << quantity << " " << share;
    }
    if (std::string(quantity) == "weight_bytes") {  // the shipped study's limit is half of the way
      EXPECT_DOUBLE_EQ(*study.objectives.back().objective.limit, (least + most) / 2);
    }
  }
}

TEST_F(Additive, FbnetsTableIsItsBaseAndADeltaALayer) {
  const std::string file = data_path("tables/fbnet_lut_cifar100.csv");
  const auto rows = read_csv_gz(file);  // plain files are read as well
  if (!rows) GTEST_SKIP() << "no tables/fbnet_lut_cifar100.csv in RIDGELINE_DATA";
  const Json blocks = {"k3_e1", "k3_e1_g2", "k3_e3", "k3_e6", "k5_e1", "k5_e1_g2", "k5_e3", "k5_e6", "skip"};
  const SearchSpace fbnet = space(22, blocks);
  for (const char* device : {"raspi4", "eyeriss"}) {
    const auto evaluator = made(fbnet, "fbnet_lut", fmt::format("latency_s_{}", device));
    Rng rng(4);
    for (int k = 0; k < 50; ++k) {
      const Genome genome = fbnet.sample(rng);
      double ms = 0;
      for (const CsvRow& row : *rows) {
        const int layer = std::stoi(row.at("layer"));
        const bool chosen = layer < 0 || row.at("op_name") == blocks[genome.genes[static_cast<std::size_t>(layer)]];
        if (chosen) ms += std::stod(row.at(fmt::format("delta_ms_{}", device)));
      }
      EXPECT_NEAR(value(*evaluator, genome), ms / 1000, 1e-12);
    }
  }
}

}  // namespace
}  // namespace ridgeline::testing
