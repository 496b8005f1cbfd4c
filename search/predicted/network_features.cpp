#include "search/predicted/network_features.hpp"

#include "spaces/counts.hpp"

namespace ridgeline {
namespace {

using Amounts = std::map<std::string, double>;

std::string formats_text(const OperatorFormats& formats) {
  return formats.weights.text() + "/" + formats.activations.text();
}

void add_conversions(Amounts& amounts, const Network& network, NodeId node, const std::vector<Format>& stored,
                     const Format& read) {
  for (const NodeId input : network.inputs(node)) {
    if (stored[input] == read) continue;
    const std::string pair = stored[input].text() + " to " + read.text();
    amounts["tensors from " + pair] += 1.0;
    amounts["elements from " + pair] += static_cast<double>(elements(network.shape(input)));
  }
}

Amounts amounts_of(const Design& design) {
  const Network& network = design.network;
  const std::vector<Format> stored = stored_formats(network, design.precision);
  Amounts amounts;
  for (const NodeId node : network.live_nodes()) {
    const OpKind kind = network.op(node).kind;
    if (kind == OpKind::input) continue;
    const bool reads = kind == OpKind::conv2d || kind == OpKind::linear || kind == OpKind::matmul;
    const OperatorFormats formats = design.precision.at(node);
    const std::string name =
        operator_class(network, node) + " " + (reads ? formats_text(formats) : stored[node].text());
    const auto outputs = static_cast<double>(elements(network.shape(node)));
    amounts["operators " + name] += 1.0;
    amounts["outputs of " + name] += outputs;
    if (!reads) continue;
    amounts["macs of " + name] += static_cast<double>(macs(network, node));
    amounts["weight bytes of " + name] += static_cast<double>(weight_bytes(network, node, design.precision));
    add_conversions(amounts, network, node, stored, formats.activations);
  }
  return amounts;
}

}  // namespace

std::string operator_class(const Network& network, NodeId node) {
  const Op& op = network.op(node);
  std::string name(name_of(op.kind));
  if (op.kind != OpKind::conv2d) return name;
  if (op.groups > 1) return name + (op.groups == op.channels ? " depthwise" : " grouped");
  return name + (op.kernel == std::array<int, 2>{1, 1} ? " pointwise" : "");
}

NetworkFeatures::NetworkFeatures(const SearchSpace& space, std::span<const Genome> known) : NamedFeatures(space) {
  for (const Genome& genome : known) {
    for (const auto& [name, amount] : described(genome)) add_column(name);
  }
}

std::map<std::string, double> NetworkFeatures::describe(const Design& design) const { return amounts_of(design); }

}  // namespace ridgeline
