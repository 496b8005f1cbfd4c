#include "experiments/report/narrowed_space.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "experiments/report/report_text.hpp"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t least_trials = 30;

// The study's space as a file in the folder of `out` names it.
std::string name_from(const std::string& space, const std::string& out, const Resources& resources) {
  const std::string path = resources.space(space);
  if (path != space) return space;  // shipped
  const fs::path folder = fs::absolute(out).parent_path();
  std::string relative = fs::relative(fs::absolute(path), folder).string();
  if (relative.empty()) return fs::absolute(path).string();
  const bool looks_like_path = relative.find('/') != std::string::npos || relative.ends_with(".json");
  return looks_like_path ? relative : "./" + relative;
}

}  // namespace

FittedRows fitted_rows(const Store& store, const StudyRecord& record, std::span<const Trial> trials) {
  FittedRows found;
  for (const Trial& trial : trials) {
    if (trial.status == Status::ok) found.fidelity = std::max(found.fidelity, trial.fidelity);
  }
  std::size_t ok = 0;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    if (!trials[i].has_values() || trials[i].fidelity != found.fidelity) continue;
    found.rows.push_back(i);
    ok += trials[i].status == Status::ok ? 1 : 0;
  }
  if (ok >= least_trials) return found;
  throw ConfigError(
      {store.path(), record.name,
       fmt::format("at least {} ok trials of the highest fidelity to fit predictors on", least_trials),
       std::to_string(ok),
       fmt::format("search on: ridgeline resume {} --trials {} --db {}", shell_quoted(record.name),
                   record.trials + static_cast<std::int64_t>(least_trials - ok), shell_quoted(store.path()))});
}

Json narrowing_file(const StudyConfig& config, const SearchSpace& start, const KeptGenes& kept, const std::string& out,
                    const std::string& how, const Resources& resources) {
  SpaceOptions whole = config.space_options;
  whole.choices.clear();
  Json file{{"ridgeline_space", 1},
            {"name", fs::path(out).stem().string()},
            {"about", start.name() + ", " + how},
            {"narrows", name_from(config.space, out, resources)},
            {"choices", choices_left(resources.load_space(config.space, whole), start, kept)}};
  if (!whole.parameters.empty()) file["parameters"] = whole.parameters;
  return file;
}

Json choices_left(const SearchSpace& file, const SearchSpace& start, const KeptGenes& kept) {
  struct Declared {
    std::vector<std::pair<std::string, Json>> elements;  // full name, list
    bool narrower = false, same = true;
  };
  std::map<std::string, Declared> all;
  for (std::size_t dim = 0; dim < start.dims().size(); ++dim) {
    const Dimension& dimension = start.dims()[dim];
    Json list = Json::array();
    for (const std::uint16_t gene : kept[dim]) list.push_back(dimension.choices[gene]);
    Declared& declared = all[dimension.name.substr(0, dimension.name.find('['))];
    declared.narrower = declared.narrower || list.size() < file.dims()[dim].choices.size();
    declared.same = declared.same && (declared.elements.empty() || declared.elements.front().second == list);
    declared.elements.emplace_back(dimension.name, std::move(list));
  }
  Json choices = Json::object();
  for (const auto& [name, declared] : all) {
    if (!declared.narrower) continue;
    if (declared.same) {
      choices[name] = declared.elements.front().second;
    } else {
      for (const auto& [full, list] : declared.elements) choices[full] = list;
    }
  }
  return choices;
}

}  // namespace ridgeline
