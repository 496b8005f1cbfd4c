#include "spaces/model_space.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "spaces/config_error.hpp"
#include "spaces/hash.hpp"
#include "spaces/onnx/import.hpp"
#include "spaces/operator_names.hpp"

namespace ridgeline {
namespace {

std::vector<std::vector<std::string>> read_ties(JsonReader& root, const std::vector<std::string>& known) {
  std::vector<std::vector<std::string>> ties;
  std::set<std::string> seen;
  if (!root.has("ties")) return ties;
  const Json& value = *root.any("ties");
  const auto note = [&](const std::string& found, const std::string& remedy = {}) {
    root.note("ties", "lists of operators, each in one list", found, remedy);
  };
  if (!value.is_array()) {
    note(describe(value));
    return ties;
  }
  for (const Json& group : value) {
    ties.emplace_back();
    for (const Json& name : group.is_array() ? group : Json::array({group})) {
      if (!name.is_string() || std::find(known.begin(), known.end(), name) == known.end()) {
        note(describe(name), name.is_string() ? known_words(name.get<std::string>(), known) : "");
      } else if (!seen.insert(name.get<std::string>()).second) {
        note(fmt::format("'{}' twice", name.get<std::string>()));
      } else {
        ties.back().push_back(name.get<std::string>());
      }
    }
  }
  return ties;
}

// What a word means to an operator; notes problems at `key`.
OperatorFormats read_format(JsonReader& root, const char* key, const std::string& word) {
  Network one;
  Op op;
  op.kind = OpKind::linear;
  op.channels = 1;
  one.add(op, {one.add_input({1, 1})});
  try {
    return PrecisionPlan::uniform(one, word).operators[1];
  } catch (const ConfigError& error) {
    const Problem& problem = error.problems().front();
    root.note(key, problem.expected, problem.found, problem.remedy);
  }
  return {};
}

std::vector<OperatorFormats> read_formats(JsonReader& root, std::vector<std::string>& words) {
  words = root.strings("formats");
  if (words.empty() && root.has("formats")) root.note("formats", "at least one number format", "none");
  std::vector<OperatorFormats> formats;
  for (const std::string& word : words) formats.push_back(read_format(root, "formats", word));
  return formats;
}

std::map<std::string, OperatorFormats> read_fixed(JsonReader& root, const std::vector<std::string>& known) {
  std::map<std::string, OperatorFormats> fixed;
  for (const auto& [name, value] : root.members("fixed", false)) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      root.note("fixed", "operators of the model", '"' + name + '"', known_words(name, known));
    } else if (!value.value().is_string()) {
      root.note("fixed", "a number format for '" + name + "'", describe(value.value()));
    } else {
      fixed[name] = read_format(root, "fixed", value.value().get<std::string>());
    }
  }
  return fixed;
}

}  // namespace

ModelSpace read_model_space(JsonReader& root, const std::string& origin, std::int64_t batch) {
  ModelSpace space;
  std::vector<std::string> words;
  const std::string file = root.string("model");
  space.formats = read_formats(root, words);
  if (file.empty()) return space;
  const std::filesystem::path path = std::filesystem::path(origin).parent_path() / file;
  space.design = import_onnx(path.string()).design;
  space.design.precision = {};
  space.design.quantization.reset();
  space.design.network = with_batch(space.design.network, batch);
  Hasher hasher;
  for (const NodeWeights& weights : *space.design.weights) {
    for (const auto* values :
         {&weights.kernel, &weights.bias, &weights.scale, &weights.shift, &weights.mean, &weights.variance}) {
      hasher.add(std::string_view(reinterpret_cast<const char*>(values->data()), values->size() * sizeof(float)));
    }
  }
  space.model_hash = hasher.add(structural_hash(space.design.network)).value();
  const std::map<NodeId, std::string> names = operator_names(space.design.network);
  std::vector<std::string> known;
  for (const auto& [node, name] : names) known.push_back(name);
  if (known.empty()) root.note("model", "a network with convolutions, linear layers or matrix products", "none", "");
  const std::map<std::string, OperatorFormats> fixed = read_fixed(root, known);
  std::erase_if(known, [&](const std::string& name) { return fixed.contains(name); });
  if (known.empty() && !fixed.empty()) root.note("fixed", "an operator that is left to choose for", "none");
  std::map<std::string, std::size_t> tie_of;
  const std::vector<std::vector<std::string>> ties = read_ties(root, known);
  for (std::size_t i = 0; i < ties.size(); ++i) {
    for (const std::string& name : ties[i]) tie_of[name] = i;
  }
  std::map<std::size_t, std::size_t> dimension_of;  // tie to dimension
  const std::vector<Json> choices(words.begin(), words.end());
  for (const auto& [node, name] : names) {
    if (const auto kept = fixed.find(name); kept != fixed.end()) {
      space.fixed.emplace_back(node, kept->second);
      continue;
    }
    const auto tie = tie_of.find(name);
    if (tie != tie_of.end()) {
      const auto [dimension, fresh] = dimension_of.emplace(tie->second, space.dims.size());
      if (!fresh) {
        space.operators[dimension->second].push_back(node);
        continue;
      }
    }
    space.dims.push_back({name, GeneGroup::precision, true, choices});
    space.operators.push_back({node});
  }
  return space;
}

Design ModelSpace::decode(const Genome& genome) const {
  Design decoded = design;
  decoded.precision.operators.resize(design.network.size());
  for (const auto& [node, format] : fixed) decoded.precision.operators[node] = format;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    for (const NodeId node : operators[i]) decoded.precision.operators[node] = formats[genome.genes[i]];
  }
  return decoded;
}

}  // namespace ridgeline
