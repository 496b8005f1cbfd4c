// One name, one type: two types of the same name in namespace ridgeline link without a word and crash at run time.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>

namespace {

namespace fs = std::filesystem;

TEST(HouseNames, NoTwoHeadersDefineATypeOfTheSameName) {
  // At the start of a line: a definition (": bases" or "{" on it), not a forward declaration.
  const std::regex definition(R"(^(?:struct|class|enum class) ([A-Z]\w*)(?!\w|::)[^;]*\{)");
  std::map<std::string, std::set<std::string>> places;
  for (const char* folder : {"spaces", "predictors", "hwmodels", "kernels", "search", "experiments", "cli"}) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(RIDGELINE_SOURCE_DIR) / folder)) {
      if (entry.path().extension() != ".hpp") continue;
      std::ifstream file(entry.path());
      std::smatch match;
      for (std::string line; std::getline(file, line);) {
        if (std::regex_search(line, match, definition)) places[match[1]].insert(entry.path().string());
      }
    }
  }
  EXPECT_GT(places.size(), 100U) << "the rule no longer finds the definitions";
  for (const auto& [name, files] : places) {
    EXPECT_EQ(files.size(), 1U) << name << " is defined in " << *files.begin() << " and in " << *files.rbegin();
  }
}

}  // namespace
