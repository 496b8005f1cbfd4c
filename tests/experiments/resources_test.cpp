#include "experiments/resources.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ResourcesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / ("resources_" + std::to_string(getpid()));
    fs::create_directories(root_ / "spaces/library");
    fs::create_directories(root_ / "hwmodels/devices");
    for (const char* name : {"spaces/library/zebra.json", "spaces/library/alpha.json", "hwmodels/devices/toaster.json",
                             "spaces/library/README.md", "own.json"}) {
      std::ofstream(root_ / name) << "{}";
    }
  }
  void TearDown() override { fs::remove_all(root_); }

  std::string problem(const std::string& wanted) const {
    try {
      (void)Resources(root_.string(), "").space(wanted);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "no problem";
  }

  fs::path root_;
};

TEST_F(ResourcesTest, NamesAreTheSortedStemsOfTheJsonFiles) {
  const Resources resources(root_.string(), "/data");
  EXPECT_THAT(resources.spaces(), ElementsAre("alpha", "zebra"));
  EXPECT_THAT(resources.devices(), ElementsAre("toaster"));
  EXPECT_TRUE(resources.tables().empty());
  EXPECT_EQ(resources.data(), "/data");
}

TEST_F(ResourcesTest, ANameIsAShippedFileAndAPathIsItself) {
  const Resources resources(root_.string(), "");
  EXPECT_EQ(resources.space("zebra"), (root_ / "spaces/library/zebra.json").string());
  EXPECT_EQ(resources.space((root_ / "own.json").string()), (root_ / "own.json").string());
}

TEST_F(ResourcesTest, AnUnknownNameListsTheKnownOnesAndTheNearest) {
  EXPECT_THAT(problem("zebr"), HasSubstr("did you mean 'zebra'? known: alpha, zebra"));
  EXPECT_THAT(problem(""), HasSubstr("known: alpha, zebra"));
}

TEST_F(ResourcesTest, APathThatIsNoFileIsSaidToBeSo) {
  EXPECT_THAT(problem("/nowhere/alpha.json"),
              HasSubstr("no such file; 'alpha' without folder and extension is a shipped"));
  EXPECT_THAT(problem(root_.string() + "/"), HasSubstr("a folder"));
}

TEST(ResourcesOfTheSourceTree, HoldEveryLibrary) {
  const Resources resources(RIDGELINE_SOURCE_DIR, "");
  EXPECT_GE(resources.spaces().size(), 5U);
  EXPECT_GE(resources.devices().size(), 15U);
  EXPECT_FALSE(resources.studies().empty());
  EXPECT_FALSE(resources.tables().empty());
}

}  // namespace
}  // namespace ridgeline
