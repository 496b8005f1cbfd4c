// An allocation problem from files: a small JSON description of tables that the user has (CSV, gzip or JSON, as
// table_reader.hpp reads them). experiments/allocation/README.md describes every key.
#pragma once

#include <string>
#include <vector>

#include "experiments/resources.hpp"
#include "search/allocation/allocation.hpp"

namespace ridgeline {

struct AllocationFile {
  std::string name, about;
  AllocationProblem problem;  // checked
  bool penalties = true;      // false: none is known, which only AllocationUse::sums allows
};

// What a file is read for: to allocate, or to add up what a given plan costs. Sums need no penalties, and their costs
// may be negative: differences from a base that is a layer of one choice.
enum class AllocationUse { allocate, sums };

// `limits`: "NAME=LIMIT" each, in place of the file's. Throws ConfigError: a bad description, a missing file or column,
// a cell that is no finite number, a choice without a penalty or a cost, or with two; whatever check_allocation
// refuses; a limit of an unknown budget.
AllocationFile load_allocation(const std::string& path, const Resources& resources,
                               const std::vector<std::string>& limits = {},
                               AllocationUse use = AllocationUse::allocate);

// `*` in a pattern stands for any text, also none.
bool matches(std::string_view pattern, std::string_view text);

}  // namespace ridgeline
