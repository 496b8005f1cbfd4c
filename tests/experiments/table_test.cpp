#include "experiments/evaluators/table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// One or two convolutions; the second kernel means nothing where the depth is 1.
constexpr const char* toy_space = R"({
  "ridgeline_space": 1, "name": "toy", "about": "for tests",
  "dimensions": [
    {"name": "depth", "choices": [1, 2], "ordered": true},
    {"name": "kernel", "repeat": 2, "index": "slot", "choices": [3, 5, 7], "ordered": true, "active_if": "slot < depth"},
    {"name": "act", "choices": ["relu", "swish"]}],
  "network": {"input": [3, 8, 8], "body": [
    {"repeat": "depth", "index": "slot", "body": [
      {"op": "conv2d", "channels": 4, "kernel": "kernel[slot]"}, {"activate": "act"}]},
    {"op": "global_avg_pool"}, {"op": "flatten"}, {"op": "linear", "channels": 10}]}
})";

constexpr const char* description = R"({
  "ridgeline_table": 1, "name": "toy_table", "source": "nowhere", "file": "toy.csv", "space": "toy",
  "key": [{"column": "k", "genes": ["kernel"], "digits": true}, {"column": "d", "genes": ["depth"]},
          {"column": "a", "genes": ["act"], "words": {"R": "relu", "S": "swish"}}],
  "values": {"accuracy": {"column": "acc", "unit": "%", "direction": "maximise"},
             "latency_s": {"column": "ms", "unit": "s", "direction": "minimise", "scale": 0.001}}
})";

class TableTest : public ::testing::Test {
 protected:
  Table load(const std::string& text, const std::string& json = description) {
    scratch_.write("toy.csv", text);
    return Table::load(scratch_.write("toy.json", json), Resources(RIDGELINE_SOURCE_DIR, ""), space_);
  }
  std::string refusal(const std::string& text, const std::string& json = description) {
    return what_of([&] { load(text, json); });
  }
  std::optional<double> accuracy(const Table& table, const Json& choices) const {
    return table.value(space_.from_json(choices), table.column("accuracy"));
  }
  Scratch scratch_;
  SearchSpace space_ = SearchSpace::parse(JsonDocument::parse(toy_space, "toy"));
};

const std::string header = "ignored,k,d,a,acc,ms\n";

TEST_F(TableTest, FindsRowsByGenomeAndIgnoresUnusedSlots) {
  const Table table = load(header + "x,37,2,R,90.5,12.5\n\"a,\"\"b\",35,1,S,80,7\r\n\nx,73,2,S,70,5\n");
  EXPECT_EQ(table.rows(), 3U);
  EXPECT_EQ(table.value_names(), (std::vector<std::string>{"accuracy", "latency_s"}));
  EXPECT_EQ(table.objective(0).direction, Direction::maximise);
  EXPECT_EQ(table.objective(1).unit, "s");
  const Genome genome = space_.from_json(Json{{"depth", 2}, {"kernel[0]", 3}, {"kernel[1]", 7}, {"act", "relu"}});
  EXPECT_EQ(table.value(genome, 0), 90.5);
  EXPECT_DOUBLE_EQ(table.value(genome, 1).value(), 0.0125);
  // The 5 of "35" is the kernel of a slot that depth 1 does not have.
  EXPECT_EQ(accuracy(table, Json{{"depth", 1}, {"kernel[0]", 3}, {"act", "swish"}}), 80.0);
  EXPECT_EQ(accuracy(table, Json{{"depth", 1}, {"kernel[0]", 3}, {"act", "relu"}}), std::nullopt);
  EXPECT_EQ(accuracy(table, Json{{"depth", 2}, {"kernel[0]", 7}, {"kernel[1]", 7}, {"act", "swish"}}), std::nullopt);
}

