// Reading one step of a body, by its kind.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "spaces/template_reader.hpp"

namespace ridgeline {
namespace {

const std::vector<std::string> step_kinds = {"op", "activate", "call", "repeat", "if", "switch", "let"};

std::vector<std::string> operator_words() {
  std::vector<std::string> words(op_names().begin(), op_names().end());
  std::erase(words, "input");
  return words;
}

bool takes_many(OpKind kind) { return kind == OpKind::add || kind == OpKind::mul || kind == OpKind::concat; }

bool takes_formats(OpKind kind) { return kind == OpKind::conv2d || kind == OpKind::linear || kind == OpKind::matmul; }

}  // namespace

// The one key that says what a step is; empty for a step that only names.
std::string TemplateReader::kind_of(JsonReader& reader) {
  std::vector<std::string> found;
  for (const std::string& kind : step_kinds) {
    if (reader.has(kind)) found.push_back(kind);
  }
  if (found.size() == 1) return found.front();
  if (found.size() > 1) {
    reader.note("", "one kind of step", fmt::format("'{}' and '{}'", found[0], found[1]), "make two steps of it");
    return "?";
  }
  if (reader.has("as")) return "";
  std::vector<std::string> words = step_kinds;
  words.insert(words.end(), {"from", "as", "about"});
  for (const auto& [key, value] : reader.value().items()) {
    if (std::find(words.begin(), words.end(), key) != words.end()) continue;
    reader.note(key, "a step with one of op, activate, call, repeat, if, switch, let, or as", fmt::format("'{}'", key),
                known_words(key, words));
    return "?";
  }
  reader.note("", "a step with one of op, activate, call, repeat, if, switch, let, or as", describe(reader.value()));
  return "?";
}

void TemplateReader::read_step(JsonReader& reader, const Place& place, Body& body) {
  const std::string kind = kind_of(reader);
  if (kind == "?") return;
  TemplateStep step;
  step.path = reader.path();
  reader.string("about", "");
  read_from(reader, place, step);
  if (kind == "op") read_operator(reader, place, step);
  if (kind == "activate") read_activation(reader, place, step);
  if (kind == "call") read_call(reader, place, step);
  if (kind == "repeat") read_repeat(reader, place, step);
  if (kind == "if") read_if(reader, place, step);
  if (kind == "switch") read_switch(reader, place, step);
  if (kind == "let") read_let(reader, place, step);
  if (kind == "call" || kind == "repeat" || kind == "if" || kind == "switch") {
    read_formats(reader, place.values, step.weights, step.activations);
  }
  read_as(reader, place, step);
  if (step.as) step.name = step.as->name;
  const bool only_network = place.block == network_ && names_[place.block] == "input";
  if (!only_network) step.name = names_[place.block] + "." + step.name;
  const bool many = step.kind == TemplateStep::Kind::call || step.kind == TemplateStep::Kind::operate;
  if (step.from.size() > 1 && !many) reader.note("from", "one tensor", fmt::format("{}", step.from.size()));
  reader.finish();
  body.push_back(std::move(step));
}

void TemplateReader::read_operator(JsonReader& reader, const Place& place, TemplateStep& step) {
  static const std::vector<std::string> words = operator_words();
  step.kind = TemplateStep::Kind::operate;
  const Json* value = reader.any("op");
  const auto known =
      value->is_string() ? std::find(words.begin(), words.end(), value->get<std::string>()) : words.end();
  if (known == words.end()) {
    const std::string found = value->is_string() ? value->get<std::string>() : std::string();
    reader.note("op", "an operator", value->is_string() ? fmt::format("'{}'", found) : describe(*value),
                known_words(found, words));
    for (const auto& [key, unused] : reader.value().items()) reader.any(key);  // its attributes cannot be judged
    return;
  }
  const auto index = std::find(op_names().begin(), op_names().end(), *known) - op_names().begin();
  step.op.kind = static_cast<OpKind>(index);
  if (step.op.kind == OpKind::softmax) step.op.axis = -1;
  if (step.op.kind == OpKind::linear) step.op.bias = true;
  const std::size_t least = takes_many(step.op.kind) || step.op.kind == OpKind::matmul ? 2 : 1;
  const std::size_t given = std::max<std::size_t>(step.from.size(), 1);
  if (given < least || (given > 1 && !takes_many(step.op.kind) && given != least)) {
    reader.note("from",
                least == 1                       ? "one tensor"
                : step.op.kind == OpKind::matmul ? "two tensors"
                                                 : "two tensors or more",
                fmt::format("{}", given), least == 2 ? "for example [\"input\", \"current\"]" : "");
  }
  read_attributes(reader, place, step);
  if (takes_formats(step.op.kind)) read_formats(reader, place.values, step.weights, step.activations);
  step.name = *known;
}

void TemplateReader::read_attributes(JsonReader& reader, const Place& place, TemplateStep& step) {
  const OperatorRow& row = operator_row(step.op.kind);
  std::vector<std::pair<Attribute, bool>> attributes;
  for (const Attribute attribute : row.required) attributes.emplace_back(attribute, true);
  for (const Attribute attribute : row.optional) attributes.emplace_back(attribute, false);
  for (const auto& [attribute, required] : attributes) {
    const std::string& key = attribute_names()[static_cast<std::size_t>(attribute)];
    if (attribute == Attribute::padding && (!reader.has(key) || reader.value()[key] == "same")) {
      reader.any(key);
      step.same_padding = true;
      continue;
    }
    const Expr expr = compile(reader, key, place.values, Type::any, required);
    if (expr == no_expr) continue;
    const std::optional<Value> known = pool_.constant(expr);
    if (!known) {
      step.attributes.emplace_back(attribute, expr);
      continue;
    }
    try {
      set_attribute(step.op, attribute, *known, pool_, {}, step.same_padding);
    } catch (const ExpressionError& error) {
      reader.note(key, error.expected, error.found, error.remedy);
    }
  }
}

void TemplateReader::read_activation(JsonReader& reader, const Place& place, TemplateStep& step) {
  step.kind = TemplateStep::Kind::activate;
  step.value = compile(reader, "activate", place.values, Type::string);
  step.name = "activation";
}

void TemplateReader::read_call(JsonReader& reader, const Place& place, TemplateStep& step) {
  step.kind = TemplateStep::Kind::call;
  const std::vector<std::string> blocks(names_.begin(), names_.end());
  const std::string name = reader.string("call");
  const auto found = std::find(blocks.begin(), blocks.end(), name);
  const std::size_t declared = network_ == no_slot ? blocks.size() : network_;
  const auto block = static_cast<std::uint32_t>(found - blocks.begin());
  if (found == blocks.end() || block >= declared) {
    std::vector<std::string> known(blocks.begin(), blocks.begin() + static_cast<std::ptrdiff_t>(declared));
    if (reader.value()["call"].is_string()) {
      reader.note("call", "a block of this file", fmt::format("'{}'", name), known_words(name, known));
    }
    for (const auto& [key, unused] : reader.value().items()) reader.any(key);
    return;
  }
  step.slot = block;
  headers_[place.block].calls.insert(block);
  if (step.from.size() > tensors_an_array) {
    reader.note("from", fmt::format("at most {} tensors", tensors_an_array), fmt::format("{}", step.from.size()));
  }
  const Header& header = headers_[block];
  for (std::uint32_t slot = 0; slot < header.arguments.size(); ++slot) {
    const std::string& argument = header.arguments[slot];
    const auto fallback = header.defaults.find(argument);
    Expr expr = compile(reader, argument, place.values, Type::any, fallback == header.defaults.end());
    if (expr == no_expr && fallback != header.defaults.end()) expr = fallback->second;
    step.assignments.emplace_back(slot, expr);
  }
}

void TemplateReader::read_repeat(JsonReader& reader, const Place& place, TemplateStep& step) {
  step.kind = TemplateStep::Kind::repeat;
  step.value = compile(reader, "repeat", place.values, Type::number);
  Scope values(&place.values);
  if (const std::string index = reader.string("index", ""); !index.empty() && usable_name(reader, "index", index)) {
    step.slot = template_.blocks_[place.block].locals++;
    values.declare(index, {Symbol::Kind::local, Type::number, {}, step.slot});
  }
  step.cases.emplace_back();
  step.cases.back().body = read_body(reader.array("body"), {place.block, values, place.tensors});
}

void TemplateReader::read_if(JsonReader& reader, const Place& place, TemplateStep& step) {
  step.kind = TemplateStep::Kind::branch;
  step.value = compile(reader, "if", place.values, Type::boolean);
  for (const bool truth : {true, false}) {
    Case option;
    option.when = Value::of(truth);
    option.body = read_body(reader.array(truth ? "then" : "else", truth), place);
    if (truth || reader.has("else")) step.cases.push_back(std::move(option));
  }
}

void TemplateReader::read_switch(JsonReader& reader, const Place& place, TemplateStep& step) {
  step.kind = TemplateStep::Kind::choose;
  step.value = compile(reader, "switch", place.values, Type::any);
  if (std::optional<JsonReader> cases = reader.object("cases")) {
    for (const auto& [key, unused] : cases->value().items()) {
      const std::optional<Value> when = read_case(*cases, key, step);
      Case option;
      if (when) option.when = *when;
      option.body = read_body(cases->array(key), place);
      step.cases.push_back(std::move(option));
    }
    if (cases->value().empty()) cases->note("", "at least one case", "none");
  }
  if (reader.has("default")) {
    Case option;
    option.otherwise = true;
    option.body = read_body(reader.array("default"), place);
    step.cases.push_back(std::move(option));
  }
}

// A case's key is text in JSON: it stands for the number or word that the choice it is compared with would be.
std::optional<Value> TemplateReader::read_case(JsonReader& reader, const std::string& key, const TemplateStep& step) {
  double number = 0.0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), number);
  const bool numeric = error == std::errc() && end == key.data() + key.size();
  const bool truth = key == "true" || key == "false";
  const Value word{Value::Kind::string, pool_.word(key), 0, 0.0};
  const Type type = step.value == no_expr ? Type::any : pool_.type(step.value);
  const std::optional<std::uint32_t> array = step.value == no_expr ? std::nullopt : pool_.element_of(step.value);
  if (array) {  // a dimension's choices are known, so a case that none of them takes is a slip
    std::vector<std::string> known;
    for (const Value& choice : pool_.genes(*array).choices) {
      if (pool_.equal(choice, word) || (numeric && pool_.equal(choice, Value::of(number))) ||
          (truth && pool_.equal(choice, Value::of(key == "true")))) {
        return choice;
      }
      const Json json = pool_.json(choice);
      known.push_back(json.is_string() ? json.get<std::string>() : json.dump());
    }
    reader.note(key, "one of the dimension's choices", fmt::format("'{}'", key), known_words(key, known));
    return std::nullopt;
  }
  if (type == Type::number && !numeric) {
    reader.note(key, "a number, as the switch is one", fmt::format("'{}'", key));
    return std::nullopt;
  }
  if (type == Type::boolean && truth) return Value::of(key == "true");
  return numeric && type != Type::string ? Value::of(number) : word;
}

