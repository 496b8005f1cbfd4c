#include "search/constructive/choice_tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ridgeline {

ChoiceTree::ChoiceTree(const Decisions& decisions, std::size_t objectives)
    : decisions_(&decisions), tallies_(objectives) {
  nodes_.emplace_back();
  nodes_[0].place = decisions.next_open(decisions.nothing_decided(), 0);
  tallies_.append(1);
}

std::size_t ChoiceTree::depth() const {
  std::vector<std::size_t> depths(size(), 0);
  for (std::size_t i = 1; i < size(); ++i) depths[i] = depths[nodes_[i].parent] + 1;
  return std::ranges::max(depths);
}

std::optional<std::uint32_t> ChoiceTree::child(std::size_t node, std::uint16_t choice) const {
  for (const std::uint32_t one : nodes_[node].children) {
    if (nodes_[one].choice == choice) return one;
  }
  return std::nullopt;
}

Genome ChoiceTree::prefix(std::size_t node) const {
  Genome genome = decisions_->nothing_decided();
  for (; node != 0; node = nodes_[node].parent) {
    genome.genes[decisions_->dimension(nodes_[nodes_[node].parent].place)] = nodes_[node].choice;
  }
  return genome;
}

std::uint32_t ChoiceTree::expand(std::size_t node, std::uint16_t choice) {
  const auto made = static_cast<std::uint32_t>(nodes_.size());
  nodes_.push_back({static_cast<std::uint32_t>(node), choice});
  nodes_[node].children.push_back(made);
  nodes_[made].place = decisions_->next_open(prefix(made), nodes_[node].place + 1);
  tallies_.append(1);
  return made;
}

void ChoiceTree::close(std::size_t node) {
  for (;; node = nodes_[node].parent) {
    nodes_[node].closed = true;
    if (node == 0) return;
    const Node& parent = nodes_[nodes_[node].parent];
    const std::size_t choices = decisions_->choices(prefix(nodes_[node].parent), parent.place);
    const auto closed = [&](std::uint32_t child) { return nodes_[child].closed; };
    if (parent.children.size() < choices || !std::ranges::all_of(parent.children, closed)) return;
  }
}

std::vector<std::uint32_t> ChoiceTree::path(const Genome& genome) const {
  std::vector<std::uint32_t> nodes = {0};
  while (!is_candidate(nodes.back())) {
    const std::uint32_t node = nodes.back();
    const auto next = child(node, genome.genes[decisions_->dimension(nodes_[node].place)]);
    if (!next) break;
    nodes.push_back(*next);
  }
  return nodes;
}

void ChoiceTree::prune(std::size_t most) {
  if (size() <= most) return;
  std::vector<bool> stays(size(), true);
  for (std::size_t i = 1; i < size(); ++i) {
    const std::uint32_t parent = nodes_[i].parent;
    stays[i] = stays[parent] && !nodes_[parent].closed;
  }
  keep(stays);
  const std::size_t wanted = std::max<std::size_t>(1, most - most / 8);
  while (size() > wanted) {
    std::vector<std::uint32_t> ends;
    for (std::size_t i = 1; i < size(); ++i) {
      if (nodes_[i].children.empty()) ends.push_back(static_cast<std::uint32_t>(i));
    }
    std::ranges::stable_sort(ends, {}, [&](std::uint32_t i) { return tallies_.visits(i); });
    ends.resize(std::min(ends.size(), size() - wanted));
    stays.assign(size(), true);
    for (const std::uint32_t i : ends) stays[i] = false;
    keep(stays);
  }
}

void ChoiceTree::keep(const std::vector<bool>& stays) {
  std::vector<std::uint32_t> kept, places(size(), 0);
  for (std::size_t i = 0; i < size(); ++i) {
    if (!stays[i]) continue;
    places[i] = static_cast<std::uint32_t>(kept.size());
    kept.push_back(static_cast<std::uint32_t>(i));
  }
  std::vector<Node> nodes;
  for (const std::uint32_t i : kept) {
    Node node = std::move(nodes_[i]);
    node.parent = places[node.parent];
    std::erase_if(node.children, [&](std::uint32_t child) { return !stays[child]; });
    for (std::uint32_t& child : node.children) child = places[child];
    nodes.push_back(std::move(node));
  }
  nodes_ = std::move(nodes);
  tallies_.keep(kept);
}

Json ChoiceTree::save() const {
  std::vector<std::uint32_t> parents;
  std::vector<std::uint16_t> choices;
  std::string closed;
  for (const Node& node : nodes_) {
    parents.push_back(node.parent);
    choices.push_back(node.choice);
    closed += node.closed ? '1' : '0';
  }
  return {{"parents", parents}, {"choices", choices}, {"closed", closed}, {"tallies", tallies_.save()}};
}

void ChoiceTree::load(JsonReader& reader, const std::string& key, std::size_t most) {
  *this = ChoiceTree(*decisions_, tallies_.objectives());
  std::optional<JsonReader> data = reader.object(key);
  if (!data) return;
  const std::vector<double> parents = data->numbers("parents"), choices = data->numbers("choices");
  const std::string closed = data->string("closed");
  tallies_.load(*data, "tallies", parents.size());
  data->finish();
  const bool same = choices.size() == parents.size() && closed.size() == parents.size();
  if (!same || parents.empty() || parents.size() > most || closed.find_first_not_of("01") != std::string::npos) {
    data->note("parents", fmt::format("from 1 to {} nodes, each with a choice and a 0 or 1", most),
               fmt::format("{} nodes, {} choices, '{}'", parents.size(), choices.size(), closed));
    return;
  }
  Tallies tallies = tallies_;
  for (std::size_t i = 0; i < parents.size(); ++i) {
    const bool whole = parents[i] >= 0 && choices[i] >= 0 && parents[i] == std::floor(parents[i]) &&
                       choices[i] == std::floor(choices[i]);
    const bool root = i == 0 && whole && parents[0] == 0 && choices[0] == 0;
    const auto parent = static_cast<std::size_t>(whole ? std::min(parents[i], 1e9) : 1e9);
    bool good = root || (i > 0 && parent < i && !is_candidate(parent));
    if (good && i > 0) {
      const auto choice = static_cast<std::uint16_t>(std::min(choices[i], 65535.0));
      good = choices[i] < static_cast<double>(decisions_->choices(prefix(parent), nodes_[parent].place)) &&
             !child(parent, choice);
      if (good) expand(parent, choice);
    }
    if (!good) {
      data->note(fmt::format("parents[{}]", i), "a node before it, with a choice that no other child of that has",
                 fmt::format("node {} by choice {}", parents[i], choices[i]));
      return;
    }
    nodes_[i].closed = closed[i] == '1';
  }
  tallies_ = std::move(tallies);
}

}  // namespace ridgeline
