#include "experiments/quantization/sensitivity_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "experiments/table_reader.hpp"
#include "experiments/whole_file.hpp"
#include "search/allocation/greedy_allocation.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

const char* const table_name = "sensitivity.csv";

// What a table holds beside methods.
const std::vector<std::string>& known_columns() {
  static const std::vector<std::string> columns{"layer", "format", "part",           "parameters",
                                                "macs",  "bits",   "bit_operations", "weight_bytes"};
  return columns;
}

bool is_known(const std::string& column) { return std::ranges::find(known_columns(), column) != known_columns().end(); }

// As RFC 4180 has it.
std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string made(1, '"');
  for (const char c : text) {
    if (c == '"') made.push_back('"');
    made.push_back(c);
  }
  made.push_back('"');
  return made;
}

// How an operator reads in a format.
OperatorFormats formats_of(const std::string& word) {
  Network one;
  Op op;
  op.kind = OpKind::linear;
  op.channels = 1;
  const NodeId node = one.add(op, {one.add_input({1, 1})});
  return PrecisionPlan::uniform(one, word).at(node);
}

class TableParser {
 public:
  explicit TableParser(const std::string& path) : path_(path), columns_(table_columns(path)) {
    for (const char* needed : {"layer", "format", "parameters", "macs"}) wanted_.emplace_back(needed);
    for (const std::string& column : known_columns()) {
      if (std::ranges::find(columns_, column) != columns_.end() &&
          std::ranges::find(wanted_, column) == wanted_.end()) {
        wanted_.push_back(column);
      }
    }
    for (const std::string& column : columns_) {
      if (is_known(column) || std::ranges::find(wanted_, column) != wanted_.end()) continue;
      sensitivity_.methods.push_back(column);
      wanted_.push_back(column);
    }
  }

  Sensitivity parse() {
    table_ = read_table(path_, wanted_);
    if (sensitivity_.methods.empty()) {
      throw ConfigError({path_, "header", "a column of penalties beside layer, format, parameters and macs", "none",
                         "name it kl, for example"});
    }
    for (row_ = 0; row_ < table_.rows; ++row_) parse_row();
    if (!problems_.empty()) throw ConfigError(problems_);
    return std::move(sensitivity_);
  }

 private:
  bool has(const std::string& column) const { return std::ranges::find(wanted_, column) != wanted_.end(); }
  const std::string& cell(const std::string& column) const {
    const auto at = std::ranges::find(wanted_, column) - wanted_.begin();
    return table_.cells[row_ * wanted_.size() + static_cast<std::size_t>(at)];
  }
  void note(const std::string& column, const std::string& expected, const std::string& remedy = {}) {
    if (problems_.size() >= most_problems) return;
    problems_.push_back({path_, fmt::format("{}, column '{}'", table_.places[row_], column), expected,
                         fmt::format("'{}'", cell(column)), remedy});
  }
  double number(const std::string& column, bool may_be_negative) {
    const std::string& text = cell(column);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool fine = error == std::errc() && end == text.data() + text.size() && std::isfinite(value);
    if (!fine || (!may_be_negative && value < 0)) {
      note(column, may_be_negative ? "a finite number" : "a finite number of 0 or more");
      return 0;
    }
    return value;
  }

  void parse_row() {
    SensitivityRow row;
    row.layer = cell("layer");
    row.format = cell("format");
    if (row.layer.empty()) note("layer", "a layer's name");
    if (!seen_.emplace(row.layer, row.format).second) note("format", "each format of a layer once", "leave a row out");
    OperatorFormats formats;
    try {
      formats = formats_of(row.format);
    } catch (const ConfigError& error) {
      note("format", error.problems().front().expected, error.problems().front().remedy);
    }
    parse_part();
    for (const std::string& method : sensitivity_.methods) row.penalties.push_back(number(method, true));
    row.parameters = std::llround(std::min(number("parameters", false), 1e18));
    row.macs = std::llround(std::min(number("macs", false), 1e18));
    const SensitivityPart part = sensitivity_.part;
    const int weights = part == SensitivityPart::activations ? 32 : formats.weights.width_bits;
    const int activations = part == SensitivityPart::weights ? 32 : formats.activations.width_bits;
    const int own = part == SensitivityPart::activations ? activations : weights;
    row.bits = has("bits") ? number("bits", false) : own;
    row.bit_operations =
        has("bit_operations") ? number("bit_operations", false) : static_cast<double>(row.macs) * weights * activations;
    row.weight_bytes = has("weight_bytes") ? number("weight_bytes", false)
                                           : std::ceil(static_cast<double>(row.parameters) * weights / 8.0);
    check_layer(row);
    sensitivity_.rows.push_back(std::move(row));
  }

