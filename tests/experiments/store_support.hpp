// Made-up studies, trials and timings for the tests of the store.
#pragma once

#include <set>

#include "tests/experiments/support.hpp"

namespace ridgeline::testing {

inline Environment some_environment() {
  Environment environment;
  environment.cpu_model = "Test CPU";
  environment.isa = "avx2";
  environment.logical_cpus = 2;
  environment.caches = {{1, 32768, 1}, {3, 1 << 20, 2}};
  environment.governor = "unknown";
  environment.os = "6.1";
  environment.onednn_version = "2.6.0";
  environment.compiler = "GCC 12";
  return environment;
}

inline StudyRecord some_record(const std::string& name) {
  StudyRecord record;
  record.name = name;
  record.space_name = "toy";
  record.config_hash = 0x0123456789abcdef;
  record.space_fingerprint = 0xfedcba9876543210;  // above the largest signed integer
  record.seed = 0xffffffffffffffff;
  record.config = R"({"name":"one"})";
  record.command = "ridgeline search one.json --set 'x=\"y\"'";
  record.program_version = "0.1.0";
  record.objectives = {{"accuracy", "%", Direction::maximise, std::nullopt, false},
                       {"latency_s", "s", Direction::minimise, 0.9, false},
                       {"parameters", "", Direction::minimise, 5e6, true}};
  record.environment = some_environment();
  return record;
}

// Trials of every status and fidelity, with equal values among them.
inline std::vector<Trial> random_trials(std::size_t n, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<Trial> trials;
  for (std::size_t i = 0; i < n; ++i) {
    Trial trial;
    trial.id = static_cast<std::int64_t>(i);
    for (int gene = 0; gene < 8; ++gene) trial.genome.genes.push_back(static_cast<std::uint16_t>(rng.below(300)));
    trial.function_hash = rng.next();
    trial.status = static_cast<Status>(rng.below(8) < 6 ? 0 : rng.below(5));
    trial.fidelity = static_cast<Fidelity>(rng.below(3));
    if (trial.status == Status::ok || trial.status == Status::infeasible) {
      trial.values = {-static_cast<double>(rng.below(40)), static_cast<double>(rng.below(40)) / 7.0, rng.uniform()};
    }
    if (trial.status == Status::infeasible) trial.violation = rng.uniform();
    if (trial.status != Status::ok) trial.reason = "it's \"so\"";
    trials.push_back(std::move(trial));
  }
  return trials;
}

inline MeasurementRecord some_measurement() {
  MeasurementRecord record;
  record.trial_id = 3;
  record.function_hash = 0xfedcba9876543210;
  record.protocol = R"({"threads":1})";
  record.objective = "latency_s";
  record.purpose = "search";
  record.predicted = 0.0123;
  Measurement& measurement = record.measurement;
  measurement.samples_s = {0.011, 0.0121234567890123, 0.013};
  measurement.median_s = 0.0121234567890123;
  measurement.ci_low_s = 0.011;
  measurement.ci_high_s = 0.013;
  measurement.mad_s = 0.001;
  measurement.arena_bytes = 1000;
  measurement.weight_bytes = 2000;
  OpTime op{};
  op.step.node = 2;
  op.step.fused = {3, 4};
  op.step.kind = "conv2d";
  op.step.implementation = "jit";
  op.step.macs = 12345;
  op.median_s = 0.001;
  measurement.ops = {op};
  measurement.sum_of_ops_s = 0.001;
  return record;
}

// The small database that is kept for each schema version.
inline void write_golden(const std::string& path) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::filesystem::remove(path);
  Store store(path, Store::Mode::write);
  const StudyId study = store.open_study(some_record("golden")).id;
  const MeasurementRecord timing = some_measurement();
  store.append(study, random_trials(12, 11), std::span(&timing, 1),
               Checkpoint{1, 0, {"s/1", Json{{"position", 12}}}, SavedEvaluations{1, 2}});
  store.set_saved(study, {3, 4});
  const LayerLatency layer{"conv 3x3", "f32", 1, 0.5, 0.01, 20};
  store.put_layers("host", std::span(&layer, 1));
  store.set_state(study, "done");
}

}  // namespace ridgeline::testing
