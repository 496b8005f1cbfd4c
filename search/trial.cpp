#include "search/trial.hpp"

#include <array>

namespace ridgeline {

std::span<const std::string> status_names() {
  static const std::array<std::string, 5> names = {"ok", "infeasible", "unsupported", "unstable", "failed"};
  return names;
}

std::span<const std::string> fidelity_names() {
  static const std::array<std::string, 3> names = {"analytic", "predicted", "measured"};
  return names;
}

}  // namespace ridgeline
