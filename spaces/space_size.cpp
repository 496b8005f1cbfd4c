// How many distinct candidates a space has.
//
// Dimensions that no condition connects are independent, so sizes multiply over the connected groups. In a group only
// the genes that some condition reads decide which of the others are active: for every combination of those the others
// count with all their choices when active and with one when not, and the combinations add up.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "spaces/search_space_impl.hpp"

namespace ridgeline {
namespace {

constexpr std::uint64_t most_enumerated = std::uint64_t{1} << 40;
constexpr double most_work = 4e6;  // combinations times dimensions, over all groups: about a second at worst

struct Group {
  std::vector<std::uint32_t> members, deciders;
};

std::vector<Group> connected_groups(const SearchSpace::Impl& space) {
  std::vector<std::uint32_t> parent(space.dims.size());
  std::iota(parent.begin(), parent.end(), 0U);
  const auto root = [&](std::uint32_t i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
  };
  std::vector<bool> decides(space.dims.size(), false);
  for (std::uint32_t i = 0; i < space.dims.size(); ++i) {
    for (const std::uint32_t read : space.reads[i]) {
      parent[root(i)] = root(read);
      decides[read] = true;
    }
  }
  std::vector<Group> groups(space.dims.size());
  for (std::uint32_t i = 0; i < space.dims.size(); ++i) {
    Group& group = groups[root(i)];
    group.members.push_back(i);
    if (decides[i]) group.deciders.push_back(i);
  }
  std::erase_if(groups, [](const Group& group) { return group.members.empty(); });
  return groups;
}

double raw_log10(const SearchSpace::Impl& space, const Group& group) {
  double sum = 0.0;
  for (const std::uint32_t i : group.members) sum += std::log10(static_cast<double>(space.choices(i)));
  return sum;
}

// log10 of the candidates that agree with `genome` on the deciders; minus infinity when that is no normal combination.
double log10_of(const SearchSpace::Impl& space, const Group& group, const std::vector<bool>& is_decider,
                const Genome& genome, std::vector<bool>& active) {
  Genome settled = genome;
  for (const std::uint32_t i : group.members) active[i] = true;
  space.settle(settled, &active);
  double sum = 0.0;
  for (const std::uint32_t i : group.members) {
    if (is_decider[i]) {
      if (settled.genes[i] != genome.genes[i]) return -std::numeric_limits<double>::infinity();
    } else if (active[i]) {
      sum += std::log10(static_cast<double>(space.choices(i)));
    }
  }
  return sum;
}

double log10_of(const SearchSpace::Impl& space, const Group& group, double& budget) {
  double combinations = 1.0;
  for (const std::uint32_t i : group.deciders) combinations *= static_cast<double>(space.choices(i));
  const double work = combinations * static_cast<double>(space.dims.size() + 1);  // settling looks at every dimension
  if (work > budget) return raw_log10(space, group);
  budget -= work;
  std::vector<bool> is_decider(space.dims.size(), false);
  for (const std::uint32_t i : group.deciders) is_decider[i] = true;
  std::vector<bool> active(space.dims.size(), true);
  Genome genome;
  genome.genes.resize(space.dims.size(), 0);
  std::vector<double> logs;
  while (true) {
    const double log = log10_of(space, group, is_decider, genome, active);
    if (std::isfinite(log)) logs.push_back(log);
    std::size_t turning = group.deciders.size();
    while (turning > 0) {  // count up, the last decider fastest
      const std::uint32_t i = group.deciders[turning - 1];
      if (++genome.genes[i] < space.choices(i)) break;
      genome.genes[i] = 0;
      --turning;
    }
    if (turning == 0) break;
  }
  const double largest = *std::max_element(logs.begin(), logs.end());
  double sum = 0.0;
  for (const double log : logs) sum += std::pow(10.0, log - largest);
  return largest + std::log10(sum);
}

}  // namespace

double count_log10(const SearchSpace::Impl& space) {
  double sum = 0.0;
  double budget = most_work;
  for (const Group& group : connected_groups(space)) {
    sum += group.deciders.empty() ? raw_log10(space, group) : log10_of(space, group, budget);
  }
  return sum;
}

std::uint64_t count_combinations(const SearchSpace::Impl& space) {
  std::uint64_t size = 1;
  for (const Dimension& dimension : space.dims) {
    if (size > most_enumerated / dimension.choices.size()) return 0;
    size *= dimension.choices.size();
  }
  return size;
}

}  // namespace ridgeline