TEST_F(TableTest, ReadsGzipAndJson) {
  const std::string text = header + "x,37,2,R,90.5,12.5\n";
  const Table plain = load(text);
  std::string json = description;
  json.replace(json.find("toy.csv"), 7, "toy.csv.gz");
  const gzFile file = gzopen(scratch_.path("toy.csv.gz").c_str(), "wb");
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
  const Table zipped = load("", json);
  EXPECT_EQ(zipped.fingerprint(0), plain.fingerprint(0));

  scratch_.write("rows.json", R"({"37": {"depth": 2, "act": "relu", "test": [90.5, 91.5], "mean": 91.0},
                                  "33": {"depth": 1, "act": "swish", "test": [80, 82], "mean": 81}})");
  const Table object = load("", R"({
    "ridgeline_table": 1, "name": "t", "file": "rows.json",
    "key": [{"column": "@key", "genes": ["kernel"], "digits": true}, {"column": "depth", "genes": ["depth"]},
            {"column": "act", "genes": ["act"]}],
    "values": {"accuracy": {"column": "mean", "direction": "maximise"},
               "second": {"column": "test[1]", "direction": "maximise"}}})");
  const Genome genome = space_.from_json(Json{{"depth", 2}, {"kernel[0]", 3}, {"kernel[1]", 7}, {"act", "relu"}});
  EXPECT_EQ(object.value(genome, object.column("accuracy")), 91.0);
  EXPECT_EQ(object.value(genome, object.column("second")), 91.5);
}

TEST_F(TableTest, IgnoredAndFixedDimensions) {
  const Table table = load("k,acc\n37,90\n", R"({
    "ridgeline_table": 1, "name": "t", "file": "toy.csv",
    "key": [{"column": "k", "genes": ["kernel"], "digits": true}], "ignored": ["act"], "fixed": {"depth": 2},
    "values": {"accuracy": {"column": "acc", "direction": "maximise"}}})");
  for (const char* act : {"relu", "swish"}) {
    EXPECT_EQ(accuracy(table, Json{{"depth", 2}, {"kernel[0]", 3}, {"kernel[1]", 7}, {"act", act}}), 90.0);
    EXPECT_EQ(accuracy(table, Json{{"depth", 1}, {"kernel[0]", 3}, {"act", act}}), std::nullopt);
  }
}

TEST_F(TableTest, RowsOfOneCandidateMustAgree) {
  const std::string twice = header + "x,33,1,R,90,1\nx,37,1,R,80,1\n";  // the second kernel is not used
  EXPECT_THAT(refusal(twice),
              AllOf(HasSubstr("toy.csv: row 3, column 'acc'"), HasSubstr("90"), HasSubstr("duplicates")));
  EXPECT_EQ(load(header + "x,33,1,R,90,1\nx,37,1,R,90,1\n").rows(), 1U);
  std::string json = description;
  json.insert(1, "\"duplicates\": \"mean\",");
  EXPECT_EQ(accuracy(load(twice, json), Json{{"depth", 1}, {"kernel[0]", 3}, {"act", "relu"}}), 85.0);
  json.replace(json.find("mean"), 4, "first");
  EXPECT_EQ(accuracy(load(twice, json), Json{{"depth", 1}, {"kernel[0]", 3}, {"act", "relu"}}), 90.0);
}

TEST_F(TableTest, NamesEveryBadCellByFileRowAndColumn) {
  const std::string message = refusal(header +
                                      "x,33,1,R,nan,1\nx,35,2,R,80,\nx,39,2,R,80,1\nx,333,2,R,80,1\nx,37,2,Q,8,1\n"
                                      "x,37,2,S,inf,1e999\n");
  EXPECT_THAT(message, HasSubstr("toy.csv: row 2, column 'acc': expected a finite number, found 'nan'"));
  EXPECT_THAT(message, HasSubstr("row 3, column 'ms': expected a finite number, found ''"));
  EXPECT_THAT(message, HasSubstr("row 4, column 'k': expected a choice of 'kernel[1]', found '39'; known: 3, 5, 7"));
  EXPECT_THAT(message, HasSubstr("row 5, column 'k': expected 2 characters"));
  EXPECT_THAT(message, HasSubstr("row 6, column 'a': expected a choice of 'act', found 'Q'"));
  EXPECT_THAT(message, HasSubstr("row 7, column 'acc': expected a finite number, found 'inf'"));
  EXPECT_THAT(message, HasSubstr("row 7, column 'ms': expected a finite number, found '1e999'"));
}

