#include "experiments/allocation_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <variant>

#include "experiments/table_reader.hpp"
#include "spaces/json_reader.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t most_problems = 20;

std::optional<double> finite_number(const std::string& text) {
  double number = 0.0;
  const char* const end = text.data() + text.size();
  const auto [next, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || next != end || !std::isfinite(number)) return std::nullopt;
  return number;
}

// The columns that a description's patterns and products name, in the order they are read.
class Columns {
 public:
  std::size_t index(const std::string& name) {
    const auto found = std::ranges::find(names_, name);
    if (found != names_.end()) return static_cast<std::size_t>(found - names_.begin());
    names_.push_back(name);
    return names_.size() - 1;
  }
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::string> names_;
};

// The cells of one row, or of none where a description needs no file.
struct Row {
  const RawTable* table = nullptr;
  std::size_t row = 0, width = 0;
  const std::string& cell(std::size_t column) const { return table->cells[row * width + column]; }
  std::string place() const { return table == nullptr ? "" : table->places[row]; }
};

// "w{weight_bits}a{activation_bits}": text with columns in braces.
class Pattern {
 public:
  // Nothing where a brace is open at the end.
  static std::optional<Pattern> parse(const std::string& text, Columns& columns) {
    Pattern pattern;
    std::size_t at = 0;
    while (at < text.size()) {
      const std::size_t open = text.find('{', at);
      if (open > at) pattern.parts_.emplace_back(text.substr(at, open - at));
      if (open == std::string::npos) break;
      const std::size_t close = text.find('}', open);
      if (close == std::string::npos) return std::nullopt;
      pattern.parts_.emplace_back(columns.index(text.substr(open + 1, close - open - 1)));
      at = close + 1;
    }
    return pattern;
  }
  bool empty() const { return parts_.empty(); }
  std::string text(const Row& row) const {
    std::string text;
    for (const auto& part : parts_) {
      text += std::holds_alternative<std::string>(part) ? std::get<std::string>(part)
                                                        : row.cell(std::get<std::size_t>(part));
    }
    return text;
  }

 private:
  std::vector<std::variant<std::string, std::size_t>> parts_;  // text, or the column
};

// ["params", 0.5]: the product of columns and numbers.
struct Product {
  double factor = 1.0;
  std::vector<std::size_t> columns;
};

struct CostRule {
  std::size_t budget = 0;
  Product value;
  std::optional<Product> over;  // the cost is the mean of `value` over the layers, weighted by this
};

struct ChoiceRule {
  Pattern choice, format;
  std::map<std::string, Product> penalties;  // by metric; "": of every metric
  std::vector<CostRule> costs;
};

// What is known of a choice so far.
struct Draft {
  std::string name, format;
  std::optional<double> penalty;
  std::vector<std::optional<double>> costs;
};

struct DraftLayer {
  std::string name;
  std::size_t metric = 0;
  std::vector<Draft> choices;
  std::vector<std::optional<double>> over;  // one a budget: the layer's weight in its mean
};

class AllocationReader {
 public:
  AllocationReader(const std::string& path, const Resources& resources, AllocationUse use)
      : path_(path), resources_(resources), use_(use), document_(JsonDocument::load(path)), root_(document_.root()) {}

  AllocationFile read() {
    root_.integer("ridgeline_allocation", {.least = 1, .most = 1});
    file_.name = root_.string("name");
    file_.about = root_.string("about", "");
    read_budgets();
    read_metrics();
    for (JsonReader& table : objects(root_, "tables", true)) read_table_entry(table);
    document_.raise();
    raise();
    take_layers();
    read_ties();
    read_boundaries();
    root_.finish();
    document_.raise();
    raise();
    check_allocation(file_.problem, path_, use_ == AllocationUse::sums);
    return std::move(file_);
  }

 private:
  std::vector<JsonReader> objects(JsonReader& reader, const std::string& key, bool required) {
    std::vector<JsonReader> elements = reader.array(key, required);
    for (JsonReader& element : elements) {
      if (!element.value().is_object()) element.note("", "an object", describe(element.value()));
    }
    document_.raise();
    return elements;
  }