  // What is of a layer, whatever its format.
  void check_layer(const SensitivityRow& row) {
    if (!problems_.empty()) return;
    const auto [first, fresh] = layers_.emplace(row.layer, std::pair{row.parameters, row.macs});
    if (fresh) return;
    const auto& [parameters, macs] = first->second;
    if (row.parameters != parameters) note("parameters", fmt::format("{}, as the layer's first row has", parameters));
    if (row.macs != macs) note("macs", fmt::format("{}, as the layer's first row has", macs));
  }

  void parse_part() {
    if (!has("part")) return;
    const std::span<const std::string> parts = sensitivity_part_names();
    const auto found = std::ranges::find(parts, cell("part"));
    if (found == parts.end()) {
      note("part", "both, weights or activations");
      return;
    }
    const auto part = static_cast<SensitivityPart>(found - parts.begin());
    if (row_ > 0 && part != sensitivity_.part) note("part", "the part of the rows before it", "make a table of each");
    sensitivity_.part = part;
  }

  static constexpr std::size_t most_problems = 20;
  std::string path_;
  std::vector<std::string> columns_, wanted_;
  RawTable table_;
  std::size_t row_ = 0;
  std::set<std::pair<std::string, std::string>> seen_;
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> layers_;  // parameters and MACs of the first row
  std::vector<Problem> problems_;
  Sensitivity sensitivity_;
};

[[noreturn]] void refuse_target(double least, double average_bits) {
  throw ConfigError({"--target-bits", "", fmt::format("at least {:.4g}, what the formats can do", least),
                     fmt::format("{:.4g}", average_bits), "name a smaller format, or take a higher target"});
}

// Nothing of somebody else's is written over: the folder is new, empty, or holds a table and problems as written here.
void check_folder(const fs::path& folder, std::span<const std::string> names) {
  std::error_code error;
  if (!fs::exists(folder, error)) return;
  const auto refuse = [&](const std::string& found) {
    throw ConfigError(
        {"--problem", "", "a new folder, an empty one, or one that this command made", found, "choose another name"});
  };
  if (!fs::is_directory(folder, error)) refuse("'" + folder.string() + "', which is a file");
  for (const std::string& name : names) {
    const fs::path path = folder / name;
    if (!fs::exists(path, error)) continue;
    std::ifstream file(path, std::ios::binary);
    std::string start(4096, '\0');
    file.read(start.data(), static_cast<std::streamsize>(start.size()));
    start.resize(static_cast<std::size_t>(file.gcount()));
    const bool made = name == table_name ? start.starts_with("layer,format,part,")
                                         : start.find(fmt::format("\"{}\"", table_name)) != std::string::npos;
    if (!made) refuse("'" + path.string() + "' of another kind");
  }
}

}  // namespace

std::string sensitivity_csv(const Sensitivity& sensitivity) {
  std::string text = "layer,format,part";
  for (const std::string& method : sensitivity.methods) text += fmt::format(",{}", quoted(method));
  text += ",parameters,macs,bits,bit_operations,weight_bytes\n";
  const std::string& part = sensitivity_part_names()[static_cast<std::size_t>(sensitivity.part)];
  for (const SensitivityRow& row : sensitivity.rows) {
    text += fmt::format("{},{},{}", quoted(row.layer), quoted(row.format), part);
    for (const double penalty : row.penalties) text += fmt::format(",{}", penalty);
    text += fmt::format(",{},{},{},{},{}\n", row.parameters, row.macs, row.bits, row.bit_operations, row.weight_bytes);
  }
  return text;
}

Sensitivity read_sensitivity(const std::string& path) { return TableParser(path).parse(); }

AllocationProblem allocation_problem(const Sensitivity& sensitivity, std::string_view method) {
  const std::size_t column = sensitivity.column(method);
  AllocationProblem problem;
  problem.budgets = {{"average_bits", "bit"}, {"bit_operations", ""}, {"weight_bytes", "B"}};
  double weights = 0;
  std::set<std::string> counted;
  for (const SensitivityRow& row : sensitivity.rows) {
    if (counted.insert(row.layer).second) weights += static_cast<double>(row.parameters);
  }
  for (const SensitivityRow& row : sensitivity.rows) {
    auto layer = std::ranges::find(problem.layers, row.layer, &AllocationLayer::name);
    if (layer == problem.layers.end()) layer = problem.layers.insert(layer, AllocationLayer{row.layer, 0, {}});
    const double share = weights > 0 ? row.bits * static_cast<double>(row.parameters) / weights : 0.0;
    layer->choices.push_back({row.format, "", row.penalties[column], {share, row.bit_operations, row.weight_bytes}});
  }
  check_allocation(problem, fmt::format("penalties by '{}'", method));
  return problem;
}

