#include "hwmodels/scratchpad/layouts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

namespace ridgeline {
namespace {

// What lies in the scratchpad, ascending by offset.
struct Piece {
  std::size_t tensor;
  std::int64_t offset;
};
using Layout = std::vector<Piece>;

struct Node {
  Residency residency;
  Layout layout;
  std::int64_t bytes = 0, bound = 0;  // so far; at least, to the end
  std::size_t parent = 0;
  ScratchStep step;
};

// All sums of sizes up to the capacity, ascending; empty when there are too many. A tensor may lie there several times,
// one above and one below a third that outlasts both stays.
std::vector<std::int64_t> offset_sums(const ScratchpadProblem& problem, std::size_t most) {
  std::set<std::int64_t> sizes, sums{0};
  for (const ScratchTensor& tensor : problem.tensors) sizes.insert(tensor.bytes);
  for (const ScratchOp& op : problem.ops) {
    if (op.resident_weights() > 0) sizes.insert(op.resident_weights());
  }
  for (auto sum = sums.begin(); sum != sums.end() && sums.size() <= most; ++sum) {
    for (const std::int64_t size : sizes) {
      if (*sum + size <= problem.capacity_bytes) sums.insert(*sum + size);
    }
  }
  if (sums.size() > most) return {};
  return {sums.begin(), sums.end()};
}

class LayoutSearch {
 public:
  LayoutSearch(const ResidencyRules& rules, const LayoutOptions& options)
      : rules_(rules), problem_(rules.problem()), options_(options) {
    if (options.width == 0) offsets_ = offset_sums(problem_, options.most_offsets);
    result_.complete = options.width == 0 && !offsets_.empty() && options.parts.empty();
  }

  LayoutResult run() {
    Node root;
    root.residency = rules_.start();
    root.bound = to_go(root.residency);
    levels_.push_back({std::move(root)});
    for (std::size_t k = 0; k < problem_.ops.size(); ++k) {
      level_.clear();
      next_.clear();
      for (std::size_t i = 0; i < levels_.back().size(); ++i) extend(i);
      if (next_.empty()) return std::move(result_);
      cut();
      for (Node& node : levels_.back()) {  // what is behind needs only its steps
        node.residency = {};
        node.layout = {};
      }
      levels_.push_back(std::move(next_));
    }
    trace();
    return std::move(result_);
  }

 private:
  std::int64_t bytes_of(std::size_t tensor) const { return problem_.tensors[tensor].bytes; }
  std::int64_t to_go(const Residency& residency) const {
    return options_.to_go ? options_.to_go(residency) : rules_.pending_bytes(residency);
  }

  std::size_t part(std::size_t op) const { return options_.parts.empty() ? 0 : options_.parts[op]; }

  void extend(std::size_t index) {
    const Node& node = levels_.back()[index];
    const std::vector<std::size_t> ready = rules_.ready(node.residency);
    std::size_t first = std::numeric_limits<std::size_t>::max();
    for (const std::size_t op : ready) first = std::min(first, part(op));
    for (const std::size_t op : ready) {
      if (part(op) == first) extend_by(node, index, op);
    }
  }

  // Runs an operator after evicting each set of tensors: for a proof every set, else those of which no part does.
  void extend_by(const Node& node, std::size_t index, std::size_t op) {
    const std::vector<std::size_t> streamed = rules_.streamed_on_chip(node.residency, op);
    std::vector<std::size_t> candidates;
    for (const Piece& piece : node.layout) {
      if (!std::ranges::binary_search(streamed, piece.tensor)) candidates.push_back(piece.tensor);
    }
    // What the operator needs itself goes last: evicted only to be loaded elsewhere.
    const auto& reads = problem_.ops[op].reads;
    std::stable_partition(candidates.begin(), candidates.end(),
                          [&](std::size_t t) { return !std::ranges::binary_search(reads, t); });
    constexpr std::size_t most_candidates = 12;
    if (candidates.size() > most_candidates) {
      candidates.resize(most_candidates);
      result_.complete = false;
    }
    std::vector<std::uint32_t> masks(std::size_t{1} << candidates.size());
    std::iota(masks.begin(), masks.end(), 0U);
    std::ranges::stable_sort(masks, {}, [](std::uint32_t mask) { return __builtin_popcount(mask); });
    std::vector<std::uint32_t> sufficient;
    const std::int64_t excess = rules_.bytes_with(node.residency, op) - problem_.capacity_bytes;
    for (const std::uint32_t mask : masks) {
      if (options_.width > 0 && std::ranges::any_of(sufficient, [&](std::uint32_t s) { return (s & mask) == s; })) {
        continue;
      }
      std::vector<std::size_t> evicted = streamed;
      std::int64_t freed = 0;
      for (std::size_t c = 0; c < candidates.size(); ++c) {
        if ((mask >> c & 1U) == 0) continue;
        evicted.push_back(candidates[c]);
        if (!std::ranges::binary_search(reads, candidates[c])) freed += bytes_of(candidates[c]);
      }
      if (freed < excess) continue;
      std::ranges::sort(evicted);
      if (arrange(node, index, rules_.move(node.residency, op, std::move(evicted)))) sufficient.push_back(mask);
    }
  }

