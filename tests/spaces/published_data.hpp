// Published tables, read in place from RIDGELINE_DATA (by default ../shared/data beside the sources).
#pragma once

#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace ridgeline {

inline std::string data_path(const std::string& file) {
  const char* directory = std::getenv("RIDGELINE_DATA");
  return (directory != nullptr ? std::string(directory) : std::string(RIDGELINE_SOURCE_DIR "/../shared/data")) + "/" +
         file;
}

using CsvRow = std::map<std::string, std::string>;

// The rows of a gzip CSV without quotes; nullopt when the file is not there.
inline std::optional<std::vector<CsvRow>> read_csv_gz(const std::string& path) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return std::nullopt;
  std::string text;
  char buffer[65536];
  for (int got = gzread(file, buffer, sizeof buffer); got > 0; got = gzread(file, buffer, sizeof buffer)) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  gzclose(file);
  const auto split = [](const std::string& line) {
    std::vector<std::string> cells;
    std::istringstream stream(line);
    for (std::string cell; std::getline(stream, cell, ',');) cells.push_back(cell);
    if (!cells.empty() && cells.back().ends_with('\r')) cells.back().pop_back();  // lines end as on Windows
    return cells;
  };
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  const std::vector<std::string> header = split(line);
  std::vector<CsvRow> rows;
  while (std::getline(lines, line)) {
    const std::vector<std::string> cells = split(line);
    CsvRow row;
    for (std::size_t i = 0; i < cells.size() && i < header.size(); ++i) row[header[i]] = cells[i];
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace ridgeline