void TemplateReader::read_let(JsonReader& reader, const Place& place, TemplateStep& step) {
  step.kind = TemplateStep::Kind::let;
  std::optional<JsonReader> values = reader.object("let");
  if (!values) return;
  std::vector<std::pair<std::string, Symbol>> declared;
  for (const auto& [name, unused] : values->value().items()) {
    const Expr expr = compile(*values, name, place.values, Type::any);
    if (!usable_name(*values, name, name)) continue;
    const std::uint32_t slot = template_.blocks_[place.block].locals++;
    const Type type = expr == no_expr ? Type::any : pool_.type(expr);
    declared.emplace_back(name, Symbol{Symbol::Kind::local, type, {}, slot});
    step.assignments.emplace_back(slot, expr);
  }
  for (const auto& [name, symbol] : declared) place.values.declare(name, symbol);
}

void TemplateReader::read_from(JsonReader& reader, const Place& place, TemplateStep& step) {
  if (!reader.has("from")) return;
  const Json& value = reader.value()["from"];
  std::vector<std::string> names;
  if (value.is_string()) {
    reader.any("from");
    names.push_back(value.get<std::string>());
  } else {
    names = reader.strings("from");
    if (value.is_array() && value.empty()) reader.note("from", "a tensor or a list of tensors", "an empty list");
  }
  for (const std::string& name : names) {
    if (const std::optional<TensorRef> ref = tensor(reader, "from", name, place, false)) step.from.push_back(*ref);
  }
}

