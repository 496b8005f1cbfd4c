// The cells of a table file: CSV (plain or gzip, a header row, quotes as in RFC 4180) or JSON (plain or gzip).
//
// A JSON file is an object of rows, {"00000000": {"mean_acc": 45.3, "test_acc": [45.1, 45.6]}, ...}, or an array of
// them. Its columns are the rows' keys; "test_acc[1]" is an element of an array, "@key" the name a row stands under.
#pragma once

#include <string>
#include <vector>

#include "spaces/config_error.hpp"

namespace ridgeline {

struct RawTable {
  std::size_t rows = 0;
  std::vector<std::string> cells;   // rows x columns, row by row, in the order the columns were asked for
  std::vector<std::string> places;  // one a row, for messages: "row 17" (the header is row 1), "row '00000000'"
};

// Throws ConfigError: unreadable or damaged file, a missing column (with the known ones), a row of another length.
RawTable read_table(const std::string& path, const std::vector<std::string>& columns);

// The columns there are: the header of a CSV file, the keys of the first row of a JSON file. Throws as read_table.
std::vector<std::string> table_columns(const std::string& path);

}  // namespace ridgeline
