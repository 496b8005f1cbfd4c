// Every kind of bad input gets its exit code, a message with place and remedy, and leaves nothing behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "child.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct BadInput {
  std::string name;
  std::vector<std::string> arguments;
  std::vector<std::string> said;  // parts of standard error
  int code = 2;
};

void PrintTo(const BadInput& input, std::ostream* out) { *out << input.name; }

class CommandLineErrors : public ::testing::TestWithParam<BadInput> {};

TEST_P(CommandLineErrors, AreSaidAndChangeNothing) {
  const TemporaryFolder folder;
  const Outcome outcome = run_ridgeline(GetParam().arguments, {folder.path(), {}, 0, ""});
  EXPECT_EQ(outcome.code, GetParam().code) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  for (const std::string& part : GetParam().said) EXPECT_THAT(outcome.err, HasSubstr(part));
  EXPECT_EQ(folder.entries(), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    All, CommandLineErrors,
    ::testing::Values(
        BadInput{"unknown_command", {"serach"}, {"unknown command 'serach'", "did you mean 'search'?"}},
        BadInput{"unknown_subcommand", {"space", "lst"}, {"ridgeline space", "did you mean 'list'?"}},
        BadInput{"missing_subcommand", {"runs"}, {"ridgeline runs", "--help"}},
        BadInput{"unknown_flag",
                 {"search", "mobilenet_v3_entropy", "--trails", "3"},
                 {"unknown option '--trails'", "did you mean '--trials'?"}},
        BadInput{"missing_argument", {"search"}, {"ridgeline search", "study"}},
        BadInput{"extra_argument", {"version", "now"}, {"ridgeline version", "unexpected argument 'now'"}},
        BadInput{"number_expected", {"search", "mobilenet_v3_entropy", "--trials", "many"}, {"--trials", "many"}},
        BadInput{"positive_expected", {"search", "mobilenet_v3_entropy", "--trials", "0"}, {"--trials"}},
        BadInput{"range", {"measure", "nasbench201", "--threads", "0"}, {"--threads"}},
        BadInput{"unknown_study", {"search", "dmeo"}, {"did you mean 'demo'?"}},
        BadInput{"study_file_missing", {"search", "./none.json"}, {"./none.json", "no such file"}},
        BadInput{"unknown_choice",
                 {"space", "count", "nasbench_macro", "--choices", "layer=ir_3x3_t4"},
                 {"choices: layer", "\"ir_3x3_t4\"", "did you mean 'ir_3x3_t3'?"}},
        BadInput{"choices_without_value",
                 {"space", "sample", "nasbench_macro", "--choices", "layer"},
                 {"--choices", "name=value", "format=int8"}},
        BadInput{"override_without_value", {"search", "mobilenet_v3_entropy", "--set", "seed"}, {"seed"}},
        BadInput{"override_unknown_key",
                 {"search", "mobilenet_v3_entropy", "--set", "sede=3"},
                 {"sede", "did you mean 'seed'?"}},
        BadInput{"override_wrong_type",
                 {"search", "mobilenet_v3_entropy", "--set", "seed=many"},
                 {"seed", "\"many\" (string)"}},
        BadInput{"override_unknown_searcher",
                 {"search", "mobilenet_v3_entropy", "--set", "searcher.name=nsga4"},
                 {"nsga4", "nsga2"}},
        BadInput{"report_in_no_folder",
                 {"search", "mobilenet_v3_entropy", "--trials", "1", "--report", "no/such/report.html"},
                 {"--report", "no/such"}},
        BadInput{"unknown_space", {"space", "count", "nasbench_marco"}, {"did you mean 'nasbench_macro'?"}},
        BadInput{"unknown_device", {"estimate", "nasbench201", "--device", "pixel_7"}, {"did you mean 'pixel_6'?"}},
        BadInput{"unknown_format", {"measure", "nasbench201", "--format", "int9000"}, {"int9000"}},
        BadInput{"parameter_without_value",
                 {"space", "count", "nasbench201", "--parameter", "classes"},
                 {"--parameter", "classes=10"}},
        BadInput{"unknown_parameter", {"space", "count", "nasbench201", "--parameter", "clases=3"}, {"clases"}},
        BadInput{"genome_syntax", {"measure", "nasbench201", "--genome", "{\"edge\": "}, {"--genome"}},
        BadInput{"genome_of_another_space", {"measure", "nasbench201", "--genome", "{\"kernel\": 3}"}, {"kernel"}},
        BadInput{
            "genome_and_random", {"measure", "nasbench201", "--genome", "[0,0,0,0,0,0]", "--random"}, {"--random"}},
        BadInput{"no_utf8", {"search", "mobilenet_v3_entropy", "--name", "a\xff"}, {"argument 4", "UTF-8"}},
        BadInput{"genome_not_shown", {"space", "show", "nasbench201", "--genome", "[0,0,0,0,0,0]"}, {"--dot"}},
        BadInput{"pareto_two_forms", {"pareto", "demo", "--csv", "--json"}, {"--csv"}},
        BadInput{"not_above_zero",
                 {"quantize", "none.onnx", "--data", "none", "--out", "new", "--trials", "0"},
                 {"--trials: Value 0 is not above 0\n"}},
        BadInput{"endless",
                 {"quantize", "none.onnx", "--data", "none", "--out", "new", "--min-speedup", "inf"},
                 {"--min-speedup: Value inf is too large\n"}},
        BadInput{"quantize_without_model", {"quantize", "none.onnx", "--data", "none", "--out", "new"}, {"none.onnx"}},
        BadInput{"quantize_without_folder", {"quantize", "none.onnx", "--data", "none", "--out", ""}, {"--out"}},
        BadInput{"quantize_for_unknown_device",
                 {"quantize", "none.onnx", "--data", "none", "--out", "new", "--device", "pixel_7"},
                 {"--device", "did you mean 'pixel_6'?"}},
        BadInput{"negative_trial", {"explain", "demo", "-1"}, {"ridgeline explain"}},
        BadInput{"no_database", {"runs", "list", "--db", "none.db"}, {"none.db"}, 4},
        BadInput{"no_database_to_resume", {"resume", "demo", "--db", "none.db"}, {"none.db"}, 4},
        BadInput{"no_database_to_delete_from", {"runs", "delete", "demo", "--db", "none.db", "--yes"}, {"none.db"}, 4},
        BadInput{"database_nowhere_to_write",
                 {"search", "mobilenet_v3_entropy", "--trials", "1", "--db", "/proc/new.db"},
                 {"/proc/new.db"},
                 4},
        BadInput{"database_is_a_folder", {"runs", "list", "--db", "/"}, {"/"}, 4}),
    [](const auto& one) { return one.param.name; });

struct BadStudy {
  std::string name, text;
  std::vector<std::string> said;
  int code = 2;
};

void PrintTo(const BadStudy& study, std::ostream* out) { *out << study.name; }

class StudyErrors : public ::testing::TestWithParam<BadStudy> {};

TEST_P(StudyErrors, NameTheFileAndThePlace) {
  const TemporaryFolder folder;
  folder.write("study.json", GetParam().text);
  const Outcome outcome = run_ridgeline({"search", "./study.json", "--db", "new.db"}, {folder.path(), {}, 0, ""});
  EXPECT_EQ(outcome.code, GetParam().code) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("study.json"));
  for (const std::string& part : GetParam().said) EXPECT_THAT(outcome.err, HasSubstr(part));
  EXPECT_EQ(folder.entries(), 1U) << "something was written";
}

