#include "search/predicted/path_profile.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "search/predicted/network_paths.hpp"

namespace ridgeline {
namespace {

constexpr const char *number_of = "number of ", *sums = "sums", *any_path = "any path";
constexpr int drawn = 100;
constexpr double rarity = 0.1;  // what an operator on a path takes of its weight

// The groups of a network's operators, and which of them a node is in.
class Groups {
 public:
  explicit Groups(const Network& network, std::span<const NodeId> nodes) : members_(network.size()) {
    for (const NodeId node : nodes) {
      const std::string label = path_label(network, node);
      if (label.empty()) continue;
      const OpKind kind = network.op(node).kind;
      members_[node] = {place(label), place("operators")};
      const bool weights = kind == OpKind::conv2d || kind == OpKind::linear || kind == OpKind::matmul;
      if (weights) members_[node].push_back(place("operators with weights"));
    }
  }

  std::size_t size() const { return names_.size(); }
  const std::string& name(std::size_t group) const { return names_[group]; }
  std::span<const std::size_t> of(NodeId node) const { return members_[node]; }

 private:
  std::size_t place(const std::string& name) {
    const auto group = static_cast<std::size_t>(std::ranges::find(names_, name) - names_.begin());
    if (group == names_.size()) names_.push_back(name);
    return group;
  }

  std::vector<std::string> names_;
  std::vector<std::vector<std::size_t>> members_;
};

// Of the paths from the inputs to a node; but for their number by group.
struct Ways {
  double log_number = -std::numeric_limits<double>::infinity();
  std::vector<double> most, least, mean, rare;
};

Ways begin(std::size_t groups) {
  const std::vector<double> none(groups, 0.0), all(groups, 1.0);
  return {0.0, none, none, none, all};
}

Ways join(std::span<const Ways* const> parts, std::size_t groups) {
  double largest = parts.front()->log_number;
  for (const Ways* part : parts) largest = std::max(largest, part->log_number);
  double sum = 0;
  for (const Ways* part : parts) sum += std::exp(part->log_number - largest);
  Ways joined = begin(groups);
  joined.log_number = largest + std::log(sum);
  joined.least.assign(groups, std::numeric_limits<double>::infinity());
  joined.rare.assign(groups, 0.0);
  for (const Ways* part : parts) {
    const double share = std::exp(part->log_number - joined.log_number);
    for (std::size_t g = 0; g < groups; ++g) {
      joined.most[g] = std::max(joined.most[g], part->most[g]);
      joined.least[g] = std::min(joined.least[g], part->least[g]);
      joined.mean[g] += share * part->mean[g];
      joined.rare[g] += share * part->rare[g];
    }
  }
  return joined;
}

void pass(Ways& ways, std::span<const std::size_t> groups) {
  for (const std::size_t g : groups) {
    ways.most[g] += 1;
    ways.least[g] += 1;
    ways.mean[g] += 1;
    // Deep networks have none but rare paths: what is below the smallest number is as good as that.
    ways.rare[g] = std::max(rarity * ways.rare[g], std::numeric_limits<double>::min());
  }
}

}  // namespace

std::map<std::string, double> path_profile(const Network& network) {
  const std::vector<NodeId> nodes = nodes_on_paths(network);
  std::map<std::string, double> profile;
  if (nodes.empty()) return profile;
  const Groups groups(network, nodes);
  std::vector<Ways> ways(network.size());
  const auto arriving = [&](std::span<const NodeId> inputs) {
    std::vector<const Ways*> parts;
    for (const NodeId input : inputs) {
      if (std::isfinite(ways[input].log_number)) parts.push_back(&ways[input]);
    }
    return parts;
  };
  std::vector<double> numbers(groups.size());
  for (const NodeId node : nodes) {
    const OpKind kind = network.op(node).kind;
    const auto parts = arriving(network.inputs(node));
    ways[node] = kind == OpKind::input ? begin(groups.size()) : join(parts, groups.size());
    pass(ways[node], groups.of(node));
    for (const std::size_t g : groups.of(node)) numbers[g] += 1;
    if (kind == OpKind::add) profile[sums] += static_cast<double>(parts.size()) - 1;
  }
  std::vector<const Ways*> ends;
  for (const NodeId output : network.outputs()) {
    if (std::ranges::binary_search(nodes, output)) ends.push_back(&ways[output]);
  }
  const Ways all = join(ends, groups.size());
  profile[any_path] = 1;
  profile["logarithm of paths"] = all.log_number;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    profile[number_of + groups.name(g)] = numbers[g];
    profile["most " + groups.name(g)] = all.most[g];
    profile["least " + groups.name(g)] = all.least[g];
    profile["mean " + groups.name(g)] = all.mean[g];
    profile["rareness of " + groups.name(g)] = std::log(all.rare[g]);
  }
  std::erase_if(profile, [](const auto& entry) { return entry.second == 0; });
  return profile;
}

PathProfile::PathProfile(const SearchSpace& space) : NamedFeatures(space) {
  Rng rng(1, "path profile");
  for (int i = 0; i < drawn; ++i) {
    for (const auto& [name, value] : described(space.sample(rng))) add_column(name);
  }
}

std::map<std::string, double> PathProfile::describe(const Design& design) const { return path_profile(design.network); }

bool PathProfile::is_amount(const std::string& name) {
  return name.starts_with(number_of) || name == sums || name == any_path;
}

}  // namespace ridgeline
