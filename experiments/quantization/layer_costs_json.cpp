// Layer costs as a file holds them.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "experiments/quantization/layer_costs.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

constexpr std::int64_t version = 1;
constexpr std::int64_t most_nodes = 0xffffffff;

const std::vector<std::string>& kind_words() {  // in the order of PlanPart::Kind
  static const std::vector<std::string> words{"operator", "other", "store", "fetch"};
  return words;
}

std::size_t index_of(const std::vector<std::string>& words, const std::string& word) {
  return static_cast<std::size_t>(std::ranges::find(words, word) - words.begin());
}

const std::vector<std::string>& from_words(const LayerCosts& costs, PlanPart::Kind kind) {
  return kind == PlanPart::Kind::op ? costs.words : costs.tensor_words;
}

Json part_json(const LayerCosts& costs, const PartCost& cost) {
  const PlanPart& part = cost.part;
  return {{"part", kind_words()[static_cast<std::size_t>(part.kind)]},
          {"node", part.node},
          {"result", part.result},
          {"from", from_words(costs, part.kind)[part.from]},
          {"to", costs.tensor_words[part.to]},
          {"context", part.context},
          {"seconds", cost.seconds},
          {"mad_s", cost.mad_s},
          {"plans", cost.plans},
          {"signature", cost.signature}};
}

// A word of `known` as its index; notes another one.
std::size_t read_word(JsonReader& reader, const std::string& key, const std::vector<std::string>& known) {
  return known.empty() ? 0 : index_of(known, reader.word(key, known));
}

PartCost read_part(JsonReader& reader, const LayerCosts& costs) {
  PartCost cost;
  PlanPart& part = cost.part;
  part.kind = static_cast<PlanPart::Kind>(read_word(reader, "part", kind_words()));
  part.node = static_cast<NodeId>(reader.integer("node", {.least = 0, .most = most_nodes}));
  part.result = static_cast<NodeId>(reader.integer("result", {.least = 0, .most = most_nodes}));
  part.from = static_cast<std::uint8_t>(read_word(reader, "from", from_words(costs, part.kind)));
  part.to = static_cast<std::uint8_t>(read_word(reader, "to", costs.tensor_words));
  part.context = static_cast<std::uint32_t>(reader.integer("context", {.least = 0, .most = most_nodes}));
  cost.seconds = reader.number("seconds", {.least = 0});
  cost.mad_s = reader.number("mad_s", {.least = 0});
  cost.plans = reader.integer("plans", {.least = 1});
  cost.signature = reader.string("signature");
  reader.finish();
  return cost;
}

std::uint64_t read_hash(JsonReader& root, const std::string& key) {
  const std::string text = root.string(key);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size() || hex64(value) != text) {
    if (root.has(key)) root.note(key, "sixteen hexadecimal digits", "'" + text + "'");
  }
  return value;
}

// At least one word, and few enough for an index of 8 bits.
std::vector<std::string> read_words(JsonReader& root, const std::string& key) {
  std::vector<std::string> words = root.strings(key);
  if (root.has(key) && (words.empty() || words.size() > 200)) {
    root.note(key, "1 to 200 words", fmt::format("{}", words.size()));
    words.clear();
  }
  return words;
}

}  // namespace

Json to_json(const LayerCosts& costs) {
  Json json{{"ridgeline_layer_costs", version},
            {"threads", costs.threads},
            {"network", hex64(costs.network_hash)},
            {"environment", costs.environment},
            {"operators", costs.names},
            {"formats", costs.words},
            {"tensor_formats", costs.tensor_words},
            {"factor", costs.factor},
            {"left_out", Json::array()},
            {"uniform", Json::array()},
            {"parts", Json::array()}};
  for (const LeftOut& out : costs.left_out) {
    json["left_out"].push_back(
        {{"operator", costs.names[out.dimension]}, {"format", costs.words[out.choice]}, {"why", out.why}});
  }
  for (const UniformTiming& one : costs.uniform) {
    json["uniform"].push_back(
        {{"format", costs.words[one.choice]}, {"whole_s", one.whole_s}, {"steps_s", one.steps_s}});
  }
  for (const PartCost& cost : costs.parts) json["parts"].push_back(part_json(costs, cost));
  return json;
}

Json to_json(std::span<const LayerCostRow> rows) {
  Json json = Json::array();
  for (const LayerCostRow& row : rows) {
    json.push_back({{"layer", row.layer},
                    {"format", row.format},
                    {"microseconds", 1e6 * row.latency_s},
                    {"mad_us", 1e6 * row.mad_s},
                    {"plans", row.plans}});
  }
  return json;
}

LayerCosts read_layer_costs(JsonDocument document) {
  JsonReader root = document.root();
  LayerCosts costs;
  const std::int64_t found = root.integer("ridgeline_layer_costs");
  if (root.has("ridgeline_layer_costs") && found != version) {
    root.note("ridgeline_layer_costs", fmt::format("version {}", version), fmt::format("version {}", found),
              "measure the costs again");
    document.raise();
  }
  costs.threads = static_cast<int>(root.integer("threads", {.least = 1, .most = 1 << 16}));
  costs.network_hash = read_hash(root, "network");
  costs.environment = root.string("environment");
  costs.names = root.strings("operators");
  costs.words = read_words(root, "formats");
  costs.tensor_words = read_words(root, "tensor_formats");
  costs.factor = root.number("factor", {.least = std::numeric_limits<double>::min()});
  for (JsonReader& reader : root.array("left_out")) {
    LeftOut out{read_word(reader, "operator", costs.names), read_word(reader, "format", costs.words),
                reader.string("why")};
    reader.finish();
    costs.left_out.push_back(std::move(out));
  }
  for (JsonReader& reader : root.array("uniform")) {
    UniformTiming one{read_word(reader, "format", costs.words), 0.0, 0.0};
    one.whole_s = reader.number("whole_s", {.least = 0});
    one.steps_s = reader.number("steps_s", {.least = 0});
    reader.finish();
    costs.uniform.push_back(one);
  }
  for (JsonReader& reader : root.array("parts")) {
    PartCost cost = read_part(reader, costs);
    if (!costs.parts.empty() && cost.part <= costs.parts.back().part) {
      reader.note("", "parts in ascending order, each once", "one that is not above the one before it");
    }
    costs.parts.push_back(std::move(cost));
  }
  root.finish();
  document.raise();
  return costs;
}

}  // namespace ridgeline