  void note(const std::string& file, const std::string& place, const std::string& expected, const std::string& found,
            const std::string& remedy) {
    problems_.push_back({file, place, expected, found, remedy});
    if (problems_.size() >= most_problems) raise();
  }

  void raise() const {
    if (!problems_.empty()) throw ConfigError(problems_);
  }

  void read_budgets() {
    for (auto& [name, member] : root_.members("budgets")) {
      if (!member.value().is_object()) {
        member.note("", "an object", describe(member.value()));
        continue;
      }
      Budget budget{name, member.string("unit", "")};
      budget.limit = member.number("limit", {.fallback = budget.limit, .least = 0.0});
      member.finish();
      file_.problem.budgets.push_back(budget);
    }
  }

  void read_metrics() {
    for (JsonReader& metric : objects(root_, "metrics", false)) {
      file_.problem.metrics.push_back(metric.string("name"));
      metric_layers_.push_back(metric.strings("layers"));
      metric.finish();
    }
  }

  Product product(JsonReader& reader, const std::string& key, Columns& columns) {
    Product made;
    const Json* value = reader.any(key, true);
    if (value == nullptr) return made;
    if (!value->is_array() || value->empty()) {
      reader.note(key, "an array of columns and numbers, which are multiplied", describe(*value), "");
      return made;
    }
    for (const Json& factor : *value) {
      if (factor.is_string()) {
        made.columns.push_back(columns.index(factor.get<std::string>()));
      } else if (factor.is_number()) {
        made.factor *= factor.get<double>();
      } else {
        reader.note(key, "columns and numbers", describe(factor), "");
      }
    }
    return made;
  }

  Pattern pattern(JsonReader& reader, const std::string& key, const std::string& text, Columns& columns) {
    const std::optional<Pattern> made = Pattern::parse(text, columns);
    if (!made) reader.note(key, "a column in braces, \"{layer}\"", fmt::format("'{}'", text), "close the brace");
    return made.value_or(Pattern());
  }

  std::vector<CostRule> cost_rules(JsonReader& choice, Columns& columns) {
    std::vector<CostRule> rules;
    for (auto& [name, member] : choice.members("costs", false)) {
      CostRule rule;
      rule.budget = budget_named(name, [&at = member, &word = name](const std::string& known) {
        at.note("", "one of the budgets", fmt::format("'{}'", word), known);
      });
      if (member.value().is_object()) {
        rule.value = product(member, "mean", columns);
        rule.over = product(member, "over", columns);
        member.finish();
      } else {
        JsonReader costs = *choice.object("costs");
        rule.value = product(costs, name, columns);
      }
      rules.push_back(std::move(rule));
    }
    return rules;
  }

  // 0 where there is none, after `unknown` was given the known names.
  std::size_t budget_named(const std::string& name, const std::function<void(const std::string&)>& unknown) const {
    std::vector<std::string> known;
    for (const Budget& budget : file_.problem.budgets) known.push_back(budget.name);
    const auto found = std::ranges::find(known, name);
    if (found != known.end()) return static_cast<std::size_t>(found - known.begin());
    unknown(known_words(name, known));
    return 0;
  }

  std::map<std::string, Product> penalty_rules(JsonReader& choice, Columns& columns) {
    std::map<std::string, Product> rules;
    if (!choice.has("penalty")) return rules;
    if (!choice.value().at("penalty").is_object()) {
      rules[""] = product(choice, "penalty", columns);
      return rules;
    }
    JsonReader metrics = *choice.object("penalty");
    for (const auto& [name, value] : metrics.value().items()) {
      if (std::ranges::find(file_.problem.metrics, name) == file_.problem.metrics.end()) {
        metrics.note(name, "one of the metrics", fmt::format("'{}'", name),
                     file_.problem.metrics.empty() ? "name the metrics and their layers under \"metrics\""
                                                   : known_words(name, file_.problem.metrics));
      }
      rules[name] = product(metrics, name, columns);
    }
    return rules;
  }

