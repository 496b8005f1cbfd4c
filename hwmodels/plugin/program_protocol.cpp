#include "hwmodels/plugin/program_protocol.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

const std::string version_key = "ridgeline_hwmodel";

std::string line_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json layer_json(const PluginLayer& layer) {
  const LayerKey& key = layer.layer.key;
  return {{"name", layer.name},
          {"kind", name_of(key.kind)},
          {"activation", key.activation == OpKind::identity ? Json() : Json(name_of(key.activation))},
          {"adds", key.add},
          {"entry", key.entry},
          {"exit", key.exit},
          {"batch", key.batch},
          {"in", key.in},
          {"out", key.out},
          {"kernel", key.kernel},
          {"stride", key.stride},
          {"dilation", key.dilation},
          {"groups", key.groups},
          {"weights", key.weights.text()},
          {"activations", key.activations.text()},
          {"stored_in", key.stored_in.text()},
          {"stored_out", key.stored_out.text()},
          {"macs", layer.layer.macs},
          {"weight_bytes", layer.layer.weight_bytes},
          {"input_bytes", layer.layer.input_bytes},
          {"output_bytes", layer.layer.output_bytes},
          {"inputs", layer.inputs}};
}

// JSON has no NaN, and many writers write it all the same.
JsonDocument parsed(const std::string& line, const std::string& origin) {
  try {
    return JsonDocument::parse(line, origin);
  } catch (const ConfigError& error) {
    Problem problem = error.problems().front();
    const bool number = line.find("NaN") != std::string::npos || line.find("Infinity") != std::string::npos;
    if (number) {
      problem.expected = "JSON with finite numbers";
      problem.remedy = R"(where there is no number, answer {"failed": "why"})";
    } else {
      problem.found = fmt::format("\"{}\"", plain_words(line, 80));
      problem.remedy = "what else it has to say belongs on its standard error";
    }
    throw ConfigError(std::move(problem));
  }
}

void read_layers(JsonReader& cost, const PluginDesign& design, PluginAnswer& answer) {
  if (!cost.has("layers")) return;
  std::vector<JsonReader> layers = cost.array("layers");
  if (layers.size() != design.layers.size()) {
    cost.note("layers", "one entry a layer", "another number");
    return;
  }
  for (JsonReader& layer : layers) {
    if (!layer.value().is_object()) {
      layer.note("", "an object", describe(layer.value()));
      return;
    }
    answer.layer_latency_s.push_back(layer.number("latency_s", {.fallback = 0.0}));
    answer.layer_energy_j.push_back(layer.number("energy_j", {.fallback = 0.0}));
    answer.layer_bound_by.push_back(layer.string("bound_by", ""));
    layer.finish();
  }
}

void read_resources(JsonReader& cost, const PluginAbilities& abilities, PluginAnswer& answer) {
  if (abilities.resources.empty()) return;
  const bool required = answer.unsupported.empty();
  std::optional<JsonReader> resources = cost.object("resources", required);
  if (!resources) return;
  for (const std::string& name : abilities.resources) answer.resources.push_back(resources->number(name));
  resources->finish();
}

PluginAnswer read_cost(JsonReader cost, std::vector<Problem>& problems, const PluginDesign& design,
                       const PluginAbilities& abilities) {
  PluginAnswer answer;
  if (!cost.value().is_object()) {
    cost.note("", "an object", describe(cost.value()));
  } else if (cost.has("failed")) {
    answer.failed = cost.string("failed");
    if (answer.failed.empty()) answer.failed = "it failed and says no reason";
  } else {
    if (cost.has("unsupported")) {
      answer.unsupported = cost.string("unsupported");
      if (answer.unsupported.empty()) answer.unsupported = "it says no reason";
    } else {
      answer.latency_s = cost.number("latency_s");
      answer.energy_j = abilities.energy ? cost.number("energy_j") : cost.number("energy_j", {.fallback = 0.0});
      read_layers(cost, design, answer);
    }
    read_resources(cost, abilities, answer);
    cost.finish();
  }
  if (problems.empty()) return answer;
  const Problem& first = problems.front();
  answer.failed = fmt::format("in its cost {}{}expected {}, found {}", first.path, first.path.empty() ? "" : ": ",
                              first.expected, first.found);
  if (!first.remedy.empty()) answer.failed += "; " + first.remedy;
  return answer;
}

}  // namespace

std::string hello_line(const std::string& name, const Json& options) {
  return line_of({{version_key, program_protocol_version}, {"name", name}, {"options", options}});
}

PluginAbilities read_hello(const std::string& line, const std::string& origin) {
  JsonDocument document = parsed(line, origin);
  JsonReader root = document.root();
  const Json* version = root.any(version_key, true);
  if (version != nullptr && *version != program_protocol_version) {
    throw ConfigError(Problem{origin, version_key, fmt::format("version {} of the protocol", program_protocol_version),
                              "version " + plain_words(line_of(*version), 40),
                              "write it for this version, see hwmodels/examples"});
  }
  PluginAbilities abilities;
  abilities.energy = root.boolean("energy", false);
  abilities.fingerprint = root.string("fingerprint", "");
  for (JsonReader& resource : root.array("resources", false)) {
    abilities.resources.push_back(resource.string("name"));
    abilities.available.push_back(resource.number("available", {.fallback = 0.0, .least = 0.0}));
    resource.finish();
  }
  root.finish();
  if (const std::string problem = problem_of(abilities); !problem.empty()) {
    root.note("resources", "resources with names and limits", problem);
  }
  document.raise();
  return abilities;
}

std::string request_line(std::int64_t batch, std::span<const PluginDesign> designs) {
  Json list = Json::array();
  for (const PluginDesign& design : designs) {
    Json layers = Json::array();
    for (const PluginLayer& layer : design.layers) layers.push_back(layer_json(layer));
    Json one{{"layers", std::move(layers)},
             {"weight_bytes", design.started.weight_bytes},
             {"peak_bytes", design.started.peak_bytes}};
    if (design.hardware != nullptr) one["hardware"] = *design.hardware;
    if (design.schedule != nullptr) one["schedule"] = *design.schedule;
    list.push_back(std::move(one));
  }
  return line_of({{"batch", batch}, {"designs", std::move(list)}});
}

std::vector<PluginAnswer> read_answer(const std::string& line, std::int64_t batch,
                                      std::span<const PluginDesign> designs, const PluginAbilities& abilities) {
  const std::string origin = "its answer";
  JsonDocument document = parsed(line, origin);
  JsonReader root = document.root();
  if (document.problems().empty() && root.integer("batch") != batch) {
    root.note("batch", "the number of the request", "another");
  }
  const Json* costs = root.any("costs", true);
  if (costs != nullptr && !costs->is_array()) root.note("costs", "a list", describe(*costs));
  root.finish();
  document.raise();
  if (costs->size() != designs.size()) {
    throw ConfigError(Problem{origin, "costs", "as many costs as designs", std::to_string(costs->size()), ""});
  }
  std::vector<PluginAnswer> answers;
  for (std::size_t i = 0; i < designs.size(); ++i) {
    std::vector<Problem> problems;
    answers.push_back(read_cost(JsonReader((*costs)[i], "", origin, problems), problems, designs[i], abilities));
  }
  return answers;
}

}  // namespace ridgeline
