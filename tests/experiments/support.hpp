// What the tests of this folder share: a scratch folder, small studies on a shipped space, and a timer that is a
// function of the design, so that a search with timed objectives can be compared trial for trial.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "experiments/resources.hpp"
#include "experiments/store/store.hpp"
#include "experiments/study/study.hpp"
#include "spaces/counts.hpp"

namespace ridgeline::testing {

class Scratch {
 public:
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ridgeline_test_XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no scratch folder");
    folder_ = pattern;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::permissions(folder_, std::filesystem::perms::owner_all, ignored);
    std::filesystem::remove_all(folder_, ignored);
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return path(name);
  }

 private:
  std::filesystem::path folder_;
};

inline std::string data_folder() {
  const char* given = std::getenv("RIDGELINE_DATA");
  return given != nullptr ? given : std::string(RIDGELINE_SOURCE_DIR) + "/../shared/data";
}

inline Resources resources() { return {RIDGELINE_SOURCE_DIR, data_folder()}; }

inline std::string what_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

// A first column of a first row, read past the store.
inline std::string sql(const std::string& path, const std::string& query) {
  sqlite3* connection = nullptr;
  std::string answer;
  if (sqlite3_open(path.c_str(), &connection) == SQLITE_OK) {
    sqlite3_busy_timeout(connection, 5000);
    const auto take = [](void* text, int columns, char** values, char**) {
      if (columns > 0 && values[0] != nullptr) *static_cast<std::string*>(text) = values[0];
      return 0;
    };
    char* message = nullptr;
    if (sqlite3_exec(connection, query.c_str(), take, &answer, &message) != SQLITE_OK) {
      answer = std::string("error: ") + message;
      sqlite3_free(message);
    }
  }
  sqlite3_close(connection);
  return answer;
}

// A latency that depends on the function of the design and on nothing else.
inline Measurement fake_timing(const Design& design, const MeasureOptions& options) {
  const double work = static_cast<double>(macs(design.network));
  const double wobble = static_cast<double>(mix64(function_hash(design)) % 1000) / 1000.0;
  const double latency = 1e-4 + work * 1e-11 * (1.0 + 0.3 * wobble);
  Measurement measurement;
  measurement.samples_s = {latency * 1.01, latency, latency * 0.99};
  summarise(measurement, options.max_relative_mad);
  return measurement;
}

// A study of the 6,561 networks of nasbench_macro by sizes and a fake latency; needs no data.
inline Json small_study(const std::string& name) {
  return Json::parse(R"({
    "ridgeline_study": 1, "space": "nasbench_macro", "seed": 7, "threads": 2, "verify_front": false,
    "searcher": {"name": "random"}, "batch": 10, "stop": {"trials": 50},
    "objectives": [
      {"name": "parameters", "direction": "maximise", "from": {"evaluator": "count", "quantity": "parameters"}},
      {"name": "macs", "direction": "minimise", "from": {"evaluator": "count", "quantity": "macs"}}]
  })")
      .patch(Json::array({{{"op", "add"}, {"path", "/name"}, {"value", name}}}));
}

// The same with a timed objective.
inline Json timed_study(const std::string& name) {
  Json study = small_study(name);
  study["objectives"][1] =
      Json::parse(R"({"name": "latency_s", "unit": "s", "direction": "minimise", "from": {"evaluator": "measured"}})");
  return study;
}

inline StudyConfig config_of(const Json& study) { return parse_study(JsonDocument::from_value(study, "study.json")); }

inline StudyResult run_study(const Json& study, const std::string& database, StudyHooks hooks = {}) {
  if (!hooks.measure) hooks.measure = fake_timing;
  Store store(database, Store::Mode::write);
  return Study(config_of(study), resources(), store, "test", std::move(hooks)).run();
}

inline std::vector<Trial> trials_of(const std::string& database, const std::string& name) {
  const Store store(database, Store::Mode::read);
  return store.load_every_rung(store.find(name).value().id);
}

inline std::string describe_trial(const Trial& trial) {
  std::string text = std::to_string(trial.id) + " [";
  for (const auto gene : trial.genome.genes) text += std::to_string(gene);
  text += "] " + std::to_string(trial.function_hash) + " " + status_names()[static_cast<std::size_t>(trial.status)] +
          " " + fidelity_names()[static_cast<std::size_t>(trial.fidelity)] + " rung " + std::to_string(trial.rung);
  char number[40];
  for (const double value : trial.values) {
    std::snprintf(number, sizeof number, " %a", value);
    text += number;
  }
  std::snprintf(number, sizeof number, " v=%a ", trial.violation);
  return text + number + trial.reason;
}

inline void expect_same_trials(const std::vector<Trial>& a, const std::vector<Trial>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_EQ(describe_trial(a[i]), describe_trial(b[i]));
}

}  // namespace ridgeline::testing
