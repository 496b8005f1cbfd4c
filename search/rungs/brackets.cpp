#include "search/rungs/brackets.hpp"

#include <algorithm>
#include <cmath>

namespace ridgeline {
namespace {

constexpr double rounding = 1e-9;  // 81 / 3 must not come to 26: costs of thirds are no binary fractions

}  // namespace

double Halving::share(std::size_t from, std::size_t to) const {
  return eta > 0 ? std::pow(eta, -static_cast<double>(from - to)) : costs[from] / costs[to];
}

std::vector<std::size_t> bracket(const Halving& halving, std::size_t first, std::size_t candidates) {
  std::vector<std::size_t> sizes;
  for (std::size_t i = 0; i <= first; ++i) {
    const double left = static_cast<double>(candidates) * halving.share(first, first - i);
    sizes.push_back(std::max<std::size_t>(1, static_cast<std::size_t>(left * (1.0 + rounding))));
  }
  return sizes;
}

std::size_t hyperband_candidates(const Halving& halving, std::size_t first) {
  const auto brackets = static_cast<double>(halving.costs.size());
  const double wanted = brackets / static_cast<double>(first + 1) / halving.share(first, 0);
  return static_cast<std::size_t>(std::ceil(wanted * (1.0 - rounding)));
}

double bracket_cost(std::span<const double> costs, std::span<const std::size_t> sizes) {
  double sum = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) sum += static_cast<double>(sizes[i]) * costs[sizes.size() - 1 - i];
  return sum;
}

}  // namespace ridgeline
