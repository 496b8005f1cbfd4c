#include "search/trial.hpp"

#include <array>
#include <cmath>

namespace ridgeline {

std::span<const std::string> status_names() {
  static const std::array<std::string, 5> names = {"ok", "infeasible", "unsupported", "unstable", "failed"};
  return names;
}

std::span<const std::string> fidelity_names() {
  static const std::array<std::string, 3> names = {"analytic", "predicted", "measured"};
  return names;
}

double limit_excess(const Objective& objective, double natural_value) {
  if (!objective.limit) return 0.0;
  const double excess =
      minimised(natural_value, objective.direction) - minimised(*objective.limit, objective.direction);
  const double scale = std::abs(*objective.limit);
  return excess > 0.0 ? excess / (scale > 0.0 ? scale : 1.0) : 0.0;
}

}  // namespace ridgeline
