// The house keeps its direction: reads every #include line and checks it against the table that README.md and the
// top-level CMakeLists.txt state.

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const std::map<std::string, std::set<std::string>>& allowed_folders() {
  static const std::map<std::string, std::set<std::string>> table{
      {"spaces", {}},
      {"predictors", {"spaces"}},
      {"hwmodels", {"spaces"}},
      {"kernels", {"spaces"}},
      {"search", {"spaces", "predictors"}},
      {"experiments", {"spaces", "predictors", "hwmodels", "kernels", "search"}},
      {"cli", {"spaces", "predictors", "hwmodels", "kernels", "search", "experiments"}},
  };
  return table;
}

// Third-party headers and the only places that may include them; a place is a folder or a file.
const std::vector<std::pair<std::string, std::set<std::string>>>& confined_headers() {
  static const std::vector<std::pair<std::string, std::set<std::string>>> table{
      {"boost/", {"spaces/network.cpp"}},
      {"onnx/", {"spaces/onnx/graph.cpp", "spaces/onnx/check.cpp", "spaces/onnx/reader.cpp"}},
      {"google/protobuf", {"spaces/onnx/graph.cpp", "spaces/onnx/reader.cpp"}},
      {"dnnl", {"kernels"}},
      {"oneapi/", {"kernels"}},
      {"sqlite3", {"experiments/store"}},
      {"CLI/", {"cli"}},
      {"Cbc_C_Interface.h", {"search/allocation/exact_allocation.cpp"}},
      {"xgboost/", {"predictors/gradient_boosting.cpp"}},
      {"Eigen/", {"predictors", "kernels", "search", "experiments"}},
      {"omp.h", {"kernels", "experiments", "search/allocation/exact_allocation.cpp"}},
      {"zlib.h", {"experiments"}},
      {"ft2build.h", {"experiments/data/font_face.cpp"}},
      {"png.h", {"experiments/data/image_codec.cpp"}},
      {"turbojpeg.h", {"experiments/data/image_codec.cpp"}},
      {"zip.h", {"experiments/data/npz.cpp"}},
  };
  return table;
}

struct Include {
  std::string file;    // relative to the source root
  std::string folder;  // its top-level folder
  std::string header;
};

std::vector<Include> includes_of(const fs::path& root) {
  static const std::regex line_rule(R"re(^\s*#\s*include\s*[<"]([^>"]+)[>"])re");
  std::vector<Include> found;
  for (const auto& [folder, allowed] : allowed_folders()) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".cpp" && extension != ".hpp") continue;
      std::ifstream file(entry.path());
      std::smatch match;
      for (std::string line; std::getline(file, line);) {
        if (std::regex_search(line, match, line_rule)) {
          found.push_back({fs::relative(entry.path(), root).string(), folder, match[1].str()});
        }
      }
    }
  }
  return found;
}

// Everything in `includes` that breaks the tables, one line each.
std::vector<std::string> violations(const std::vector<Include>& includes) {
  std::vector<std::string> broken;
  for (const Include& include : includes) {
    const std::string target = include.header.substr(0, include.header.find('/'));
    const auto& allowed = allowed_folders().at(include.folder);
    if (allowed_folders().contains(target) && target != include.folder && !allowed.contains(target)) {
      broken.push_back(include.file + " includes " + include.header + ": " + include.folder + " may not see " + target);
    }
    for (const auto& [prefix, places] : confined_headers()) {
      if (include.header.rfind(prefix, 0) != 0) continue;
      const std::string sub_folder = fs::path(include.file).parent_path().string();
      if (!places.contains(include.folder) && !places.contains(sub_folder) && !places.contains(include.file)) {
        broken.push_back(include.file + " includes " + include.header + ", which is confined elsewhere");
      }
    }
  }
  return broken;
}

TEST(House, IncludesFollowTheDirection) {
  const std::vector<Include> includes = includes_of(RIDGELINE_SOURCE_DIR);
  ASSERT_GT(includes.size(), 100u);
  EXPECT_EQ(violations(includes), std::vector<std::string>{});
}

// A cycle among folders within the folders of the house, as "a -> b -> a"; "" where there is none. Files that stand
// beside the sub-folders (a contract below them, a registry above them) do not count.
std::string cycle_among_sub_folders(const std::vector<Include>& includes) {
  std::map<std::string, std::set<std::string>> seen_by;
  for (const Include& include : includes) {
    const fs::path from = fs::path(include.file).parent_path();
    const fs::path to = fs::path(include.header).parent_path();
    if (from.has_parent_path() && to.has_parent_path() && from != to) seen_by[from.string()].insert(to.string());
  }
  std::set<std::string> done;
  std::vector<std::string> path;
  const std::function<std::string(const std::string&)> visit = [&](const std::string& folder) -> std::string {
    const bool again = std::ranges::find(path, folder) != path.end();
    path.push_back(folder);
    if (again) return fmt::format("{}", fmt::join(path, " -> "));
    for (const std::string& next : seen_by[folder]) {
      if (done.contains(next)) continue;
      if (std::string cycle = visit(next); !cycle.empty()) return cycle;
    }
    done.insert(folder);
    path.pop_back();
    return "";
  };
  for (const auto& [folder, seen] : std::map(seen_by)) {
    if (done.contains(folder)) continue;
    if (std::string cycle = visit(folder); !cycle.empty()) return cycle;
  }
  return "";
}

TEST(House, SubFoldersIncludeEachOtherInNoCycle) {
  EXPECT_EQ(cycle_among_sub_folders(includes_of(RIDGELINE_SOURCE_DIR)), "");
  EXPECT_EQ(cycle_among_sub_folders({{"s/a/x.cpp", "s", "s/b/y.hpp"}, {"s/b/y.cpp", "s", "s/a/x.hpp"}}),
            "s/a -> s/b -> s/a");
}

TEST(House, APublicHeaderShowsNoOneDnn) {
  for (const Include& include : includes_of(RIDGELINE_SOURCE_DIR)) {
    if (include.header.rfind("dnnl", 0) == 0 && include.file.ends_with(".hpp")) {
      EXPECT_EQ(include.file, "kernels/onednn.hpp");
    }
  }
}

TEST(House, AViolationIsFound) {
  EXPECT_EQ(violations({{"spaces/a.cpp", "spaces", "kernels/measure.hpp"}}).size(), 1u);
  EXPECT_EQ(violations({{"hwmodels/a.cpp", "hwmodels", "kernels/measure.hpp"}}).size(), 1u);
  EXPECT_EQ(violations({{"search/a.cpp", "search", "sqlite3.h"}}).size(), 1u);
  EXPECT_EQ(violations({{"spaces/counts.cpp", "spaces", "boost/graph/adjacency_list.hpp"}}).size(), 1u);
  EXPECT_EQ(violations({{"search/a.cpp", "search", "spaces/rng.hpp"}}).size(), 0u);
}

}  // namespace
