// The data commands as a user types them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "child.hpp"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

std::vector<std::string> make_few(const std::string& out) {
  return {"data", "make", "glyphs", "--out", out, "--train", "470", "--validation", "94", "--test", "94"};
}

bool fonts_are_there() { return std::filesystem::exists("/usr/share/fonts/truetype/manrope"); }

// The header of an IDX file, then its values.
std::string idx(const std::string& dims, const std::string& values) {
  std::string text{'\0', '\0', '\x08', static_cast<char>(dims.size())};
  for (const char n : dims) text += std::string(3, '\0') + n;
  return text + values;
}

void write_small_set(const TemporaryFolder& folder) {
  folder.write("train-images-idx3-ubyte", idx({10, 1, 2}, "abcdefghijklmnopqrst"));
  folder.write("train-labels-idx1-ubyte", idx({10}, std::string("\0\1\0\1\0\1\0\1\0\1", 10)));
  folder.write("t10k-images-idx3-ubyte", idx({1, 1, 2}, "ab"));
  folder.write("t10k-labels-idx1-ubyte", idx({1}, std::string("\0", 1)));
}

TEST(Data, MakesAndShowsGlyphs) {
  if (!fonts_are_there()) GTEST_SKIP() << "Debian's font packages are not installed (scripts/setup.sh fonts)";
  const TemporaryFolder folder;
  const ChildOptions here{folder.path(), {}, 0, ""};
  const Outcome made = run_ridgeline(make_few("set"), here);
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr("drawing train"));
  EXPECT_THAT(made.out, AllOf(HasSubstr("47 classes"), HasSubstr("470"), HasSubstr("fingerprint")));
  const Outcome shown = run_ridgeline({"data", "show", "set", "--sheet", "sheet.png"}, here);
  ASSERT_EQ(shown.code, 0) << shown.err;
  EXPECT_THAT(shown.out, AllOf(HasSubstr("1x32x32"), HasSubstr("FreeType"), Not(HasSubstr("test 94"))));
  EXPECT_TRUE(folder.has("sheet.png"));
  const Outcome json = run_ridgeline({"data", "show", "set/dataset.json", "--json", "--test"}, here);
  const Json value = Json::parse(json.out);
  EXPECT_EQ(value.at("shape"), Json({1, 32, 32}));
  EXPECT_EQ(value.at("splits").at("test").at("images"), 94);
  EXPECT_EQ(value.at("splits").at("train").at("class_counts").size(), 47U);
  EXPECT_EQ(value.at("manifest").at("seed"), 1);
  EXPECT_EQ(run_ridgeline(make_few("set"), here).code, 0);  // its own folder may be replaced
  folder.write("set/notes.txt", "mine");
  const Outcome refused = run_ridgeline(make_few("set"), here);
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("'notes.txt'"));
  EXPECT_TRUE(folder.has("set/notes.txt"));
}

TEST(Data, AnInterruptLeavesNothing) {
  if (!fonts_are_there()) GTEST_SKIP() << "Debian's font packages are not installed (scripts/setup.sh fonts)";
  const TemporaryFolder folder;
  const Outcome outcome = run_ridgeline({"data", "make", "glyphs", "--out", "set", "--train", "300000"},
                                        {folder.path(), {}, 2, "drawing train"});
  EXPECT_EQ(outcome.code, 130);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("nothing was written"), HasSubstr("data make glyphs")));
  EXPECT_EQ(folder.entries(), 0U);
}

TEST(Data, TestIsShownOnlyWhenAskedFor) {
  const TemporaryFolder folder;
  write_small_set(folder);
  const Outcome shown = run_ridgeline({"data", "show", folder.path()});
  ASSERT_EQ(shown.code, 0) << shown.err;
  EXPECT_THAT(shown.out, AllOf(HasSubstr("train 9 images"), HasSubstr("validation 1 images"), Not(HasSubstr("test"))));
  EXPECT_THAT(run_ridgeline({"data", "show", folder.path(), "--test"}).out, HasSubstr("test 1 images"));
}

TEST(Data, BadInputIsOneMessageAndCodeTwo) {
  const TemporaryFolder folder;
  write_small_set(folder);
  const ChildOptions here{folder.path(), {}, 0, ""};
  const auto refused = [&](const std::vector<std::string>& arguments) {
    const Outcome outcome = run_ridgeline(arguments, here);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    return outcome.err;
  };
  EXPECT_THAT(refused({"data", "show", "nowhere"}), AllOf(HasSubstr("nowhere"), HasSubstr("data make glyphs")));
  EXPECT_THAT(refused({"data", "show", ".", "--sheet", "no/sheet.png"}), HasSubstr("--sheet"));
  EXPECT_THAT(refused({"data", "make", "glyphs", "--out", "x", "--fonts", "."}),
              AllOf(HasSubstr("apt-get install"), HasSubstr("fonts-dejavu-core")));
  EXPECT_THAT(refused({"data", "make", "glyphs", "--out", "x", "--train", "0"}), HasSubstr("--train"));
  EXPECT_THAT(refused({"data", "make", "glyphs", "--out", "."}), HasSubstr("also holds"));
  EXPECT_THAT(refused({"data", "make", "glyphs", "--out", "x", "--seed", "-1"}), HasSubstr("--seed"));
  EXPECT_THAT(refused({"data", "make", "letters", "--out", "x"}), HasSubstr("letters"));
  folder.write("train-labels-idx1-ubyte", idx({9}, std::string(9, '\0')));
  EXPECT_THAT(refused({"data", "show", "."}), AllOf(HasSubstr("10 labels"), HasSubstr("9")));
  folder.write("train-images-idx3-ubyte", idx({10, 1, 2}, "abc"));
  EXPECT_THAT(refused({"data", "show", "."}), AllOf(HasSubstr("train-images"), HasSubstr("3 bytes")));
}

TEST(Data, AFolderThatMayNotBeWritten) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  const TemporaryFolder folder;
  chmod(folder.path().c_str(), 0555);
  const Outcome outcome = run_ridgeline(make_few("set"), {folder.path(), {}, 0, ""});
  chmod(folder.path().c_str(), 0755);
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("a folder that can be written"));
}

}  // namespace
}  // namespace ridgeline