TEST_F(TableTest, NamesWhatIsWrongWithFileAndDescription) {
  EXPECT_THAT(refusal("k,d,a,accc,ms\n33,1,R,1,1\n"),
              AllOf(HasSubstr("a column 'acc'"), HasSubstr("did you mean 'accc'")));
  EXPECT_THAT(refusal(header + "x,33,1,R,1\n"), HasSubstr("toy.csv: row 2: expected 6 cells"));
  EXPECT_THAT(refusal(header), HasSubstr("a table with rows"));
  std::string json = description;
  json.replace(json.find("toy.csv"), 7, "gone.csv");
  EXPECT_THAT(refusal("", json),
              AllOf(HasSubstr("gone.csv"), HasSubstr("get it from nowhere"), HasSubstr("RIDGELINE_DATA")));
  json = description;
  json.replace(json.find("\"kernel\""), 8, "\"kernle\"");
  EXPECT_THAT(refusal(header, json), AllOf(HasSubstr("key[0].genes"), HasSubstr("did you mean 'kernel'")));
  json = description;
  json.replace(json.find("\"R\": \"relu\""), 11, "\"R\": \"gelu\"");
  EXPECT_THAT(refusal(header, json), AllOf(HasSubstr("key[2].words.R"), HasSubstr("known: relu, swish")));
  json = description;
  json.replace(json.find("\"space\": \"toy\""), 14, "\"space\": \"big\"");
  EXPECT_THAT(refusal(header, json), HasSubstr("table is of another space"));
  json = description;
  json.replace(json.find("{\"column\": \"d\", \"genes\": [\"depth\"]},"), 36, "");
  EXPECT_THAT(refusal(header, json), HasSubstr("'depth' in none of the columns"));
  EXPECT_THAT(what_of([&] { load(header + "x,33,1,R,1,1\n").column("acuracy"); }),
              HasSubstr("did you mean 'accuracy'"));
  scratch_.write("bad.json", R"({"33": {"acc": NaN}})");
  json = description;
  json.replace(json.find("toy.csv"), 7, "bad.json");
  EXPECT_THAT(refusal("", json), AllOf(HasSubstr("bad.json"), HasSubstr("line 1")));
}

struct Shipped {
  const char* table;
  const char* space;
  std::size_t rows;
};

class ShippedTable : public ::testing::TestWithParam<Shipped> {};

TEST_P(ShippedTable, LoadsWhereTheDataIs) {
  const Resources found = resources();
  const SearchSpace space = SearchSpace::load(found.space(GetParam().space));
  const std::string path = found.table(GetParam().table);
  const std::string file = JsonDocument::load(path).value().at("file");
  if (!std::filesystem::exists(data_folder() + "/" + file)) {
    const std::string message = what_of([&] { Table::load(path, found, space); });
    EXPECT_THAT(message, AllOf(HasSubstr(file), HasSubstr("RIDGELINE_DATA")));
    GTEST_SKIP() << "no " << file << " in " << data_folder();
  }
  EXPECT_EQ(Table::load(path, found, space).rows(), GetParam().rows);
}

INSTANTIATE_TEST_SUITE_P(Library, ShippedTable,
                         ::testing::Values(Shipped{"nasbench_macro", "nasbench_macro", 6561},
                                           Shipped{"nasbench_macro_published", "nasbench_macro", 6561},
                                           Shipped{"nasbench201", "nasbench201", 15625},
                                           Shipped{"ofa_mbv3_accuracy", "ofa_mobilenet_v3", 1565},
                                           Shipped{"ofa_mbv3_latency", "ofa_mobilenet_v3", 5000}),
                         [](const auto& one) { return std::string(one.param.table); });

// The authors' file has this form (README of github.com/xiusu/NAS-Bench-Macro); the numbers are those of its CSV.
TEST(PublishedTable, ReadsTheBenchmarksOwnJson) {
  const Scratch scratch;
  scratch.write(
      "nas-bench-macro_cifar10.json",
      R"({"00000000": {"test_acc": [45.32, 45.33, 45.44], "mean_acc": 45.3633, "std": 0.0544, "params": 387882,
                                 "flops": 7713280},
                    "22212220": {"test_acc": [93.1, 93.1, 93.2], "mean_acc": 93.13, "std": 0.05, "params": 1, "flops": 2}})");
  const Resources found(RIDGELINE_SOURCE_DIR, scratch.path(""));
  const SearchSpace space = SearchSpace::load(found.space("nasbench_macro"));
  const Table table = Table::load(found.table("nasbench_macro_published"), found, space);
  EXPECT_EQ(table.rows(), 2U);
  const Genome identities{std::vector<std::uint16_t>(8, 0)};
  EXPECT_EQ(table.value(identities, table.column("accuracy")), 45.3633);
  EXPECT_EQ(table.value(identities, table.column("macs")), 7713280);
  EXPECT_EQ(table.value(identities, table.column("accuracy_run3")), 45.44);
  const Genome best{{2, 2, 2, 1, 2, 2, 2, 0}};
  EXPECT_EQ(table.value(best, table.column("accuracy")), 93.13);
}

}  // namespace
}  // namespace ridgeline::testing