  void read_table_entry(JsonReader& entry) {
    Columns columns;
    const std::string name = entry.string("file");
    std::vector<std::pair<std::size_t, std::string>> where;
    for (auto& [column, value] : entry.members("where", false)) {
      where.emplace_back(columns.index(column),
                         value.value().is_string() ? value.value().get<std::string>() : value.value().dump());
    }
    const Pattern layer = pattern(entry, "layer", entry.string("layer"), columns);
    std::vector<ChoiceRule> rules;
    for (auto& [text, member] : entry.members("choices")) {
      if (!member.value().is_object()) {
        member.note("", "an object", describe(member.value()));
        continue;
      }
      ChoiceRule rule;
      rule.choice = pattern(member, "", text, columns);
      rule.format = pattern(member, "format", member.string("format", ""), columns);
      rule.penalties = penalty_rules(member, columns);
      rule.costs = cost_rules(member, columns);
      member.finish();
      rules.push_back(std::move(rule));
    }
    entry.finish();
    document_.raise();
    const std::string file = data_file(name);
    const RawTable table = read_table(file, columns.names());
    bool any = false;
    for (std::size_t r = 0; r < table.rows; ++r) {
      const Row row{&table, r, columns.names().size()};
      if (!std::ranges::all_of(where, [&](const auto& one) { return row.cell(one.first) == one.second; })) continue;
      any = true;
      for (const ChoiceRule& rule : rules) take(rule, layer.text(row), row, file, columns);
    }
    if (!any) note(file, "", "a row that \"where\" describes", "none", "correct \"where\"");
  }

  std::string data_file(const std::string& name) const {
    return resources_.data_file(name, path_, "correct the name, or set RIDGELINE_DATA to the folder it is in");
  }

  double value(const Product& product, const Row& row, const std::string& file, const Columns& columns) {
    double number = product.factor;
    for (const std::size_t column : product.columns) {
      const std::optional<double> read = finite_number(row.cell(column));
      if (!read) {
        note(file, fmt::format("{}, column '{}'", row.place(), columns.names()[column]), "a finite number",
             fmt::format("'{}'", row.cell(column)), "correct the cell or leave the row out");
      }
      number *= read.value_or(0.0);
    }
    return number;
  }

  DraftLayer& layer_named(const std::string& name, const std::string& file) {
    const auto [at, fresh] = layer_index_.emplace(name, layers_.size());
    if (fresh) {
      DraftLayer layer{name, 0, {}, std::vector<std::optional<double>>(file_.problem.budgets.size())};
      const auto judged_by = [&](const std::vector<std::string>& patterns) {
        return std::ranges::any_of(patterns, [&](const std::string& one) { return matches(one, name); });
      };
      const auto metric = std::ranges::find_if(metric_layers_, judged_by);
      if (metric != metric_layers_.end()) layer.metric = static_cast<std::size_t>(metric - metric_layers_.begin());
      if (metric == metric_layers_.end() && !metric_layers_.empty()) {
        note(file, fmt::format("layer '{}'", name), "a metric that names it", "none",
             "add it to the layers of a metric; \"*\" stands for all that are left");
      }
      layers_.push_back(std::move(layer));
    }
    return layers_[at->second];
  }