Json allocation_description(const Sensitivity& sensitivity, std::string_view method, const std::string& csv) {
  const std::string name = sensitivity.methods[sensitivity.column(method)];
  const Json costs{{"weight_bytes", {"weight_bytes"}},
                   {"bit_operations", {"bit_operations"}},
                   {"average_bits", {{"mean", {"bits"}}, {"over", {"parameters"}}}}};
  const Json choice{{"penalty", Json::array({name})}, {"costs", costs}};
  const Json table{{"file", csv}, {"layer", "{layer}"}, {"choices", {{"{format}", choice}}}};
  const std::string& part = sensitivity_part_names()[static_cast<std::size_t>(sensitivity.part)];
  return {
      {"ridgeline_allocation", 1},
      {"name", name},
      {"about", fmt::format("penalties by '{}' of each layer's format ({})", name,
                            part == "both" ? "weights and activations" : part)},
      {"budgets",
       {{"weight_bytes", {{"unit", "B"}}}, {"bit_operations", Json::object()}, {"average_bits", {{"unit", "bit"}}}}},
      {"tables", Json::array({table})}};
}

void check_problem_folder(const std::string& folder, std::span<const std::string> methods) {
  std::vector<std::string> names{table_name};
  for (const std::string& method : methods) {
    if (method.find_first_of("/\\") != std::string::npos) {
      throw ConfigError(
          {"--problem", "", "methods whose names can be files'", "'" + method + "'", "rename the column"});
    }
    names.push_back(method + ".json");
  }
  check_folder(folder, names);
}

ProblemFiles write_allocation_problems(const std::string& folder, const Sensitivity& sensitivity) {
  check_problem_folder(folder, sensitivity.methods);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw ConfigError({"--problem", "", "a folder that can be made", folder, error.message()});
  ProblemFiles files{(fs::path(folder) / table_name).string(), {}};
  write_whole_file(files.csv, sensitivity_csv(sensitivity), "--problem");
  for (const std::string& method : sensitivity.methods) {
    files.problems.push_back((fs::path(folder) / (method + ".json")).string());
    write_whole_file(files.problems.back(), allocation_description(sensitivity, method, table_name).dump(2) + "\n",
                     "--problem");
  }
  return files;
}

void check_target_bits(const SensitivityOptions& options, double average_bits) {
  std::optional<int> least;
  for (const std::string& word : options.formats) {
    OperatorFormats formats;
    try {
      formats = formats_of(word);
    } catch (const ConfigError& error) {
      const Problem& problem = error.problems().front();
      throw ConfigError({"--formats", "", problem.expected, problem.found, problem.remedy});
    }
    const bool of_weights = options.part != SensitivityPart::activations;
    // An operator without weights, a product of two matrices, counts by its activations.
    const int bits = of_weights ? std::min(formats.weights.width_bits, formats.activations.width_bits)
                                : formats.activations.width_bits;
    least = std::min(least.value_or(bits), bits);
  }
  if (least && average_bits < *least) refuse_target(*least, average_bits);
}

std::vector<FormatPlan> format_plans(const Sensitivity& sensitivity, double average_bits) {
  double kernels_f32 = 0;
  std::set<std::string> counted;
  for (const SensitivityRow& row : sensitivity.rows) {
    if (counted.insert(row.layer).second) kernels_f32 += 4.0 * static_cast<double>(row.parameters);
  }
  std::vector<FormatPlan> plans;
  for (const std::string& method : sensitivity.methods) {
    AllocationProblem problem = allocation_problem(sensitivity, method);
    problem.budgets[0].limit = average_bits;
    const GreedyAllocation greedy = greedy_allocation(problem);
    if (!greedy.result.plan) {
      refuse_target(greedy.result.least[0], average_bits);
    }
    const AllocationPlan& found = *greedy.result.plan;
    FormatPlan plan{method, {}, found.penalty, found.costs[0], found.costs[2], 0.0};
    for (std::size_t l = 0; l < problem.layers.size(); ++l) {
      plan.formats.push_back(problem.layers[l].choices[found.choices[l]].name);
    }
    plan.compression = plan.weight_bytes > 0 ? kernels_f32 / plan.weight_bytes : 1.0;
    plans.push_back(std::move(plan));
  }
  return plans;
}

PrecisionPlan precision_plan(const Network& network, const Sensitivity& sensitivity, const FormatPlan& plan) {
  PrecisionPlan made;
  made.operators.resize(network.size());
  const std::vector<std::string> layers = sensitivity.layers();
  for (const SensitivityRow& row : sensitivity.rows) {
    const auto layer = static_cast<std::size_t>(std::ranges::find(layers, row.layer) - layers.begin());
    if (plan.formats[layer] != row.format) continue;
    OperatorFormats formats = formats_of(row.format);
    if (sensitivity.part == SensitivityPart::weights) formats.activations = f32;
    if (sensitivity.part == SensitivityPart::activations) formats.weights = f32;
    made.operators[row.node] = formats;
  }
  return made;
}

}  // namespace ridgeline
