// What storing, resuming and reading a study cost.
//   cmake --preset release -DRIDGELINE_BENCHMARKS=ON && ninja -C build/release bench_store &&
//   build/release/bin/bench_store
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "experiments/store/store.hpp"
#include "experiments/study/study.hpp"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

double seconds_of(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "ridgeline_bench_XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ~Folder() { fs::remove_all(path_); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return path(name);
  }
  std::string path(const std::string& name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

StudyRecord record() {
  StudyRecord record;
  record.name = "bench";
  record.objectives = {{"accuracy", "%", Direction::maximise, std::nullopt, false},
                       {"latency_s", "s", Direction::minimise, std::nullopt, false}};
  return record;
}

// Appending batches of 100 trials with two values and a checkpoint, as an NSGA-II of population 100 does.
void append(benchmark::State& state) {
  const Folder folder;
  Store store(folder.path("a.db"), Store::Mode::write);
  const StudyId study = store.open_study(record()).id;
  Rng rng(1);
  Json population = Json::array();
  for (int i = 0; i < 100; ++i) population.push_back(std::string(20, 'x'));
  std::int64_t id = 0;
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<Trial> trials(100);
    for (Trial& trial : trials) {
      trial.id = id++;
      for (int gene = 0; gene < 46; ++gene) trial.genome.genes.push_back(static_cast<std::uint16_t>(rng.below(4)));
      trial.function_hash = rng.next();
      trial.values = {-rng.uniform(), rng.uniform()};
    }
    const Checkpoint checkpoint{id / 100, id, {"nsga2/1", Json{{"population", population}}}};
    state.ResumeTiming();
    store.append(study, trials, {}, checkpoint);
  }
  state.counters["us_a_trial"] = benchmark::Counter(static_cast<double>(state.iterations()) * 100e-6,
                                                    benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(append)->Iterations(1000)->UseRealTime();

// nasbench_macro with eleven layers and elastic widths: 177,147 macro architectures with a made-up table of their
// accuracies, each in 32,768 widths, so that a search does not run out of new candidates. The identity is replaced by a
// third block, because architectures that differ in the place of identities are one candidate, and this measures what
// storing costs, not how many duplicates there are.
std::string macro_space(const Folder& folder, std::string& table) {
  std::ifstream file(std::string(RIDGELINE_SOURCE_DIR) + "/spaces/library/nasbench_macro.json");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto replace = [&](const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    if (at == std::string::npos) std::abort();
    text.replace(at, from.size(), to);
  };
  replace("\"name\": \"nasbench_macro\"", "\"name\": \"macro11\"");
  replace("\"repeat\": 8", "\"repeat\": 11");
  replace("\"[2, 3, 3][stage]\"", "\"[3, 4, 4][stage]\"");
  replace("[0, 2, 5][stage]", "[0, 3, 7][stage]");
  replace("\"[64, 128, 256][stage]\"", "\"[64, 128, 256][stage] - width[stage]\"");
  replace("\"choices\": [\"id\",", "\"choices\": [\"ir_3x3_t6\",");
  replace("\"id\": [",
          "\"ir_3x3_t6\": [{\"call\": \"inverted_residual\", \"out\": \"out\", \"kernel\": 3, \"expand\": 6, "
          "\"stride\": \"stride\"}], \"ir_none\": [");
  Json widths = Json::array();
  for (int i = 0; i < 32; ++i) widths.push_back(i);
  replace("\"dimensions\": [",
          "\"dimensions\": [" +
              Json{{"name", "width"}, {"repeat", 3}, {"index", "s"}, {"ordered", true}, {"choices", widths}}.dump() +
              ",");
  std::string rows = "arch,acc\n";
  for (int i = 0; i < 177'147; ++i) {
    std::string arch;
    double accuracy = 50.0;
    for (int digit = 0, rest = i; digit < 11; ++digit, rest /= 3) {
      arch += static_cast<char>('0' + rest % 3);
      accuracy += static_cast<double>(rest % 3) * (1.0 + 0.1 * digit);
    }
    rows += arch + "," +
            std::to_string(accuracy + static_cast<double>(mix64(static_cast<std::uint64_t>(i)) % 1000) / 500) + "\n";
  }
  folder.write("macro11.csv", rows);
  table = folder.write("table.json", R"({
    "ridgeline_table": 1, "name": "macro11", "file": "macro11.csv", "space": "macro11", "duplicates": "first", "ignored": ["width"],
    "key": [{"column": "arch", "genes": ["layer"], "digits": true, "words": {"0": "ir_3x3_t6", "1": "ir_3x3_t3", "2": "ir_5x5_t6"}}],
    "values": {"accuracy": {"column": "acc", "unit": "%", "direction": "maximise"}}})");
  return folder.write("macro11.json", text);
}

// A whole search of population 100 by a table and an analytic model, every trial stored. NSGA-II proposes many
// candidates again once its population has converged: they are answered without being evaluated or stored ("asked").
void search(benchmark::State& state, const char* searcher) {
  const Folder folder;
  std::string table;
  const std::string space = macro_space(folder, table);
  const Json study = {{"ridgeline_study", 1},
                      {"name", "bench"},
                      {"space", space},
                      {"searcher", {{"name", searcher}, {"population", 100}}},
                      {"batch", 100},
                      {"verify_front", false},
                      {"objectives",
                       {{{"name", "accuracy"},
                         {"direction", "maximise"},
                         {"from", {{"evaluator", "table"}, {"table", table}, {"column", "accuracy"}}}},
                        {{"name", "latency_s"},
                         {"direction", "minimise"},
                         {"from", {{"evaluator", "cost"}, {"device", "raspberry_pi_4"}}}}}},
                      {"stop", {{"trials", 20000}}}};
  const Resources resources(RIDGELINE_SOURCE_DIR, "");
  for (auto _ : state) {
    fs::remove(folder.path("a.db"));
    Store store(folder.path("a.db"), Store::Mode::write);
    Study run(parse_study(JsonDocument::from_value(study, "bench.json")), resources, store, "bench");
    StudyResult result;
    const double seconds = seconds_of([&] { result = run.run(); });
    state.SetIterationTime(seconds);
    const auto stored = static_cast<double>(result.trials);
    state.counters["trials_a_s"] = stored / seconds;
    state.counters["asked_a_s"] = static_cast<double>(result.trials + result.saved.total()) / seconds;
    for (const PhaseTime& phase : result.phases) state.counters[phase.phase + "_us"] = phase.seconds / stored * 1e6;
  }
}
BENCHMARK_CAPTURE(search, evolution, "regularized-evolution")->Iterations(1)->UseManualTime()->Unit(benchmark::kSecond);
BENCHMARK_CAPTURE(search, nsga2, "nsga2")->Iterations(1)->UseManualTime()->Unit(benchmark::kSecond);

// A study of 1,000,000 trials: continued, and its front read by another process.
void million(benchmark::State& state) {
  const Folder folder;
  Json wide = Json::parse(R"({
    "ridgeline_space": 1, "name": "wide", "about": "8,000,000 small networks",
    "dimensions": [{"name": "c", "repeat": 3, "index": "i", "ordered": true}],
    "network": {"input": [3, 4, 4], "body": [{"op": "conv2d", "channels": "c[0]", "kernel": 1},
      {"op": "conv2d", "channels": "c[1]", "kernel": 1}, {"op": "conv2d", "channels": "c[2]", "kernel": 1}]}})");
  for (int channels = 1; channels <= 200; ++channels) wide["dimensions"][0]["choices"].push_back(channels);
  const std::string space = folder.write("wide.json", wide.dump());
  Json study = {{"ridgeline_study", 1},
                {"name", "bench"},
                {"space", space},
                {"searcher", {{"name", "random"}}},
                {"batch", 10000},
                {"verify_front", false},
                {"objectives",
                 {{{"name", "parameters"},
                   {"direction", "maximise"},
                   {"from", {{"evaluator", "count"}, {"quantity", "parameters"}}}},
                  {{"name", "peak_bytes"},
                   {"direction", "minimise"},
                   {"from", {{"evaluator", "count"}, {"quantity", "peak_bytes"}}}}}},
                {"stop", {{"trials", 1'000'000}}}};
  const Resources resources(RIDGELINE_SOURCE_DIR, "");
  const auto run = [&](std::int64_t budget) {
    study["stop"]["trials"] = budget;
    Store store(folder.path("a.db"), Store::Mode::write);
    return Study(parse_study(JsonDocument::from_value(study, "bench.json")), resources, store, "bench").run();
  };
  state.counters["made_s"] = seconds_of([&] { run(1'000'000); });
  for (auto _ : state) {
    const double resume = seconds_of([&] { run(1'000'000); });
    std::size_t members = 0;
    const double front = seconds_of([&] {
      const Store reader(folder.path("a.db"), Store::Mode::read);
      members = reader.front(reader.find("bench")->id, Fidelity::analytic).size();
    });
    state.SetIterationTime(resume);
    state.counters["resume_s"] = resume;
    state.counters["front_s"] = front;
    state.counters["front"] = static_cast<double>(members);
    state.counters["bytes_a_trial"] = static_cast<double>(fs::file_size(folder.path("a.db"))) / 1e6;
  }
}
BENCHMARK(million)->Iterations(1)->UseManualTime()->Unit(benchmark::kSecond);

}  // namespace
}  // namespace ridgeline