  void take(const ChoiceRule& rule, const std::string& layer_name, const Row& row, const std::string& file,
            const Columns& columns) {
    DraftLayer& layer = layer_named(layer_name, file);
    const std::string name = rule.choice.text(row);
    auto found = std::ranges::find(layer.choices, name, &Draft::name);
    if (found == layer.choices.end()) {
      layer.choices.push_back({name, "", {}, std::vector<std::optional<double>>(file_.problem.budgets.size())});
      found = layer.choices.end() - 1;
    }
    const std::string place = fmt::format("{}, layer '{}', choice '{}'", row.place(), layer_name, name);
    const auto once = [&](std::optional<double>& slot, double number, const std::string& what) {
      if (slot) note(file, place, fmt::format("one {}", what), "a second one", "leave one out, or choose by \"where\"");
      slot = number;
    };
    if (!rule.format.empty()) found->format = rule.format.text(row);
    if (!rule.penalties.empty()) {
      auto penalty = rule.penalties.find("");
      if (penalty == rule.penalties.end()) penalty = rule.penalties.find(file_.problem.metrics.at(layer.metric));
      if (penalty == rule.penalties.end()) {
        note(file, place, fmt::format("a penalty by '{}'", file_.problem.metrics[layer.metric]), "none",
             "add it under \"penalty\"");
      } else {
        once(found->penalty, value(penalty->second, row, file, columns), "penalty");
      }
    }
    for (const CostRule& cost : rule.costs) {
      double number = value(cost.value, row, file, columns);
      if (cost.over) {
        const double weight = value(*cost.over, row, file, columns);
        std::optional<double>& slot = layer.over[cost.budget];
        if (slot && *slot != weight) {
          note(file, place, fmt::format("the weight {} that another choice of the layer has", *slot),
               fmt::format("{}", weight), "a layer has one weight in a mean");
        }
        slot = weight;
        number *= weight;
      }
      once(found->costs[cost.budget], number, fmt::format("cost '{}'", file_.problem.budgets[cost.budget].name));
    }
  }

  // Checks that every choice is complete, and divides what is a mean.
  void take_layers() {
    const std::vector<Budget>& budgets = file_.problem.budgets;
    std::vector<double> total(budgets.size(), 0.0);
    for (const DraftLayer& layer : layers_) {
      for (std::size_t b = 0; b < budgets.size(); ++b) total[b] += layer.over[b].value_or(0.0);
    }
    const auto judged = [](const DraftLayer& layer) {
      return std::ranges::any_of(layer.choices, [](const Draft& choice) { return choice.penalty.has_value(); });
    };
    file_.penalties = use_ == AllocationUse::allocate || std::ranges::any_of(layers_, judged);
    for (const DraftLayer& draft : layers_) {
      AllocationLayer layer{draft.name, draft.metric, {}};
      for (const Draft& choice : draft.choices) {
        const std::string place = fmt::format("layer '{}', choice '{}'", draft.name, choice.name);
        if (file_.penalties && !choice.penalty)
          note(path_, place, "a penalty", "none in any table", "add the row, or leave the choice out");
        AllocationChoice made{choice.name, choice.format, choice.penalty.value_or(0.0), {}};
        for (std::size_t b = 0; b < budgets.size(); ++b) {
          if (!choice.costs[b]) {
            note(path_, place, fmt::format("a cost '{}'", budgets[b].name), "none in any table",
                 "add the row, or leave the choice out");
          }
          if (total[b] > 0 && !draft.over[b]) {
            note(path_, place, fmt::format("a weight in the mean '{}'", budgets[b].name), "none",
                 "give all layers one");
          }
          made.costs.push_back(choice.costs[b].value_or(0.0) / (total[b] > 0 ? total[b] : 1.0));
        }
        layer.choices.push_back(std::move(made));
      }
      file_.problem.layers.push_back(std::move(layer));
    }
  }

  void read_ties() {
    for (JsonReader& tie : root_.array("ties", false)) {
      std::vector<std::size_t> members;
      if (!tie.value().is_array()) {
        tie.note("", "an array of layers", describe(tie.value()));
        continue;
      }
      for (const Json& name : tie.value()) {
        if (!name.is_string()) {
          tie.note("", "names of layers", describe(name));
          continue;
        }
        bool any = false;
        for (std::size_t l = 0; l < layers_.size(); ++l) {
          if (!matches(name.get<std::string>(), layers_[l].name)) continue;
          any = true;
          if (std::ranges::find(members, l) == members.end()) members.push_back(l);
        }
        if (!any) tie.note("", "a layer", describe(name), known_words(name.get<std::string>(), layer_names()));
      }
      file_.problem.ties.push_back(std::move(members));
    }
  }

  std::vector<std::string> layer_names() const {
    std::vector<std::string> names;
    for (const DraftLayer& layer : layers_) names.push_back(layer.name);
    return names;
  }

