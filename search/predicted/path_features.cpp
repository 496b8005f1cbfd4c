#include "search/predicted/path_features.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "search/predicted/network_paths.hpp"

namespace ridgeline {
namespace {

constexpr int drawn = 200;
constexpr std::size_t most_columns = 200;
constexpr std::size_t most_paths = 1'000;  // to one tensor of a part

using Path = std::vector<std::string>;
struct Shorter {
  bool operator()(const Path& a, const Path& b) const { return a.size() != b.size() ? a.size() < b.size() : a < b; }
};
using Paths = std::set<Path, Shorter>;

// Of each of `nodes`: does everything pass through it? No edge jumps over it then.
std::vector<bool> narrow(const Network& network, const std::vector<NodeId>& nodes) {
  std::vector<std::size_t> place(network.size(), 0);
  std::vector<bool> there(network.size(), false);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    place[nodes[i]] = i;
    there[nodes[i]] = true;
  }
  std::vector<std::size_t> farthest(nodes.size(), 0);  // the last that reads a node
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const NodeId input : network.inputs(nodes[i])) {
      if (there[input]) farthest[place[input]] = i;
    }
  }
  for (const NodeId output : network.outputs()) {
    if (there[output]) farthest[place[output]] = nodes.size();  // where all outputs meet
  }
  std::vector<bool> narrow(nodes.size(), false);
  const auto is_input = [&](NodeId node) { return network.op(node).kind == OpKind::input; };
  const auto inputs = std::ranges::count_if(nodes, is_input);
  std::ptrdiff_t begun = 0;
  std::size_t reach = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    begun += is_input(nodes[i]) ? 1 : 0;
    narrow[i] = reach <= i && begun == inputs;
    reach = std::max(reach, farthest[i]);
  }
  return narrow;
}

std::string size_text(const Shape& shape) {
  if (shape.size() == 4) return fmt::format("{}x{}", shape[2], shape[3]);
  return shape.size() == 3 ? std::to_string(shape[1]) : "1";
}

void count_part(const Paths& paths, const Shape& end, std::map<std::string, double>& counts) {
  if (paths.size() == 1 && paths.begin()->empty()) return;  // nothing computes in it
  for (const Path& path : paths) {
    const std::string text = path.empty() ? "skip" : fmt::format("{}", fmt::join(path, " > "));
    counts[fmt::format("at {}: {}", size_text(end), text)] += 1.0;
  }
}

}  // namespace

std::map<std::string, double> path_counts(const Network& network) {
  const std::vector<NodeId> nodes = nodes_on_paths(network);
  const std::vector<bool> ends = narrow(network, nodes);
  std::map<std::string, double> counts;
  std::map<NodeId, Paths> known;  // of the part that is open: paths from where it begins
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    Paths paths;
    if (network.op(nodes[i]).kind == OpKind::input) paths.insert(Path{});
    const std::string label = path_label(network, nodes[i]);
    for (const NodeId input : network.inputs(nodes[i])) {
      const auto before = known.find(input);
      if (before == known.end()) continue;  // zero
      for (Path path : before->second) {
        if (!label.empty()) path.push_back(label);
        paths.insert(std::move(path));
      }
    }
    while (paths.size() > most_paths) paths.erase(std::prev(paths.end()));
    if (ends[i]) {
      count_part(paths, network.shape(nodes[i]), counts);
      known.clear();
      paths = {Path{}};
    }
    known[nodes[i]] = std::move(paths);
  }
  if (nodes.empty() || ends.back()) return counts;
  Paths last;  // of a part that ends in several outputs
  for (const NodeId output : network.outputs()) last.merge(known[output]);
  count_part(last, network.shape(nodes.back()), counts);
  return counts;
}

PathFeatures::PathFeatures(const SearchSpace& space) : NamedFeatures(space) {
  Rng rng(1, "paths");
  std::map<std::string, std::vector<double>> counts;  // by path, one a candidate
  for (std::size_t i = 0; i < drawn; ++i) {
    for (const auto& [name, count] : described(space.sample(rng))) {
      std::vector<double>& column = counts[name];
      column.resize(drawn, 0.0);
      column[i] = count;
    }
  }
  std::set<std::vector<double>> seen;
  std::vector<std::pair<std::ptrdiff_t, std::string>> kept;  // how many are without it
  for (const auto& [name, column] : counts) {
    const bool constant = std::ranges::count(column, column.front()) == drawn;
    if (!constant && seen.insert(column).second) kept.emplace_back(std::ranges::count(column, 0.0), name);
  }
  std::ranges::sort(kept);
  if (kept.size() > most_columns) kept.resize(most_columns);
  for (const auto& [without, name] : kept) add_column(name);
}

std::map<std::string, double> PathFeatures::describe(const Design& design) const { return path_counts(design.network); }

}  // namespace ridgeline
