#include "experiments/store/store_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace ridgeline {
namespace {

std::size_t index_of(std::string_view word, std::span<const std::string> names, const std::string& origin) {
  const auto it = std::find(names.begin(), names.end(), word);
  if (it == names.end()) {
    throw StoreError(fmt::format("{}: '{}' is no word of this program's; the database was changed by another program",
                                 origin, word));
  }
  return static_cast<std::size_t>(it - names.begin());
}

constexpr std::array outcome_words = {"ok", "unstable", "unsupported"};  // in the order of Measurement::Outcome

}  // namespace

std::optional<SavedEvaluations> read_saved(const Statement& row, int column) {
  if (!row.maybe_number(column) || !row.maybe_number(column + 1)) return std::nullopt;
  return SavedEvaluations{row.integer(column), row.integer(column + 1)};
}

void write_genome(const Genome& genome, std::string& text) {
  text.resize(2 + 6 * genome.genes.size());
  char* at = text.data();
  char* const end = at + text.size();
  *at++ = '[';
  for (std::size_t i = 0; i < genome.genes.size(); ++i) {
    if (i > 0) *at++ = ',';
    at = std::to_chars(at, end, genome.genes[i]).ptr;
  }
  *at++ = ']';
  text.resize(static_cast<std::size_t>(at - text.data()));
}

Genome parse_genome(std::string_view text, const std::string& origin) {
  Genome genome;
  const char* at = text.data();
  const char* const end = at + text.size();
  bool good = text.size() >= 2 && text.front() == '[' && text.back() == ']';
  if (good && text.size() > 2) {
    genome.genes.reserve(text.size() / 2);
    do {
      std::uint16_t gene = 0;
      const auto [next, error] = std::from_chars(at + 1, end, gene);
      good = error == std::errc{} && (*next == ',' || *next == ']');
      genome.genes.push_back(gene);
      at = next;
    } while (good && *at == ',');
    good = good && at == end - 1;
  }
  if (!good) throw StoreError(fmt::format("{}: '{}' is no genome; the database is damaged", origin, text));
  return genome;
}

Environment parse_environment(const std::string& text) {
  try {
    const Json value = Json::parse(text);
    Environment environment;
    value.at("cpu_model").get_to(environment.cpu_model);
    value.at("isa").get_to(environment.isa);
    value.at("logical_cpus").get_to(environment.logical_cpus);
    value.at("governor").get_to(environment.governor);
    value.at("os").get_to(environment.os);
    value.at("onednn_version").get_to(environment.onednn_version);
    value.at("compiler").get_to(environment.compiler);
    for (const Json& cache : value.at("caches")) {
      environment.caches.push_back({cache.at("level"), cache.at("bytes"), cache.at("shared_by")});
    }
    return environment;
  } catch (const Json::exception& error) {
    throw StoreError(fmt::format("a stored environment cannot be read ({}); the database is damaged", error.what()));
  }
}

std::string ops_text(const Measurement& measurement) {
  Json ops = Json::array();
  for (const OpTime& op : measurement.ops) {
    ops.push_back({{"node", op.step.node},
                   {"fused", op.step.fused},
                   {"kind", op.step.kind},
                   {"format", op.step.format},
                   {"implementation", op.step.implementation},
                   {"signature", op.step.signature},
                   {"macs", op.step.macs},
                   {"median_s", op.median_s}});
  }
  return ops.dump();
}

std::vector<OpTime> parse_ops(const std::string& text) {
  std::vector<OpTime> ops;
  try {
    for (const Json& value : Json::parse(text)) {
      OpTime op;
      value.at("node").get_to(op.step.node);
      value.at("fused").get_to(op.step.fused);
      value.at("kind").get_to(op.step.kind);
      value.at("format").get_to(op.step.format);
      value.at("implementation").get_to(op.step.implementation);
      value.at("signature").get_to(op.step.signature);
      value.at("macs").get_to(op.step.macs);
      value.at("median_s").get_to(op.median_s);
      ops.push_back(std::move(op));
    }
  } catch (const Json::exception& error) {
    throw StoreError(fmt::format("stored operator times cannot be read ({}); the database is damaged", error.what()));
  }
  return ops;
}

Status parse_status(std::string_view word, const std::string& origin) {
  if (word == "ok") return Status::ok;
  return static_cast<Status>(index_of(word, status_names(), origin));
}

Fidelity parse_fidelity(std::string_view word, const std::string& origin) {
  return static_cast<Fidelity>(index_of(word, fidelity_names(), origin));
}

Trial read_trial(const Statement& row, const std::string& origin) {
  Trial trial;
  trial.id = row.integer(0);
  trial.genome = parse_genome(row.view(1), origin);
  trial.function_hash = row.bits(2);
  trial.status = parse_status(row.view(3), origin);
  trial.fidelity = parse_fidelity(row.view(4), origin);
  trial.violation = row.number(5);
  trial.reason = row.view(6);
  trial.rung = static_cast<int>(row.integer(7));
  return trial;
}

MeasurementRecord read_measurement(const Statement& row) {
  MeasurementRecord record;
  record.trial_id = row.maybe_number(0) ? row.integer(0) : -1;
  record.objective = row.view(1);
  record.purpose = row.view(2);
  record.function_hash = row.bits(3);
  record.protocol = row.view(4);
  record.environment = row.view(5);
  record.measured_utc = row.view(6);
  Measurement& measurement = record.measurement;
  const auto outcome = std::find(outcome_words.begin(), outcome_words.end(), row.view(7));
  if (outcome == outcome_words.end()) throw StoreError("a stored outcome is no word of this program's");
  measurement.outcome = static_cast<Measurement::Outcome>(outcome - outcome_words.begin());
  measurement.reason = row.view(8);
  record.predicted = row.maybe_number(9);
  measurement.median_s = row.number(10);
  measurement.ci_low_s = row.number(11);
  measurement.ci_high_s = row.number(12);
  measurement.mad_s = row.number(13);
  measurement.samples_s = row.numbers(14);
  if (const std::string ops = row.text(15); !ops.empty()) measurement.ops = parse_ops(ops);
  measurement.sum_of_ops_s = row.number(16);
  measurement.arena_bytes = row.integer(17);
  measurement.weight_bytes = row.integer(18);
  return record;
}

std::string_view outcome_word(Measurement::Outcome outcome) { return outcome_words[static_cast<std::size_t>(outcome)]; }

}  // namespace ridgeline
