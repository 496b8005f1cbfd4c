// The grid of a quality-diversity archive: what candidates are like, by a cell on each of some axes, in the sense of
// MAP-Elites (map_elites.hpp). An axis is an objective's values, cut in equal cells, or a dimension, a cell a choice.
//
// Immutable; const methods are pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "search/searcher.hpp"

namespace ridgeline {

struct EliteAxis {
  std::string name;         // of the objective or the dimension
  bool by_value = false;    // an objective's; else a dimension's
  std::size_t index = 0;    // of the objective or the dimension
  double from = 0, to = 0;  // of an objective, minimised; values beyond are counted to the first and last cell
  std::size_t cells = 1;

  // `values`: minimised, one an objective; looked at by an objective's axis alone.
  std::size_t cell(std::span<const std::uint16_t> genes, std::span<const double> values) const;
};

class EliteGrid {
 public:
  static constexpr std::size_t most_axes = 8, most_cells = 1'000'000;

  // Reads "descriptors" of an object (their form: map_elites.hpp) and notes problems there, more than most_axes or
  // most_cells among them. Where there is no such key: the first two dimensions with choices.
  EliteGrid(JsonReader& options, const SearchSpace& space, std::span<const Objective> objectives);

  std::span<const EliteAxis> axes() const { return axes_; }
  std::size_t cells() const { return cells_; }
  std::size_t cell(std::span<const std::uint16_t> genes, std::span<const double> values) const;
  std::vector<std::size_t> place(std::size_t cell) const;  // one cell an axis

 private:
  void read_axis(JsonReader& reader, const SearchSpace& space, std::span<const Objective> objectives);

  std::vector<EliteAxis> axes_;
  std::size_t cells_ = 1;
};

}  // namespace ridgeline
