// How trials, measurements and environments are written in rows. For the store's own files.
#pragma once

#include <string>
#include <string_view>

#include "experiments/store/store.hpp"
#include "experiments/store/store_sqlite.hpp"

namespace ridgeline {

// "[1,0,2]", the canonical JSON of a genome. parse throws StoreError naming `origin`.
void write_genome(const Genome& genome, std::string& text);
Genome parse_genome(std::string_view text, const std::string& origin);

Environment parse_environment(const std::string& text);

std::string ops_text(const Measurement& measurement);
std::vector<OpTime> parse_ops(const std::string& text);

// Throws StoreError for a word that is none of ours.
Status parse_status(std::string_view word, const std::string& origin);
Fidelity parse_fidelity(std::string_view word, const std::string& origin);

// A row of "id, genome, function_hash, status, fidelity, violation, reason, rung" of trials; values are left empty.
Trial read_trial(const Statement& row, const std::string& origin);
// The two columns from `column` on; none where they are NULL.
std::optional<SavedEvaluations> read_saved(const Statement& row, int column);
// A row of the view of measurements that store_measurements.cpp selects.
MeasurementRecord read_measurement(const Statement& row);
std::string_view outcome_word(Measurement::Outcome outcome);

}  // namespace ridgeline