  // Every layout after a move; false where nothing fits.
  bool arrange(const Node& node, std::size_t index, ResidencyMove move) {
    Node made;
    made.bytes = node.bytes + move.beyond_bytes;
    made.bound = made.bytes + to_go(move.after);
    if (made.bound > options_.limit) {
      result_.next_limit = std::min(result_.next_limit.value_or(made.bound), made.bound);
      return false;
    }
    const ScratchOp& op = problem_.ops[move.op];
    made.parent = index;
    made.step.op = move.op;
    for (const Piece& piece : node.layout) {
      if (!std::ranges::binary_search(move.evicted, piece.tensor)) made.layout.push_back(piece);
    }
    for (const std::size_t t : move.evicted) {
      made.step.evictions.push_back({t, stay_of(node.residency, t) == Stay::dirty});
    }
    std::vector<std::size_t> wanted;
    for (const std::size_t t : op.reads) {
      const bool there = is_on_chip(stay_of(node.residency, t)) && !std::ranges::binary_search(move.evicted, t);
      if (!there && !op.streams_read(t)) wanted.push_back(t);
    }
    if (!op.streams_output) wanted.push_back(op.writes);
    made.residency = std::move(move.after);
    placed_ = false;
    settle(made, wanted, 0);
    return placed_;
  }

  // Every offset of what is wanted, one after the other; then the weights, which nothing later lies beside, anywhere.
  void settle(Node& made, const std::vector<std::size_t>& wanted, std::size_t next) {
    const ScratchOp& op = problem_.ops[made.step.op];
    if (next == wanted.size()) {
      if (op.resident_weights() > 0) {
        const std::vector<std::int64_t> offsets = offsets_for(made.layout, op.resident_weights(), true);
        if (offsets.empty()) return;
        made.step.weights_offset = offsets.front();
      }
      keep(made);
      return;
    }
    const std::size_t t = wanted[next];
    for (const std::int64_t offset : offsets_for(made.layout, bytes_of(t), false)) {
      const auto at = std::ranges::find_if(made.layout, [&](const Piece& piece) { return piece.offset > offset; });
      const std::ptrdiff_t position = at - made.layout.begin();
      made.layout.insert(at, {t, offset});
      if (t == op.writes) {
        made.step.output_offset = offset;
      } else {
        made.step.loads.push_back({t, offset});
      }
      settle(made, wanted, next + 1);
      if (t != op.writes) made.step.loads.pop_back();
      made.layout.erase(made.layout.begin() + position);
    }
  }

  std::vector<std::int64_t> offsets_for(const Layout& layout, std::int64_t bytes, bool first_only) const {
    std::vector<std::int64_t> found;
    std::int64_t from = 0;
    for (std::size_t i = 0; i <= layout.size(); ++i) {
      const std::int64_t to = i < layout.size() ? layout[i].offset : problem_.capacity_bytes;
      if (to - from >= bytes) {
        found.push_back(from);
        if (first_only) return found;
        auto sum = std::ranges::upper_bound(offsets_, from);
        for (; sum != offsets_.end() && *sum < to - bytes; ++sum) found.push_back(*sum);
        if (to - bytes > from) found.push_back(to - bytes);
      }
      if (i < layout.size()) from = to + bytes_of(layout[i].tensor);
    }
    return found;
  }

  void keep(const Node& made) {
    placed_ = true;
    Node node = made;
    std::erase_if(node.layout, [&](const Piece& piece) { return stay_of(node.residency, piece.tensor) == Stay::dead; });
    std::string key = node.residency;
    for (const Piece& piece : node.layout) key += fmt::format(" {}@{}", piece.tensor, piece.offset);
    const auto [known, fresh] = level_.try_emplace(std::move(key), next_.size());
    if (fresh) {
      next_.push_back(std::move(node));
    } else if (node.bytes < next_[known->second].bytes) {
      next_[known->second] = std::move(node);
    }
  }

  std::int64_t widest_gap(const Layout& layout) const {
    std::int64_t from = 0, widest = 0;
    for (const Piece& piece : layout) {
      widest = std::max(widest, piece.offset - from);
      from = piece.offset + bytes_of(piece.tensor);
    }
    return std::max(widest, problem_.capacity_bytes - from);
  }

  // Keeps the most promising, those with room in one piece before others: of one residency only a few layouts, so that
  // they do not crowd out the others.
  void cut() {
    const std::size_t width = options_.width > 0 ? options_.width : options_.most_states;
    if (next_.size() <= width) return;
    result_.complete = false;
    std::vector<std::size_t> order(next_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, {},
                             [&](std::size_t i) { return std::pair(next_[i].bound, -widest_gap(next_[i].layout)); });
    constexpr int layouts_of_one = 6;
    std::map<Residency, int> seen;
    std::vector<Node> kept;
    for (const std::size_t i : order) {
      if (kept.size() == width) break;
      if (++seen[next_[i].residency] <= layouts_of_one) kept.push_back(std::move(next_[i]));
    }
    next_ = std::move(kept);
  }

  void trace() {
    const auto least = std::ranges::min_element(levels_.back(), {}, &Node::bytes);
    std::size_t at = static_cast<std::size_t>(least - levels_.back().begin());
    ScratchpadPlan plan;
    for (std::size_t k = levels_.size(); k-- > 1;) {
      plan.steps.push_back(levels_[k][at].step);
      at = levels_[k][at].parent;
    }
    std::ranges::reverse(plan.steps);
    result_.plan = std::move(plan);
  }

  const ResidencyRules& rules_;
  const ScratchpadProblem& problem_;
  const LayoutOptions& options_;
  std::vector<std::int64_t> offsets_;
  LayoutResult result_;
  std::vector<std::vector<Node>> levels_;
  std::map<std::string, std::size_t> level_;  // index in next_ by key
  std::vector<Node> next_;
  bool placed_ = false;
};

}  // namespace

LayoutResult search_layouts(const ResidencyRules& rules, const LayoutOptions& options) {
  return LayoutSearch(rules, options).run();
}

}  // namespace ridgeline
