#include "experiments/report/report_space.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/report/report_preview.hpp"
#include "spaces/counts.hpp"

namespace ridgeline {
namespace {

SampledRange range_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {values.front(), values[values.size() / 2], values.back()};
}

// Text in a double-quoted Graphviz string.
std::string dot_text(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '"' || c == '\\') escaped.push_back('\\');
    escaped.push_back(c == '\n' ? ' ' : c);
  }
  return escaped;
}

std::string node_label(const Network& network, NodeId node) {
  const Op& op = network.op(node);
  std::string label(name_of(op.kind));
  const bool windowed = op.kind == OpKind::conv2d || op.kind == OpKind::max_pool || op.kind == OpKind::avg_pool;
  if (windowed) label += fmt::format(" {}x{}", op.kernel[0], op.kernel[1]);
  if (windowed && op.stride[0] != 1) label += fmt::format(" stride {}", op.stride[0]);
  if (op.groups > 1) label += fmt::format(" groups {}", op.groups);
  return fmt::format("{}\\n{}", dot_text(label), shape_text(network.shape(node)));
}

}  // namespace

namespace {

// "name=value", where the value is JSON or a bare word.
std::pair<std::string, Json> named_value(const std::string& text, const char* flag, const char* example) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw ConfigError({flag, "", "name=value", fmt::format("'{}'", text), fmt::format("for example {}", example)});
  }
  const std::string value = text.substr(equals + 1);
  const Json parsed = Json::parse(value, nullptr, false);
  return {text.substr(0, equals), parsed.is_discarded() ? Json(value) : parsed};
}

}  // namespace

StudyConfig space_config(const DesignOptions& options) {
  StudyConfig config;
  config.space = options.space;
  config.space_options.batch = options.batch;
  for (const std::string& one : options.parameters) {
    auto [name, value] = named_value(one, "--parameter", "classes=10");
    config.space_options.parameters[name] = std::move(value);
  }
  for (const std::string& one : options.choices) {
    auto [name, value] = named_value(one, "--choices", "format=int8");
    config.space_options.choices[name] = value.is_array() ? value : Json::array({value});
  }
  if (!options.format.empty()) {
    Format::parse(options.format);
    config.precision = options.format;
  }
  config.seed = options.seed;
  return config;
}

SearchSpace open_space(const StudyConfig& config, const Resources& resources) {
  return resources.load_space(config.space, config.space_options);
}

Genome chosen_genome(const DesignOptions& options, const SearchSpace& space) {
  if (options.genome.empty()) {
    Rng rng(options.seed, "sample", 0);
    return space.sample(rng);
  }
  const JsonDocument document = JsonDocument::parse(options.genome, "--genome");
  Genome genome = space.normalise(space.from_json(document.value()));
  if (const std::optional<std::string> reason = space.violation(genome)) {
    throw ConfigError({"--genome", "", "a candidate of the space " + space.name(), *reason, ""});
  }
  return genome;
}

SpaceCount count_space(const SearchSpace& space, std::uint64_t seed, std::uint64_t most_enumerated) {
  SpaceCount count;
  count.log10_size = space.log10_size();
  count.combinations = space.enumeration_size();
  count.draws = 2000;
  count.valid_share = valid_share(space, seed, count.draws);
  if (count.combinations == 0 || count.combinations > most_enumerated) return count;
  std::uint64_t valid = 0;
  for (std::uint64_t i = 0; i < count.combinations; ++i) valid += space.at(i) ? 1 : 0;
  count.valid = valid;
  return count;
}

SpaceSurvey survey_space(const StudyConfig& config, const SearchSpace& space, std::uint64_t seed, std::size_t sample) {
  SpaceSurvey survey;
  survey.sample = sample;
  std::vector<double> nodes, work, sizes, weights, peaks;
  for (std::size_t i = 0; i < sample; ++i) {
    Rng rng(seed, "sample", i);
    const Genome genome = space.sample(rng);
    try {
      const Design design = decode_for(config, space, genome);
      nodes.push_back(static_cast<double>(design.network.live_nodes().size()));
      work.push_back(static_cast<double>(macs(design.network)));
      sizes.push_back(static_cast<double>(parameters(design.network)));
      weights.push_back(static_cast<double>(weight_bytes(design.network, design.precision)));
      peaks.push_back(static_cast<double>(peak_activation_bytes(design.network, design.precision)));
    } catch (const ConfigError& error) {
      std::vector<Problem> problems = error.problems();
      problems.push_back({config.space, "", "every valid genome to decode", space.describe(genome).dump(),
                          "mend the blocks, or add a constraint that forbids this genome"});
      throw ConfigError(std::move(problems));
    }
  }
  survey.nodes = range_of(std::move(nodes));
  survey.macs = range_of(std::move(work));
  survey.parameters = range_of(std::move(sizes));
  survey.weight_bytes = range_of(std::move(weights));
  survey.peak_activation_bytes = range_of(std::move(peaks));
  return survey;
}

std::string network_dot(const Network& network, const std::string& name) {
  std::string text =
      fmt::format("digraph \"{}\" {{\n  node [shape=box, fontname=\"sans-serif\", fontsize=10];\n", dot_text(name));
  for (const NodeId node : network.live_nodes()) {
    text += fmt::format("  n{} [label=\"{}\"];\n", node, node_label(network, node));
    for (const NodeId input : network.inputs(node)) text += fmt::format("  n{} -> n{};\n", input, node);
  }
  return text + "}\n";
}

}  // namespace ridgeline
