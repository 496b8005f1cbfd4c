// Timings with their samples, and the layer latencies of calibration.

#include <fmt/format.h>

#include <cmath>

#include "experiments/store/store.hpp"
#include "experiments/store/store_impl.hpp"
#include "experiments/store/store_rows.hpp"

namespace ridgeline {

void Store::Impl::insert_measurement(const HeldStudy& study, const MeasurementRecord& record) {
  const Measurement& measurement = record.measurement;
  const std::string ops = measurement.ops.empty() ? std::string() : ops_text(measurement);
  const std::string measured = record.measured_utc.empty() ? utc_now() : record.measured_utc;
  Statement& row = database.prepared(
      "INSERT INTO measurements (study, trial, objective, purpose, function_hash, protocol, environment, measured_utc, "
      "outcome, reason, predicted, median_s, ci_low_s, ci_high_s, mad_s, samples_s, ops, sum_of_ops_s, arena_bytes, "
      "weight_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  row.add(study.id);
  if (record.trial_id >= 0) {
    row.add(record.trial_id);
  } else {
    row.add(std::nullopt);
  }
  row.add(record.objective).add(record.purpose).add(record.function_hash).add(record.protocol);
  row.add(study.environment).add(measured).add(outcome_word(measurement.outcome)).add(measurement.reason);
  row.add(record.predicted).add(measurement.median_s).add(measurement.ci_low_s).add(measurement.ci_high_s);
  row.add(measurement.mad_s).add(std::span<const double>(measurement.samples_s)).add(ops);
  row.add(measurement.sum_of_ops_s).add(measurement.arena_bytes).add(measurement.weight_bytes);
  row.run();
}

std::vector<MeasurementRecord> Store::measurements(StudyId study) const {
  Statement& rows = impl_->database.prepared(
      "SELECT m.trial, m.objective, m.purpose, m.function_hash, m.protocol, e.fingerprint, m.measured_utc, m.outcome, "
      "m.reason, m.predicted, m.median_s, m.ci_low_s, m.ci_high_s, m.mad_s, m.samples_s, m.ops, m.sum_of_ops_s, "
      "m.arena_bytes, m.weight_bytes FROM measurements m JOIN environments e ON e.id = m.environment WHERE m.study = ? "
      "ORDER BY m.id");
  rows.add(study);
  std::vector<MeasurementRecord> records;
  while (rows.step()) records.push_back(read_measurement(rows));
  return records;
}

std::optional<MeasurementRecord> Store::reusable(std::uint64_t function_hash, const std::string& protocol,
                                                 std::optional<StudyId> study) const {
  if (impl_->studies.empty()) return std::nullopt;
  Statement& row = impl_->database.prepared(
      "SELECT m.trial, m.objective, m.purpose, m.function_hash, m.protocol, e.fingerprint, m.measured_utc, m.outcome, "
      "m.reason, m.predicted, m.median_s, m.ci_low_s, m.ci_high_s, m.mad_s, m.samples_s, m.ops, m.sum_of_ops_s, "
      "m.arena_bytes, m.weight_bytes FROM measurements m JOIN environments e ON e.id = m.environment WHERE "
      "m.function_hash = ? AND m.protocol = ? AND m.environment = ? AND m.outcome = 'ok' AND m.purpose <> 'reuse' "
      "AND (m.study = ? OR ?) ORDER BY m.id DESC LIMIT 1");
  row.add(function_hash).add(protocol).add(impl_->studies.back().environment).add(study.value_or(0));
  row.add(!study.has_value());
  if (!row.step()) return std::nullopt;
  MeasurementRecord record = read_measurement(row);
  row.reset();
  return record;
}

void Store::put_layers(const std::string& device, std::span<const LayerLatency> layers) {
  Transaction transaction(impl_->database);
  for (const LayerLatency& layer : layers) {
    impl_->database.prepared("INSERT OR REPLACE INTO layer_latency VALUES (?, ?, ?, ?, ?, ?, ?)")
        .add(device)
        .add(layer.signature)
        .add(layer.format)
        .add(layer.threads)
        .add(layer.latency_s)
        .add(layer.mad_s)
        .add(layer.samples)
        .run();
  }
  transaction.commit();
}

std::vector<LayerLatency> Store::layers(const std::string& device) const {
  Statement& rows = impl_->database.prepared(
      "SELECT signature, format, threads, latency_s, mad_s, samples FROM layer_latency WHERE device = ? ORDER BY "
      "signature, format, threads");
  rows.add(device);
  std::vector<LayerLatency> layers;
  while (rows.step()) {
    layers.push_back({rows.text(0), rows.text(1), static_cast<int>(rows.integer(2)), rows.number(3), rows.number(4),
                      rows.integer(5)});
  }
  return layers;
}

}  // namespace ridgeline
