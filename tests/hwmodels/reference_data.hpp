// Where the published references lie: the folder in RIDGELINE_DATA, read in place.
#pragma once

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace ridgeline::test {

inline std::string reference_path(const std::string& file) {
  const char* data = std::getenv("RIDGELINE_DATA");
  return (data != nullptr ? std::string(data) : RIDGELINE_SOURCE_DIR "/../shared/data") + "/reference/" + file;
}

inline std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(line);
  }
  return lines;
}

inline std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t"), last = text.find_last_not_of(" \t");
  return first == std::string::npos ? std::string() : text.substr(first, last - first + 1);
}

inline std::vector<std::string> cells_of(const std::string& line, char separator = ',') {
  std::vector<std::string> cells;
  std::istringstream stream(line);
  for (std::string cell; std::getline(stream, cell, separator);) cells.push_back(trimmed(cell));
  return cells;
}

// Rows of a table by the names in its first line.
inline std::vector<std::map<std::string, std::string>> rows_of(const std::string& path) {
  const std::vector<std::string> lines = lines_of(path);
  std::vector<std::map<std::string, std::string>> rows;
  if (lines.empty()) return rows;
  const std::vector<std::string> names = cells_of(lines.front());
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::vector<std::string> cells = cells_of(lines[i]);
    if (cells.size() < 2) continue;
    std::map<std::string, std::string> row;
    for (std::size_t c = 0; c < std::min(names.size(), cells.size()); ++c) row[names[c]] = cells[c];
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace ridgeline::test