std::string replaced(std::string text, const std::string& part, const std::string& by) {
  return text.replace(text.find(part), part.size(), by);
}

INSTANTIATE_TEST_SUITE_P(
    All, StudyErrors,
    ::testing::Values(
        BadStudy{"empty", "", {}}, BadStudy{"syntax", "{\"ridgeline_study\": 1,\n \"name\" \"x\"}", {"line 2"}},
        BadStudy{"array", "[1, 2]", {"object"}},
        BadStudy{"duplicate_key", "{\"ridgeline_study\": 1, \"seed\": 1, \"seed\": 2}", {"seed"}},
        BadStudy{
            "unknown_key", replaced(counting_study("a", "nasbench201", 5), "\"seed\"", "\"sede\""), {"sede", "seed"}},
        BadStudy{"wrong_type", replaced(counting_study("a", "nasbench201", 5), "7", "\"seven\""), {"seed", "seven"}},
        BadStudy{"unknown_space", counting_study("a", "nasbench202", 5), {"nasbench202", "nasbench201"}},
        BadStudy{"unknown_evaluator",
                 replaced(counting_study("a", "nasbench201", 5), "\"proxy\"", "\"prxy\""),
                 {"prxy", "proxy"}},
        BadStudy{"unknown_quantity",
                 replaced(counting_study("a", "nasbench201", 5), "\"macs\"}", "\"mcas\"}"),
                 {"mcas", "macs"}},
        BadStudy{"another_unit",
                 replaced(counting_study("a", "nasbench201", 5), R"({"evaluator": "count", "quantity": "macs"})",
                          R"({"evaluator": "cost", "device": "pixel_6"}, "unit": "ms")"),
                 {"objectives[1].unit", "'s'", "'ms'"}},
        BadStudy{"two_problems_at_once",
                 replaced(replaced(counting_study("a", "nasbench201", 5), "\"seed\": 7", "\"seed\": \"x\""),
                          "\"nsga2\"", "\"nsgaII\""),
                 {"seed", "nsgaII"}}),
    [](const auto& one) { return one.param.name; });

