// "0.1.0 (a1b2c3d)": the release and the revision of the sources it was built from.
#pragma once

#include <string>

namespace ridgeline {

std::string program_version();

}  // namespace ridgeline
