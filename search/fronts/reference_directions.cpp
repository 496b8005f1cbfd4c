#include "search/fronts/reference_directions.hpp"

namespace ridgeline {
namespace {

void extend(std::size_t objectives, std::size_t divisions, std::size_t left, std::vector<double>& direction,
            std::vector<std::vector<double>>& directions) {
  if (direction.size() + 1 == objectives) {
    direction.push_back(static_cast<double>(left) / static_cast<double>(divisions));
    directions.push_back(direction);
    direction.pop_back();
    return;
  }
  for (std::size_t taken = 0; taken <= left; ++taken) {
    direction.push_back(static_cast<double>(taken) / static_cast<double>(divisions));
    extend(objectives, divisions, left - taken, direction, directions);
    direction.pop_back();
  }
}

}  // namespace

std::vector<std::vector<double>> reference_directions(std::size_t objectives, std::size_t divisions) {
  std::vector<std::vector<double>> directions;
  if (divisions == 0) return {std::vector<double>(objectives, 1.0 / static_cast<double>(objectives))};
  std::vector<double> direction;
  extend(objectives, divisions, divisions, direction, directions);
  return directions;
}

std::size_t divisions_within(std::size_t objectives, std::size_t most) {
  if (objectives < 2) return 0;
  // There are binomial(divisions + objectives - 1, divisions) of them.
  std::size_t divisions = 0;
  double count = 1;
  for (;;) {
    count *= static_cast<double>(divisions + objectives) / static_cast<double>(divisions + 1);
    if (count > static_cast<double>(most) + 0.5) return divisions;
    ++divisions;
  }
}

}  // namespace ridgeline
