#include "spaces/template_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace ridgeline {
namespace {

constexpr std::size_t most_steps = 20'000;
constexpr std::size_t most_blocks = 1'000;
constexpr std::size_t most_calls_deep = 64;
constexpr std::size_t most_networks = 16;

const std::vector<std::string> call_keys = {"call", "from", "as", "weights", "activations"};

}  // namespace

std::string unfit_name(const std::string& name) {
  const auto fits = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  if (name.empty() || name.size() > 64 || !std::all_of(name.begin(), name.end(), fits) ||
      std::isdigit(static_cast<unsigned char>(name.front())) != 0) {
    return "a name of letters, digits and _, not beginning with a digit";
  }
  const std::span<const std::string> reserved = reserved_words();
  const bool taken = std::find(reserved.begin(), reserved.end(), name) != reserved.end();
  return taken ? "a name that the language does not use itself" : "";
}

const TensorNames::Entry* TensorNames::find(const std::string& name) const {
  for (const TensorNames* names = this; names != nullptr; names = names->parent_) {
    if (const auto it = names->entries_.find(name); it != names->entries_.end()) return &it->second;
  }
  return nullptr;
}

std::vector<std::string> TensorNames::known() const {
  std::vector<std::string> known{"current"};
  for (const TensorNames* names = this; names != nullptr; names = names->parent_) {
    for (const auto& [name, entry] : names->entries_) known.push_back(name);
  }
  return known;
}

NetworkTemplate NetworkTemplate::read(JsonReader& root, JsonDocument& document, Expressions& pool,
                                      const Scope& globals) {
  return TemplateReader(document, pool, globals).read(root);
}

NetworkTemplate TemplateReader::read(JsonReader& root) {
  template_.origin_ = document_.origin();
  std::vector<std::pair<std::string, JsonReader>> blocks = root.members("blocks", false);
  if (blocks.size() > most_blocks) {
    root.note("blocks", fmt::format("at most {} blocks", most_blocks), fmt::format("{}", blocks.size()));
    blocks.clear();
  }
  for (const auto& [name, reader] : blocks) read_header(name, reader);
  for (std::uint32_t i = 0; i < blocks.size(); ++i) read_block(i, blocks[i].second);
  read_networks(root);
  check_cycles();
  resolve_words();
  return std::move(template_);
}

void TemplateReader::read_header(const std::string& name, JsonReader reader) {
  if (const std::string why = unfit_name(name); !why.empty()) reader.note("", why, fmt::format("'{}'", name));
  Header header;
  for (const std::string& argument : reader.strings("arguments", false)) {
    if (!usable_name(reader, "arguments", argument)) continue;
    if (std::find(call_keys.begin(), call_keys.end(), argument) != call_keys.end()) {
      reader.note("arguments", "a name that a call does not use itself", fmt::format("'{}'", argument),
                  "choose another name");
      continue;
    }
    if (std::find(header.arguments.begin(), header.arguments.end(), argument) != header.arguments.end()) {
      reader.note("arguments", "every argument once", fmt::format("'{}' twice", argument));
      continue;
    }
    header.arguments.push_back(argument);
  }
  if (std::optional<JsonReader> defaults = reader.object("defaults", false)) {
    for (const auto& [argument, value] : defaults->value().items()) {
      if (std::find(header.arguments.begin(), header.arguments.end(), argument) == header.arguments.end()) {
        defaults->note(argument, "an argument of the block", fmt::format("'{}'", argument),
                       known_words(argument, header.arguments));
        continue;
      }
      header.defaults[argument] = compile(*defaults, argument, globals_, Type::any);
    }
  }
  names_.push_back(name);
  headers_.push_back(std::move(header));
  Block block;
  block.name = name;
  template_.blocks_.push_back(std::move(block));
}

void TemplateReader::read_block(std::uint32_t block, JsonReader reader) {
  Scope values(&globals_);
  TensorNames tensors;
  tensors.declare("input", {0, true});
  for (const std::string& argument : headers_[block].arguments) {
    values.declare(argument, {Symbol::Kind::local, Type::any, {}, template_.blocks_[block].locals++});
  }
  Body body = read_body(reader.array("body"), {block, values, tensors});
  template_.blocks_[block].body = std::move(body);
  reader.string("about", "");
  reader.any("arguments");
  reader.any("defaults");
  reader.finish();
}

void TemplateReader::read_networks(JsonReader& root) {
  network_ = static_cast<std::uint32_t>(template_.blocks_.size());
  if (!root.has("networks")) {
    if (std::optional<JsonReader> reader = root.object("network")) read_network("input", *reader);
    return;
  }
  if (root.has("network")) root.note("network", "\"network\" or \"networks\"", "both", "make it one of the networks");
  root.any("network");
  std::vector<std::pair<std::string, JsonReader>> networks = root.members("networks");
  if (networks.empty() && root.value()["networks"].is_object()) root.note("networks", "at least one network", "none");
  if (networks.size() > most_networks) {
    root.note("networks", fmt::format("at most {} networks", most_networks), fmt::format("{}", networks.size()));
  }
  for (auto& [name, reader] : networks) {
    const bool is_block = std::find(names_.begin(), names_.end(), name) != names_.end();
    if (const std::string why = unfit_name(name); !why.empty()) reader.note("", why, fmt::format("'{}'", name));
    if (is_block) reader.note("", "a name that no block has", fmt::format("'{}'", name), "rename one");
    if (!reader.value().is_object()) {
      reader.note("", "a network: an object with input and body", describe(reader.value()));
      continue;
    }
    read_network(name, reader);
  }
}

