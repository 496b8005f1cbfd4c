#include "experiments/bench/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace ridgeline {
namespace {

// JSON where it is JSON, else the word itself.
Json value_of(const std::string& text) {
  Json value = Json::parse(text, nullptr, false);
  return value.is_discarded() ? Json(text) : value;
}

std::string label_of(const BenchSetting& setting) {
  std::string label = setting.searcher;
  for (const auto& [key, value] : setting.options.items()) {
    label += fmt::format(" {}={}", key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  for (std::size_t i = 0; i < setting.warm_from.size(); ++i) {
    label += (i == 0 ? " warm-start=" : ",") + setting.warm_from[i];
  }
  return label;
}

BenchSetting parse_searcher(const std::string& text) {
  BenchSetting setting;
  std::istringstream words(text);
  words >> setting.searcher;
  find_searcher(setting.searcher, "--searcher");
  for (std::string word; words >> word;) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw ConfigError({"--searcher", text, "a name and options such as population=50", "'" + word + "'", ""});
    }
    if (setting.options.contains(word.substr(0, equals))) {
      throw ConfigError({"--searcher", text, "each option once", "'" + word.substr(0, equals) + "' twice",
                         fmt::format("several values: --grid {}.{}=20,50", setting.searcher, word.substr(0, equals))});
    }
    setting.options[word.substr(0, equals)] = value_of(word.substr(equals + 1));
  }
  return setting;
}

struct Grid {
  std::string text, searcher, option;
  std::vector<Json> values;
};

Grid parse_grid(const std::string& text) {
  const std::size_t equals = text.find('='), dot = text.find('.');
  Grid grid{text, {}, {}, {}};
  if (equals != std::string::npos && dot < equals) {
    grid.searcher = text.substr(0, dot);
    grid.option = text.substr(dot + 1, equals - dot - 1);
    std::istringstream values(text.substr(equals + 1));
    for (std::string value; std::getline(values, value, ',');) {
      if (!value.empty()) grid.values.push_back(value_of(value));
    }
  }
  if (grid.searcher.empty() || grid.option.empty() || grid.values.empty()) {
    throw ConfigError({"--grid", text, "SEARCHER.OPTION=VALUE,VALUE", "'" + text + "'",
                       "for example --grid nsga2.population=20,50,100"});
  }
  find_searcher(grid.searcher, "--grid", text);
  return grid;
}

// Every setting of the grid's searcher, once with each value.
void spread_out(const Grid& grid, std::vector<BenchSetting>& settings) {
  std::vector<BenchSetting> spread;
  bool any = false;
  for (BenchSetting& setting : settings) {
    if (setting.searcher != grid.searcher) {
      spread.push_back(std::move(setting));
      continue;
    }
    any = true;
    if (setting.options.contains(grid.option)) {
      throw ConfigError({"--grid", grid.text, "each option once", fmt::format("'{}' given before", grid.option),
                         "name all its values in one --grid"});
    }
    for (const Json& value : grid.values) {
      spread.push_back(setting);
      spread.back().options[grid.option] = value;
    }
  }
  if (!any) {
    throw ConfigError({"--grid", grid.text, "a searcher that is run", "'" + grid.searcher + "', which is not",
                       fmt::format("add --searcher {}", grid.searcher)});
  }
  settings = std::move(spread);
}

// Each setting and beside it the same with a warm start; those of cold searchers alone, unless they were `named`.
std::vector<BenchSetting> with_warm_ones(std::vector<BenchSetting> settings, std::span<const std::string> warm,
                                         bool named) {
  std::vector<BenchSetting> all;
  for (BenchSetting& setting : settings) {
    const bool cold = find_searcher(setting.searcher).cold;
    if (cold && named) {
      throw ConfigError({"--warm-start", "", "searchers that begin with candidates they are given",
                         "'" + setting.searcher + "'", "leave it or the warm start out"});
    }
    all.push_back(setting);
    if (cold) continue;
    setting.warm_from.assign(warm.begin(), warm.end());
    all.push_back(std::move(setting));
  }
  return all;
}

void make_once(const BenchProblem& problem, const BenchSetting& setting) {
  if (find_searcher(setting.searcher).rungs) {
    throw ConfigError({"--searcher", "", "searchers that ask for whole evaluations, which are what is counted here",
                       fmt::format("'{}'", setting.searcher),
                       "compare it by \"compare\" in a study, as the shipped study 'hyperband' does"});
  }
  SearcherSetup setup;
  setup.objectives.assign(problem.objectives().begin(), problem.objectives().end());
  setup.options = setting.options;
  setup.origin = "searcher " + setting.searcher;
  setup.costs = problem.costs_for(setup.options, setup.origin);
  make_searcher(setting.searcher, problem.space(), setup);
}

}  // namespace

BenchSettings bench_settings(const BenchProblem& problem, std::span<const std::string> names,
                             std::span<const std::string> grids, std::span<const std::string> warm) {
  BenchSettings result;
  for (const std::string& text : names) result.settings.push_back(parse_searcher(text));
  if (names.empty()) {
    for (const SearcherEntry& entry : searchers()) {
      if (entry.name == "exhaustive") continue;
      BenchSetting setting;
      setting.searcher = entry.name;
      try {
        make_once(problem, setting);
        result.settings.push_back(std::move(setting));
      } catch (const ConfigError& error) {
        result.skipped.emplace_back(entry.name, error.problems().front().text());
      }
    }
  }
  for (const std::string& text : grids) spread_out(parse_grid(text), result.settings);
  if (!warm.empty()) result.settings = with_warm_ones(std::move(result.settings), warm, !names.empty());
  if (std::ranges::find(result.settings, "random", &BenchSetting::searcher) == result.settings.end()) {
    result.settings.push_back({"random", Json::object(), ""});
  }
  std::vector<Problem> problems;
  std::vector<BenchSetting> distinct;
  for (BenchSetting& setting : result.settings) {
    setting.label = label_of(setting);
    if (std::ranges::find(distinct, setting.label, &BenchSetting::label) != distinct.end()) continue;
    try {
      make_once(problem, setting);
    } catch (const ConfigError& error) {
      problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    }
    distinct.push_back(std::move(setting));
  }
  if (!problems.empty()) throw ConfigError(std::move(problems));
  result.settings = std::move(distinct);
  return result;
}

}  // namespace ridgeline
