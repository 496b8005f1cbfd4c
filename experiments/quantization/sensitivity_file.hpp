// Sensitivities as files: a CSV table, and the allocation problems that `ridgeline allocate` solves on it.
//
// The table has a row for each layer and format: layer, format, part, a column for each method, parameters, macs, bits,
// bit_operations, weight_bytes (SensitivityRow). Numbers are written so that they are read as they were.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/quantization/sensitivity.hpp"
#include "search/allocation/allocation.hpp"
#include "spaces/json_reader.hpp"

namespace ridgeline {

std::string sensitivity_csv(const Sensitivity& sensitivity);

// A table of this kind, or one that somebody else made (CSV, gzip or JSON, table_reader.hpp): layer, format (a number
// format), parameters, macs and columns of penalties are needed. Every column that is none of those above is a method.
// Without the others, the part is both, bits are those of the format's weights, and a layer's bytes are those of its
// elements. Nodes are not known, and the network's accuracy is 0. Throws ConfigError: as read_table; a cell that is no
// finite number or no format, a layer and format twice, different parts.
Sensitivity read_sensitivity(const std::string& path);

// The allocation problem of one method: a choice for each format, budgets weight_bytes, bit_operations and average_bits
// (a mean over weights, without scales) that have no limits yet. Throws ConfigError for a method that is not there.
AllocationProblem allocation_problem(const Sensitivity& sensitivity, std::string_view method);
// The same as a description of the table `csv` (experiments/allocation/README.md).
Json allocation_description(const Sensitivity& sensitivity, std::string_view method, const std::string& csv);

// Throws ConfigError at --problem as write_allocation_problems does, before anything is measured.
void check_problem_folder(const std::string& folder, std::span<const std::string> methods);

struct ProblemFiles {
  std::string csv;
  std::vector<std::string> problems;  // FOLDER/METHOD.json, one a method
};
// Writes sensitivity.csv and a problem for each method into `folder`, which is made. Throws ConfigError where it
// cannot, and where the folder holds files that this function did not write.
ProblemFiles write_allocation_problems(const std::string& folder, const Sensitivity& sensitivity);

// Throws ConfigError where no format has so few bits, or a word is no format, before anything is measured.
void check_target_bits(const SensitivityOptions& options, double average_bits);

// What greedy descent (search/allocation/greedy_allocation.hpp) makes of one method's penalties: the first of its steps
// that has at most so many bits a weight. A lower target takes more of the same steps, so that it never raises a
// layer's bits.
struct FormatPlan {
  std::string method;
  std::vector<std::string> formats;  // one a layer, in the order of Sensitivity::layers()
  double penalty = 0;                // what the method predicts: the sum of its penalties
  double average_bits = 0, weight_bytes = 0;
  double compression = 0;  // bytes of the kernels in f32 / weight_bytes
};
// One a method. Throws ConfigError where no plan is that small, with the smallest there is.
std::vector<FormatPlan> format_plans(const Sensitivity& sensitivity, double average_bits);
// Of a sensitivity that was measured on `network`.
PrecisionPlan precision_plan(const Network& network, const Sensitivity& sensitivity, const FormatPlan& plan);

}  // namespace ridgeline
