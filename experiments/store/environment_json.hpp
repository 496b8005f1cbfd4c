// An environment as it is written to databases, device files and reports.
#pragma once

#include "kernels/environment.hpp"
#include "spaces/json_reader.hpp"

namespace ridgeline {

// Every field of the environment, and its fingerprint.
Json environment_json(const Environment& environment);

}  // namespace ridgeline
