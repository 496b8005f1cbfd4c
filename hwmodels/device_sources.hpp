// Where the numbers of a device file come from. Internal to hwmodels/.
#pragma once

#include <span>
#include <string>

#include "spaces/json_reader.hpp"

namespace ridgeline {

// Every number that was read (by its path, "memory.L1.bytes") must be named under "sources", itself or through a
// parent, and every source must name a number. `required` false: sources are only checked to be texts.
void check_sources(JsonReader& root, std::span<const std::string> numbers, bool required);

}  // namespace ridgeline
