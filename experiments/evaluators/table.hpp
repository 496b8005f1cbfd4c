// A published table as an evaluator: any CSV (plain or gzip) or JSON file, described by a small JSON file that says
// which columns are the key of a genome and which are values. The descriptions are in experiments/tables/; the tables
// stay where the user has them.
//
//   { "ridgeline_table": 1, "name": "nasbench_macro", "about": "...", "source": "...", "licence": "...",
//     "file": "tables/nasbench_macro_cifar10.csv.gz",        // relative to the data folder, or to this description
//     "space": "nasbench_macro",
//     "key": [ {"column": "arch", "genes": ["block"], "digits": true} ],
//     "values": { "accuracy": {"column": "mean_acc", "unit": "%", "direction": "maximise"},
//                 "latency_s": {"column": "lat_ms", "unit": "s", "direction": "minimise", "scale": 0.001} } }
//
// key      "genes" names dimensions; a repeated dimension's name stands for all of it, in order: "block" for block[0],
//          block[1] ... With "digits" each character of the cell is one gene's choice, else the cell is the only
//          gene's. "words": {"0": "identity", "1": "mb3_k3"} where the table writes choices in another way than the
//          space. Genes of slots that a row does not use are ignored (the row's genome is normalised).
// ignored  dimensions on which the values do not depend, e.g. number formats.
// fixed    {"resolution": 224}: dimensions that the table has at one choice only; other genomes have no row.
// rows     "duplicates": "refuse" (the default: rows of one candidate must agree), "mean" or "first".
// JSON     the columns of a row {"arch": {"mean_acc": 1.0, "test_acc": [...]}}: "mean_acc", "test_acc[0]", "@key".
//
// Immutable and thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "experiments/resources.hpp"
#include "search/trial.hpp"

namespace ridgeline {

class Table {
 public:
  // Throws ConfigError: bad description; missing or unreadable file (the message says where to get it and that
  // RIDGELINE_DATA is looked at); missing column; a value that is no finite number; a choice that the space does not
  // have; rows of one candidate with different values.
  static Table load(const std::string& description_path, const Resources& resources, const SearchSpace& space);
  Table(Table&&) noexcept;
  Table& operator=(Table&&) noexcept;
  ~Table();

  const std::string& name() const;
  std::size_t rows() const;  // distinct candidates
  std::vector<std::string> value_names() const;
  std::vector<Genome> genomes() const;  // of all rows, in the order of the file; ignored dimensions at 0
  // The column's number for a genome, or nullopt when the table has no such row. O(1).
  std::optional<double> value(const Genome& genome, std::size_t column) const;
  // Throws ConfigError listing the known names.
  std::size_t column(const std::string& value_name) const;
  const Objective& objective(std::size_t column) const;  // name, unit and direction as described
  std::uint64_t fingerprint(std::size_t column) const;   // of every key and value of the column

 private:
  struct Impl;
  explicit Table(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ridgeline
