#include "experiments/quantization/plan_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t no_dimension = static_cast<std::size_t>(-1);
constexpr std::uint32_t most_readers = 31;  // told apart

bool has_formats(OpKind kind) { return kind == OpKind::conv2d || kind == OpKind::linear || kind == OpKind::matmul; }

// How steps name a format.
std::string step_word(const Format& format) { return format.is_quantized() ? "int8" : format.text(); }

[[noreturn]] void refuse(const std::string& path, const std::string& expected, const std::string& found) {
  throw ConfigError(Problem{"", path, expected, found, ""});
}

}  // namespace

PrecisionPlan PlanSpace::plan(std::span<const std::uint16_t> genes) const {
  PrecisionPlan plan;
  plan.operators.resize(design.network.size());
  for (std::size_t d = 0; d < members.size(); ++d) {
    for (const NodeId node : members[d]) plan.operators[node] = formats[genes[d]];
  }
  return plan;
}

Design PlanSpace::decode(std::span<const std::uint16_t> genes) const {
  Design decoded = design;
  decoded.precision = plan(genes);
  return decoded;
}

void check(const PlanSpace& space) {
  constexpr std::size_t most_choices = 200;
  if (space.names.empty() || space.names.size() != space.members.size()) {
    refuse("dimensions", "one name a dimension, at least one",
           fmt::format("{} names of {} dimensions", space.names.size(), space.members.size()));
  }
  if (space.words.empty() || space.words.size() != space.formats.size() || space.words.size() > most_choices) {
    refuse("formats", fmt::format("one word a choice, 1 to {}", most_choices),
           fmt::format("{} words of {} choices", space.words.size(), space.formats.size()));
  }
  if (std::set<std::string>(space.words.begin(), space.words.end()).size() != space.words.size()) {
    refuse("formats", "choices of different words", fmt::format("{}", fmt::join(space.words, ", ")));
  }
  std::set<NodeId> seen;
  const std::vector<NodeId> live = space.design.network.live_nodes();
  for (std::size_t d = 0; d < space.members.size(); ++d) {
    if (space.members[d].empty()) refuse(space.names[d], "at least one operator", "none");
    for (const NodeId node : space.members[d]) {
      const bool known = std::ranges::binary_search(live, node) && has_formats(space.design.network.op(node).kind);
      if (!known || !seen.insert(node).second) {
        refuse(space.names[d], "live conv2d, linear and matmul nodes, each in one dimension",
               fmt::format("node {}", node));
      }
    }
  }
  for (const NodeId node : live) {
    if (has_formats(space.design.network.op(node).kind) && !seen.contains(node)) {
      refuse("dimensions", "a dimension for every conv2d, linear and matmul", fmt::format("none for node {}", node));
    }
  }
}

PlanParts::PlanParts(const PlanSpace& space)
    : space_(space), tensor_formats_{f32}, dimension_(space.design.network.size(), no_dimension) {
  check(space);
  for (const OperatorFormats& choice : space.formats) {
    if (std::ranges::find(tensor_formats_, choice.activations) == tensor_formats_.end()) {
      tensor_formats_.push_back(choice.activations);
    }
  }
  for (std::size_t d = 0; d < space.members.size(); ++d) {
    for (const NodeId node : space.members[d]) dimension_[node] = d;
  }
}

std::uint8_t PlanParts::tensor_format(const Format& format) const {
  return static_cast<std::uint8_t>(std::ranges::find(tensor_formats_, format) - tensor_formats_.begin());
}

std::optional<std::size_t> PlanParts::dimension_of(NodeId node) const {
  return dimension_[node] == no_dimension ? std::nullopt : std::optional(dimension_[node]);
}