void TemplateReader::read_network(const std::string& name, JsonReader& reader) {
  NetworkTemplate::Root network{name,    reader.path(), static_cast<std::uint32_t>(template_.blocks_.size()), {}, {},
                                no_expr, no_expr};
  template_.blocks_.emplace_back();
  names_.push_back(name);
  headers_.emplace_back();
  Scope values(&globals_);
  TensorNames tensors;
  tensors.declare("input", {0, true});
  const Place place{network.block, values, tensors};
  const std::vector<JsonReader> input = reader.array("input");
  if (reader.has("input") && (input.empty() || input.size() > 3)) {
    reader.note("input", "1 to 3 extents without the batch, [channels, height, width] for an image",
                describe(reader.value()["input"]));
  }
  for (std::size_t i = 0; i < input.size(); ++i) {
    try {
      network.input.push_back(pool_.compile(input[i].value(), globals_, Type::number));
    } catch (const ExpressionError& error) {
      reader.note(fmt::format("input[{}]", i), error.expected, error.found, error.remedy);
    }
  }
  read_formats(reader, globals_, network.weights, network.activations);
  Body body = read_steps(reader.array("body"), place);
  template_.blocks_[network.block].body = std::move(body);
  for (const std::string& output : reader.strings("outputs", false)) {
    if (const std::optional<TensorRef> found = tensor(reader, "outputs", output, place, false)) {
      network.outputs.push_back(*found);
    }
  }
  reader.string("about", "");
  reader.finish();
  template_.networks_.push_back(std::move(network));
}

// Blocks that call each other in a circle would be built for ever.
void TemplateReader::check_cycles() {
  if (headers_.empty()) return;
  std::vector<int> depth(headers_.size(), 0);  // 0: not visited, else one more than the calls below
  std::vector<std::uint32_t> path;
  for (std::uint32_t block = 0; block < headers_.size(); ++block) {
    path.clear();
    if (!visit(block, path, depth)) return;
  }
  const int deepest = *std::max_element(depth.begin(), depth.end());
  if (deepest > static_cast<int>(most_calls_deep)) {
    document_.note({document_.origin(), "blocks", fmt::format("calls nested at most {} deep", most_calls_deep),
                    fmt::format("{}", deepest - 1), ""});
  }
}

bool TemplateReader::visit(std::uint32_t block, std::vector<std::uint32_t>& path, std::vector<int>& depth) {
  const auto seen = std::find(path.begin(), path.end(), block);
  if (seen != path.end()) {
    std::string cycle;
    for (auto it = seen; it != path.end(); ++it) cycle += names_[*it] + " -> ";
    document_.note({document_.origin(), "blocks." + names_[block], "blocks that do not call themselves",
                    "a cyclic template: " + cycle + names_[block], "use \"repeat\" to build something many times"});
    return false;
  }
  if (depth[block] > 0) return true;
  path.push_back(block);
  int deepest = 0;
  for (const std::uint32_t callee : headers_[block].calls) {
    if (!visit(callee, path, depth)) return false;
    deepest = std::max(deepest, depth[callee]);
  }
  path.pop_back();
  depth[block] = deepest + 1;
  return true;
}

// Words that are formats or activations are recognised once, so that building compares no strings.
void TemplateReader::resolve_words() {
  for (std::uint32_t word = 0; word < pool_.words(); ++word) {
    const std::string& text = pool_.text_of(word);
    std::optional<Format> format;
    try {
      format = Format::parse(text);
    } catch (const ConfigError&) {  // most words are none
    }
    template_.formats_.push_back(format);
    const auto name = std::find(op_names().begin(), op_names().end(), text);
    std::optional<OpKind> kind;
    if (name != op_names().end()) kind = static_cast<OpKind>(name - op_names().begin());
    if (kind && !is_activation(*kind)) kind = std::nullopt;
    if (text == "none") kind = OpKind::identity;
    template_.activation_kinds_.push_back(kind);
  }
}

// Each body is a scope of its own: what is named in it is gone after it.
Body TemplateReader::read_body(std::vector<JsonReader> steps, const Place& outer) {
  Scope values(&outer.values);
  TensorNames tensors(&outer.tensors);
  return read_steps(std::move(steps), {outer.block, values, tensors});
}

Body TemplateReader::read_steps(std::vector<JsonReader> steps, const Place& place) {
  Body body;
  for (JsonReader& reader : steps) {
    if (++steps_ == most_steps + 1) reader.note("", fmt::format("at most {} steps in a file", most_steps), "more");
    if (steps_ > most_steps) break;
    if (reader.value().is_object()) {
      read_step(reader, place, body);
    } else {
      reader.note("", "a step: an object with one of op, activate, call, repeat, if, switch, let, or as",
                  describe(reader.value()));
    }
  }
  return body;
}

Expr TemplateReader::compile(JsonReader& reader, const std::string& key, const Scope& scope, Type type, bool required) {
  const Json* value = reader.any(key);
  if (value == nullptr) {
    if (required) reader.note(key, std::string(name_of(type)), "nothing", "add the key");
    return no_expr;
  }
  try {
    return pool_.compile(*value, scope, type);
  } catch (const ExpressionError& error) {
    reader.note(key, error.expected, error.found, error.remedy);
    return no_expr;
  }
}

bool TemplateReader::usable_name(JsonReader& reader, const std::string& key, const std::string& name) {
  const std::string why = unfit_name(name);
  if (!why.empty()) reader.note(key, why, fmt::format("'{}'", name), "choose another name");
  return why.empty();
}

}  // namespace ridgeline