TEST(Errors, AnImpossibleLimitEndsWithItsReasonAndCodeThree) {
  const TemporaryFolder folder;
  const std::string study =
      replaced(counting_study("never", "nasbench201", 40), "\"minimise\"", "\"minimise\", \"limit\": 10");
  folder.write("study.json", study);
  const Outcome outcome = run_ridgeline({"search", "./study.json", "--db", "new.db"}, {folder.path(), {}, 0, ""});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("nothing feasible"), HasSubstr("macs")));
  const Outcome front = run_ridgeline({"pareto", "never", "--db", "new.db"}, {folder.path(), {}, 0, ""});
  EXPECT_EQ(front.code, 3);
}

TEST(Errors, NothingPreciousIsWrittenOver) {
  const TemporaryFolder folder;
  folder.write("study.json", counting_study("a", "nasbench201", 5));
  const ChildOptions here{folder.path(), {}, 0, ""};
  Outcome outcome = run_ridgeline({"search", "./study.json", "--db", "a.db", "--report", "a.db"}, here);
  EXPECT_EQ(outcome.code, 2);
  EXPECT_FALSE(folder.has("a.db"));
  ASSERT_EQ(run_ridgeline({"search", "./study.json", "--db", "a.db", "--quiet"}, here).code, 0);
  for (const std::string& victim : std::vector<std::string>{
           "a.db", "study.json", "./../" + folder.path().substr(folder.path().rfind('/') + 1) + "/a.db"}) {
    outcome = run_ridgeline({"report", "a", "--db", "a.db", "--html", victim}, here);
    EXPECT_EQ(outcome.code, 2) << victim;
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("--html"), HasSubstr(victim), HasSubstr("another name")));
  }
  EXPECT_EQ(run_ridgeline({"report", "a", "--db", "a.db", "--html", "x", "--csv", "./x"}, here).code, 2);
  EXPECT_FALSE(folder.has("x"));
  EXPECT_EQ(run_ridgeline({"pareto", "a", "--db", "a.db"}, here).code, 0);
  EXPECT_EQ(run_ridgeline({"report", "a", "--db", "a.db", "--html", "r.html"}, here).code, 0);
  EXPECT_EQ(run_ridgeline({"report", "a", "--db", "a.db", "--html", "r.html"}, here).code, 0);  // a report is replaced
}