// One part a group, in the order of groups; then those of tensors.
std::vector<PlanPart> PlanParts::parts_of(const Lowered& lowered, std::span<const std::uint16_t> genes) const {
  struct Tensor {
    bool known = false;
    std::uint8_t computed = 0;
    std::uint32_t count = 0, as_stored = 0;  // readers
    std::vector<std::uint8_t> wanted{};      // in other formats
  };
  std::vector<Tensor> tensors(space_.design.network.size());
  const auto stored = [&](NodeId node) { return tensor_format(lowered.stored[node]); };
  const auto reads = [&](NodeId node, std::uint8_t format) {
    Tensor& tensor = tensors[node];
    tensor.known = true;
    const std::uint32_t reader = std::uint32_t{1} << std::min(tensor.count++, most_readers);
    if (format == stored(node)) {
      tensor.as_stored |= reader;
    } else if (std::ranges::find(tensor.wanted, format) == tensor.wanted.end()) {
      tensor.wanted.push_back(format);
    }
  };
  std::vector<PlanPart> parts;
  std::optional<std::uint8_t> before;  // what the last operator with formats computed in
  for (const Group& group : lowered.groups) {
    const std::size_t dimension = dimension_[group.anchor];
    const std::uint8_t to = stored(group.result);
    std::uint8_t computed = to;
    if (dimension == no_dimension) {
      if (reads_wider(space_.design.network, lowered, group)) computed = 0;
      parts.push_back({PlanPart::Kind::other, group.anchor, group.result, computed, to, 0});
    } else {
      const auto choice = static_cast<std::uint8_t>(genes[dimension]);
      computed = tensor_format(space_.formats[choice].activations);
      parts.push_back(
          {PlanPart::Kind::op, group.anchor, group.result, choice, to, before.value_or(computed) != computed});
      before = computed;
    }
    tensors[group.result].known = true;
    tensors[group.result].computed = computed;
    for (const NodeId input : group.inputs) reads(input, computed);
    for (const PostOperation& post : group.posts) {
      if (post.kind == OpKind::add) reads(post.operand, stored(post.operand));
    }
  }
  for (const NodeId output : space_.design.network.outputs()) reads(lowered.stands_for[output], 0);
  for (NodeId node = 0; node < tensors.size(); ++node) {
    const Tensor& tensor = tensors[node];
    if (!tensor.known) continue;
    parts.push_back({PlanPart::Kind::store, node, node, tensor.computed, stored(node), tensor.as_stored});
    for (const std::uint8_t wanted : tensor.wanted) {
      parts.push_back({PlanPart::Kind::fetch, node, node, stored(node), wanted, 0});
    }
  }
  return parts;
}

std::vector<PlanPart> PlanParts::of(std::span<const std::uint16_t> genes) const {
  std::vector<PlanPart> parts = parts_of(lower(space_.design.network, space_.plan(genes)), genes);
  std::ranges::sort(parts);
  return parts;
}

std::vector<std::size_t> PlanParts::owners(std::span<const std::uint16_t> genes,
                                           std::span<const StepInfo> steps) const {
  const Lowered lowered = lower(space_.design.network, space_.plan(genes));
  const std::vector<PlanPart> unsorted = parts_of(lowered, genes), parts = of(genes);
  const auto index_of = [&](const PlanPart& part) {
    return static_cast<std::size_t>(std::ranges::lower_bound(parts, part) - parts.begin());
  };
  std::vector<std::size_t> group_of(space_.design.network.size(), lowered.groups.size());
  for (std::size_t g = 0; g < lowered.groups.size(); ++g) {
    group_of[lowered.groups[g].anchor] = g;
    for (const NodeId node : lowered.groups[g].fused()) group_of[node] = g;
  }
  std::vector<std::size_t> owners(steps.size(), parts.size());
  std::size_t group = lowered.groups.size() - 1;  // of the operator that comes after a conversion
  for (std::size_t s = steps.size(); s-- > 0;) {
    const StepInfo& step = steps[s];
    if (step.kind != "reorder") {
      group = group_of[step.node];
    } else {
      const auto converts = std::ranges::find_if(parts, [&](const PlanPart& part) {
        return (part.kind == PlanPart::Kind::store || part.kind == PlanPart::Kind::fetch) && part.node == step.node &&
               step_word(tensor_formats_[part.to]) == step.format;
      });
      if (converts != parts.end()) {
        owners[s] = static_cast<std::size_t>(converts - parts.begin());
        continue;
      }
      if (group_of[step.node] < lowered.groups.size() && lowered.groups[group_of[step.node]].result != step.node) {
        group = group_of[step.node];  // between an operator and what was to be fused into it
      }
    }
    owners[s] = index_of(unsorted[group]);
  }
  return owners;
}

std::vector<std::pair<std::size_t, std::size_t>> PlanParts::boundaries() const {
  const Network& network = space_.design.network;
  std::vector<std::set<std::size_t>> makers(network.size());  // dimensions whose results a node's value is made of
  std::set<std::pair<std::size_t, std::size_t>> pairs;
  for (const NodeId node : network.live_nodes()) {
    for (const NodeId input : network.inputs(node)) {
      if (dimension_[node] == no_dimension) {
        makers[node].insert(makers[input].begin(), makers[input].end());
      } else {
        for (const std::size_t maker : makers[input]) {
          if (maker != dimension_[node]) pairs.emplace(maker, dimension_[node]);
        }
      }
    }
    if (dimension_[node] != no_dimension) makers[node] = {dimension_[node]};
  }
  return {pairs.begin(), pairs.end()};
}

}  // namespace ridgeline