  void read_boundaries() {
    for (JsonReader& entry : objects(root_, "boundaries", false)) {
      Columns columns;
      const Pattern producer = pattern(entry, "producer", entry.string("producer"), columns);
      const Pattern consumer = pattern(entry, "consumer", entry.string("consumer"), columns);
      const Product size = entry.has("size") ? product(entry, "size", columns) : Product();
      const std::string name = entry.string("file", "");
      entry.finish();
      document_.raise();
      if (name.empty() && !columns.names().empty()) {
        entry.note("file", fmt::format("the file with the column '{}'", columns.names().front()), "none");
        continue;
      }
      const std::string file = name.empty() ? path_ : data_file(name);
      const RawTable table = name.empty() ? RawTable{1, {}, {entry.path()}} : read_table(file, columns.names());
      for (std::size_t r = 0; r < table.rows; ++r) {
        const Row row{&table, r, columns.names().size()};
        const std::optional<std::size_t> from = layer_at(producer.text(row), row, file);
        const std::optional<std::size_t> to = layer_at(consumer.text(row), row, file);
        const double elements = value(size, row, file, columns);
        if (from && to) file_.problem.boundaries.push_back({*from, *to, elements});
      }
    }
    for (JsonReader& entry : objects(root_, "conversions", false)) {
      FormatConversion conversion{entry.string("from"), entry.string("to"), {}};
      conversion.costs.assign(file_.problem.budgets.size(), 0.0);
      for (auto& [name, member] : entry.members("costs")) {
        const std::size_t budget = budget_named(name, [&at = member, &word = name](const std::string& known) {
          at.note("", "one of the budgets", fmt::format("'{}'", word), known);
        });
        if (!member.value().is_number()) {
          member.note("", "a number", describe(member.value()));
          continue;
        }
        if (budget < conversion.costs.size()) conversion.costs[budget] = member.value().get<double>();
      }
      entry.finish();
      file_.problem.conversions.push_back(std::move(conversion));
    }
  }

  std::optional<std::size_t> layer_at(const std::string& name, const Row& row, const std::string& file) {
    const auto found = layer_index_.find(name);
    if (found != layer_index_.end()) return found->second;
    note(file, row.place(), "a layer", fmt::format("'{}'", name), known_words(name, layer_names()));
    return std::nullopt;
  }

  std::string path_;
  const Resources& resources_;
  AllocationUse use_;
  JsonDocument document_;
  JsonReader root_;
  AllocationFile file_;
  std::vector<std::vector<std::string>> metric_layers_;  // patterns, one list a metric
  std::vector<DraftLayer> layers_;
  std::map<std::string, std::size_t> layer_index_;
  std::vector<Problem> problems_;
};

void set_limit(AllocationProblem& problem, const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::string name = text.substr(0, equals);
  std::vector<std::string> known;
  for (const Budget& budget : problem.budgets) known.push_back(budget.name);
  const auto found = std::ranges::find(known, name);
  if (found == known.end()) {
    throw ConfigError(
        {"--budget", "", "one of the problem's budgets", fmt::format("'{}'", name), known_words(name, known)});
  }
  const std::optional<double> limit =
      equals == std::string::npos ? std::nullopt : finite_number(text.substr(equals + 1));
  if (!limit || *limit < 0) {
    throw ConfigError({"--budget", "", "NAME=LIMIT with a limit of 0 or more", fmt::format("'{}'", text),
                       fmt::format("{}=5e6, say", name)});
  }
  problem.budgets[static_cast<std::size_t>(found - known.begin())].limit = *limit;
}

}  // namespace

bool matches(std::string_view pattern, std::string_view text) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == text;
  if (!text.starts_with(pattern.substr(0, star))) return false;
  const std::string_view rest = pattern.substr(star + 1);
  for (std::size_t at = star; at <= text.size(); ++at) {
    if (matches(rest, text.substr(at))) return true;
  }
  return false;
}

AllocationFile load_allocation(const std::string& path, const Resources& resources,
                               const std::vector<std::string>& limits, AllocationUse use) {
  AllocationFile file = AllocationReader(path, resources, use).read();
  for (const std::string& limit : limits) set_limit(file.problem, limit);
  return file;
}

}  // namespace ridgeline
