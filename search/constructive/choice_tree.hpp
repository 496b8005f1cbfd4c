// The part of the tree of all choices that a search has looked into.
//
// A node is a prefix of decisions (decisions.hpp); it is given up at the first place from there on that has more than
// one choice, its own place, whose choices lead to its children; a node without such a place is a candidate, a leaf. A
// closed node needs no other visit: everything below it is known or not valid. Node 0 is the root; parents come before
// their children. The tree is of bounded size: prune() drops what closed nodes have below them, then the leaves of the
// part that were visited least.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "search/constructive/decisions.hpp"
#include "search/constructive/tallies.hpp"

namespace ridgeline {

class ChoiceTree {
 public:
  ChoiceTree(const Decisions& decisions, std::size_t objectives);

  std::size_t size() const { return nodes_.size(); }
  std::size_t depth() const;  // decisions with more than one choice that lead to the deepest node
  std::size_t place(std::size_t node) const { return nodes_[node].place; }
  bool is_candidate(std::size_t node) const { return nodes_[node].place == decisions_->size(); }
  bool closed(std::size_t node) const { return nodes_[node].closed; }
  std::optional<std::uint32_t> child(std::size_t node, std::uint16_t choice) const;
  Genome prefix(std::size_t node) const;

  std::uint32_t expand(std::size_t node, std::uint16_t choice);  // it is not there yet
  // Closes a node, and those above it of which all choices are closed.
  void close(std::size_t node);
  // The nodes on a candidate's path, the root first, as far as they are there.
  std::vector<std::uint32_t> path(const Genome& genome) const;

  Tallies& tallies() { return tallies_; }
  const Tallies& tallies() const { return tallies_; }

  // Where there are more than `most` nodes: leaves seven eighths of that, if so many can go. Indices change.
  void prune(std::size_t most);

  Json save() const;
  // Reads what save() wrote from the object under `key`, at most `most` nodes, noting problems in the reader.
  void load(JsonReader& reader, const std::string& key, std::size_t most);

 private:
  struct Node {
    std::uint32_t parent = 0;
    std::uint16_t choice = 0;  // of the parent's place
    bool closed = false;
    std::size_t place = 0;
    std::vector<std::uint32_t> children{};
  };

  void keep(const std::vector<bool>& stays);

  const Decisions* decisions_;
  std::vector<Node> nodes_;
  Tallies tallies_;  // a row a node
};

}  // namespace ridgeline