TEST(Errors, AFileThatIsNoDatabaseIsLeftAlone) {
  const TemporaryFolder folder;
  const std::string text(4096, 'x');
  folder.write("notes.db", text);
  folder.write("study.json", counting_study("a", "nasbench201", 5));
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"runs", "list", "--db", "notes.db"}, {"search", "./study.json", "--db", "notes.db"}}) {
    const Outcome outcome = run_ridgeline(arguments, {folder.path(), {}, 0, ""});
    EXPECT_EQ(outcome.code, 4);
    EXPECT_THAT(outcome.err, HasSubstr("notes.db"));
  }
  std::ifstream file(folder.file("notes.db"));
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), text);
}

TEST(Errors, AFolderThatMayNotBeWrittenIsSaidToBeSo) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  const TemporaryFolder folder;
  folder.write("study.json", counting_study("a", "nasbench201", 5));
  chmod(folder.path().c_str(), 0555);
  const Outcome outcome = run_ridgeline({"search", "./study.json"}, {folder.path(), {}, 0, ""});
  chmod(folder.path().c_str(), 0755);
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.err, HasSubstr("ridgeline.db"));
}

TEST(Errors, UnknownNamesInADatabaseListTheKnownOnes) {
  const TemporaryFolder folder;
  folder.write("study.json", counting_study("apple", "nasbench201", 5));
  ASSERT_EQ(run_ridgeline({"search", "./study.json", "--quiet"}, {folder.path(), {}, 0, ""}).code, 0);
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"pareto", "aple"},
                                                    {"report", "aple"},
                                                    {"resume", "aple"},
                                                    {"explain", "aple", "0"},
                                                    {"runs", "show", "aple"},
                                                    {"runs", "delete", "aple", "--yes"}}) {
    const Outcome outcome = run_ridgeline(arguments, {folder.path(), {}, 0, ""});
    EXPECT_EQ(outcome.code, 2) << arguments.front();
    EXPECT_THAT(outcome.err, HasSubstr("did you mean 'apple'?")) << arguments.front();
  }
  const Outcome outside = run_ridgeline({"explain", "apple", "5"}, {folder.path(), {}, 0, ""});
  EXPECT_EQ(outside.code, 2);
  EXPECT_THAT(outside.err, HasSubstr("a trial from 0 to 4"));
  const Outcome kept = run_ridgeline({"runs", "delete", "apple"}, {folder.path(), {}, 0, ""});
  EXPECT_EQ(kept.code, 2);
  EXPECT_THAT(kept.err, HasSubstr("--yes"));
  EXPECT_EQ(run_ridgeline({"runs", "delete", "apple", "--yes"}, {folder.path(), {}, 0, ""}).code, 0);
  EXPECT_THAT(run_ridgeline({"runs", "list"}, {folder.path(), {}, 0, ""}).out, HasSubstr("no study"));
}

TEST(Errors, AStudyWithAnotherConfigurationUnderTheSameNameIsRefused) {
  const TemporaryFolder folder;
  folder.write("study.json", counting_study("same", "nasbench201", 5));
  ASSERT_EQ(run_ridgeline({"search", "./study.json", "--quiet"}, {folder.path(), {}, 0, ""}).code, 0);
  const Outcome outcome = run_ridgeline({"search", "./study.json", "--seed", "8"}, {folder.path(), {}, 0, ""});
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.err, HasSubstr("same"));
}

TEST(Errors, ABrokenSpaceFileNamesThePlace) {
  const TemporaryFolder folder;
  folder.write("space.json",
               R"({"ridgeline_space": 1, "name": "x", "dimensions": [{"name": "k", "choises": [1, 2]}]})");
  const Outcome outcome = run_ridgeline({"space", "check", "./space.json"}, {folder.path(), {}, 0, ""});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("./space.json"), HasSubstr("dimensions[0]"), HasSubstr("choises"), HasSubstr("choices")));
}

}  // namespace
}  // namespace ridgeline