void TemplateReader::read_as(JsonReader& reader, const Place& place, TemplateStep& step) {
  const std::string name = reader.string("as", "");
  if (reader.has("as")) step.as = tensor(reader, "as", name, place, true);
}

void TemplateReader::read_formats(JsonReader& reader, const Scope& scope, Expr& weights, Expr& activations) {
  for (const char* key : {"weights", "activations"}) {
    if (!reader.has(key)) continue;
    const Expr expr = compile(reader, key, scope, Type::string);
    if (expr == no_expr) continue;
    if (const std::optional<Value> word = pool_.constant(expr)) {
      try {
        Format::parse(pool_.text_of(word->first));
      } catch (const ConfigError& error) {
        const Problem& problem = error.problems().front();
        reader.note(key, problem.expected, problem.found, problem.remedy);
      }
    }
    (key == std::string("weights") ? weights : activations) = expr;
  }
}

// "name" or "name[index]". A name that is not known yet is declared in this body where `declares`.
std::optional<TensorRef> TemplateReader::tensor(JsonReader& reader, const std::string& key, const std::string& text,
                                                const Place& place, bool declares) {
  TensorRef ref;
  ref.name = text;
  const std::size_t bracket = text.find('[');
  const std::string name = text.substr(0, bracket);
  const bool indexed = bracket != std::string::npos;
  if (!declares && text == "current") return ref;
  if (indexed && text.back() != ']') {
    reader.note(key, "a tensor's name, or name[index]", fmt::format("'{}'", text));
    return std::nullopt;
  }
  const TensorNames::Entry* entry = place.tensors.find(name);
  if (entry == nullptr && !declares) {
    reader.note(key, "a tensor that was named before", fmt::format("'{}'", name),
                known_words(name, place.tensors.known()));
    return std::nullopt;
  }
  if (entry == nullptr || (declares && name == "input")) {
    if (!usable_name(reader, key, name)) return std::nullopt;
    std::uint32_t& slots = template_.blocks_[place.block].tensors;
    place.tensors.declare(name, {slots, indexed});
    slots += indexed ? tensors_an_array : 1;
    entry = place.tensors.find(name);
    ref.fresh = indexed;
  }
  const bool bare_input = name == "input" && !indexed;  // the first of input[]
  if (entry->array != indexed && !bare_input) {
    reader.note(key, entry->array ? fmt::format("an index: {}[...]", name) : fmt::format("'{}' without an index", name),
                fmt::format("'{}'", text));
    return std::nullopt;
  }
  ref.slot = entry->slot;
  if (!indexed) return ref;
  try {
    ref.index = pool_.compile(std::string_view(text).substr(bracket + 1, text.size() - bracket - 2), place.values,
                              Type::number);
  } catch (const ExpressionError& error) {
    reader.note(key, error.expected, error.found, error.remedy);
    return std::nullopt;
  }
  return ref;
}

}  // namespace ridgeline
