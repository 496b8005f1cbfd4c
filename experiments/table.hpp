// A published table as an evaluator: any CSV (plain or gzip) or JSON file, described by a small JSON file that says which
// columns are the key of a genome and which are values. The descriptions are in experiments/tables/; the tables stay where
// the user has them.
//
//   { "ridgeline_table": 1, "name": "nasbench_macro", "about": "...", "source": "...", "licence": "...",
//     "file": "tables/nasbench_macro_cifar10.csv.gz",        // relative to the data folder, or to this description
//     "space": "nasbench_macro",
//     "key": [ {"column": "arch", "genes": ["block"], "digits": true} ],
//     "values": { "accuracy": {"column": "mean_acc", "unit": "%", "direction": "maximise"} } }
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/resources.hpp"
#include "search/trial.hpp"

namespace ridgeline {

class Table {
 public:
  // Throws ConfigError: bad description; missing or unreadable file (the message says where to get it and that
  // RIDGELINE_DATA is looked at); missing column; a value that is no finite number; a duplicate key with other values.
  static Table load(const std::string& description_path, const Resources& resources, const SearchSpace& space);
  Table(Table&&) noexcept;
  Table& operator=(Table&&) noexcept;
  ~Table();

  std::size_t rows() const;
  std::vector<std::string> value_names() const;
  // The column's number for a genome, or nullopt when the table has no such row. O(1).
  std::optional<double> value(const Genome& genome, std::size_t column) const;
  // Throws ConfigError listing the known names.
  std::size_t column(const std::string& value_name) const;
  const Objective& objective(std::size_t column) const;  // name, unit and direction as described

 private:
  struct Impl;
  explicit Table(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ridgeline
