#include "experiments/table_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "experiments/whole_file.hpp"
#include "spaces/json_reader.hpp"

namespace ridgeline {
namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

std::vector<std::size_t> find_columns(const std::string& path, const std::vector<std::string>& wanted,
                                      const std::vector<std::string>& known) {
  std::vector<Problem> problems;
  std::vector<std::size_t> indices;
  for (const std::string& column : wanted) {
    const auto it = std::find(known.begin(), known.end(), column);
    if (it == known.end()) {
      const bool whole = known.size() == 1 && known.front().find_first_of(";\t") != std::string::npos;
      problems.push_back({path, "header", fmt::format("a column '{}'", column), "none",
                          whole ? "separate cells by commas" : known_words(column, known)});
    } else if (std::count(it, known.end(), column) > 1) {
      problems.push_back({path, "header", fmt::format("one column '{}'", column),
                          std::to_string(std::count(it, known.end(), column)), "leave out or rename the others"});
    }
    indices.push_back(static_cast<std::size_t>(it - known.begin()));
  }
  if (!problems.empty()) throw ConfigError(problems);
  return indices;
}

// Reads one record from `at` on; returns where the next begins.
std::size_t read_record(const std::string& text, std::size_t at, std::vector<std::string>& fields) {
  fields.assign(1, {});
  bool quoted = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      if (c != '"') {
        fields.back() += c;
      } else if (at + 1 < text.size() && text[at + 1] == '"') {
        fields.back() += text[++at];
      } else {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      fields.emplace_back();
    } else if (c == '\n') {
      return at + 1;
    } else if (c != '\r') {
      fields.back() += c;
    }
  }
  return at;
}

// Reads the names of columns; returns where the rows begin.
std::size_t read_header(const std::string& path, const std::string& text, std::vector<std::string>& columns) {
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) {
    throw ConfigError({path, "", "a table: a header and rows", "an empty file", "fetch the file again"});
  }
  const std::size_t rows = read_record(text, text.starts_with(byte_order_mark) ? byte_order_mark.size() : 0, columns);
  const auto control = [](char c) { return c >= 0 && c < ' ' && c != '\t' && c != '\r' && c != '\n'; };
  if (std::any_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(rows), control)) {
    throw ConfigError({path, "header", "text in UTF-8, cells separated by commas", "other bytes",
                       "is it a CSV or JSON file, and in UTF-8?"});
  }
  return rows;
}

RawTable read_csv(const std::string& path, const std::string& text, const std::vector<std::string>& columns) {
  std::vector<std::string> fields;
  std::size_t at = read_header(path, text, fields);
  const std::size_t width = fields.size();
  const std::vector<std::size_t> wanted = find_columns(path, columns, fields);
  RawTable table;
  for (std::size_t row = 2; at < text.size(); ++row) {
    at = read_record(text, at, fields);
    if (fields.size() == 1 && fields[0].empty()) continue;  // an empty line
    if (fields.size() != width) {
      throw ConfigError({path, fmt::format("row {}", row), fmt::format("{} cells, as the header has", width),
                         std::to_string(fields.size()), "correct the row or leave it out"});
    }
    for (const std::size_t column : wanted) table.cells.push_back(fields[column]);
    table.places.push_back(fmt::format("row {}", row));
    ++table.rows;
  }
  return table;
}

// The cell of a JSON row, or nothing where there is none.
std::optional<std::string> json_cell(const Json& row, const std::string& key, const std::string& column) {
  if (column == "@key") return key;
  const std::size_t bracket = column.find('[');
  const auto member = row.find(column.substr(0, bracket));
  if (member == row.end()) return std::nullopt;
  const Json* value = &*member;
  if (bracket != std::string::npos) {
    std::size_t index = 0;
    const char* const end = column.data() + column.size();
    const auto [next, error] = std::from_chars(column.data() + bracket + 1, end, index);
    if (error != std::errc{} || next + 1 != end || *next != ']' || !value->is_array() || index >= value->size()) {
      return std::nullopt;
    }
    value = &(*value)[index];
  }
  if (value->is_structured()) return std::nullopt;
  return value->is_string() ? value->get<std::string>() : value->dump();
}

RawTable read_json(const std::string& path, const std::string& text, const std::vector<std::string>& columns) {
  const JsonDocument document = JsonDocument::parse(text, path);
  RawTable table;
  for (const auto& [key, row] : document.value().items()) {
    const std::string place = document.value().is_array() ? fmt::format("row {}", key) : fmt::format("row '{}'", key);
    if (!row.is_object()) throw ConfigError({path, place, "an object with the row's values", describe(row), ""});
    for (const std::string& column : columns) {
      std::optional<std::string> cell = json_cell(row, key, column);
      if (!cell) {
        std::vector<std::string> known = {"@key"};
        for (const auto& [name, value] : row.items()) known.push_back(name);
        throw ConfigError({path, place, fmt::format("a value '{}'", column), "none", known_words(column, known)});
      }
      table.cells.push_back(std::move(*cell));
    }
    table.places.push_back(place);
    ++table.rows;
  }
  return table;
}

}  // namespace

namespace {

bool is_json(const std::string& text) {
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  return start != std::string::npos && (text[start] == '{' || text[start] == '[');
}

}  // namespace

RawTable read_table(const std::string& path, const std::vector<std::string>& columns) {
  const std::string text = read_whole_file(path, {.kind = "table"});
  RawTable table = is_json(text) ? read_json(path, text, columns) : read_csv(path, text, columns);
  if (table.rows == 0) throw ConfigError({path, "", "a table with rows", "none", "fetch the file again"});
  return table;
}

std::vector<std::string> table_columns(const std::string& path) {
  const std::string text = read_whole_file(path, {.kind = "table"});
  std::vector<std::string> columns;
  if (!is_json(text)) {
    read_header(path, text, columns);
    return columns;
  }
  const JsonDocument document = JsonDocument::parse(text, path);
  for (const Json& row : document.value()) {
    if (!row.is_object()) throw ConfigError({path, "", "objects with a row's values", describe(row), ""});
    for (const auto& [name, value] : row.items()) columns.push_back(name);
    break;
  }
  return columns;
}

}  // namespace ridgeline
