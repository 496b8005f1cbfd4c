#include "search/evolution/elite_grid.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace ridgeline {

std::size_t EliteAxis::cell(std::span<const std::uint16_t> genes, std::span<const double> values) const {
  if (!by_value) return genes[index];
  const double place = (values[index] - from) / (to - from) * static_cast<double>(cells);
  return static_cast<std::size_t>(std::clamp(std::floor(place), 0.0, static_cast<double>(cells - 1)));
}

EliteGrid::EliteGrid(JsonReader& options, const SearchSpace& space, std::span<const Objective> objectives) {
  const bool given = options.has("descriptors");
  for (JsonReader& one : options.array("descriptors", false)) read_axis(one, space, objectives);
  for (std::size_t i = 0; !given && i < space.dims().size() && axes_.size() < 2; ++i) {
    const Dimension& dimension = space.dims()[i];
    if (dimension.choices.size() > 1) axes_.push_back({dimension.name, false, i, 0, 0, dimension.choices.size()});
  }
  double cells = 1;
  for (const EliteAxis& axis : axes_) cells *= static_cast<double>(axis.cells);
  if (axes_.size() > most_axes || cells > static_cast<double>(most_cells)) {
    options.note("descriptors", fmt::format("at most {}, of at most {} cells together", most_axes, most_cells),
                 fmt::format("{} of {} cells", axes_.size(), cells));
  }
  cells_ = cells > static_cast<double>(most_cells) ? 1 : static_cast<std::size_t>(cells);
}

void EliteGrid::read_axis(JsonReader& reader, const SearchSpace& space, std::span<const Objective> objectives) {
  EliteAxis axis;
  const bool by_dimension = reader.has("dimension");
  axis.name = reader.string(by_dimension ? "dimension" : "objective");
  const auto unknown = [&](const char* key, const char* expected, const std::vector<std::string>& known) {
    reader.note(key, expected, "'" + axis.name + "'", known_words(axis.name, known));
  };
  std::vector<std::string> known;
  if (by_dimension) {
    const auto found = std::ranges::find(space.dims(), axis.name, &Dimension::name);
    if (found == space.dims().end()) {
      for (const Dimension& dimension : space.dims()) known.push_back(dimension.name);
      return unknown("dimension", "a dimension of the space", known);
    }
    axis.index = static_cast<std::size_t>(found - space.dims().begin());
    axis.cells = found->choices.size();
  } else {
    const auto found = std::ranges::find(objectives, axis.name, &Objective::name);
    if (found == objectives.end()) {
      for (const Objective& objective : objectives) known.push_back(objective.name);
      return unknown("objective", "an objective of the study", known);
    }
    axis.by_value = true;
    axis.index = static_cast<std::size_t>(found - objectives.begin());
    axis.from = reader.number("from");
    axis.to = reader.number("to");
    axis.cells = static_cast<std::size_t>(reader.integer("cells", {.fallback = 10, .least = 1, .most = 100'000}));
    if (!(axis.from < axis.to)) reader.note("to", "more than \"from\"", std::to_string(axis.to));
    // Values are minimised: those of an objective that is maximised come with the other sign.
    if (found->direction == Direction::maximise) axis.from = -std::exchange(axis.to, -axis.from);
  }
  reader.finish();
  axes_.push_back(std::move(axis));
}

std::size_t EliteGrid::cell(std::span<const std::uint16_t> genes, std::span<const double> values) const {
  std::size_t cell = 0;
  for (const EliteAxis& axis : axes_) cell = cell * axis.cells + axis.cell(genes, values);
  return cell;
}

std::vector<std::size_t> EliteGrid::place(std::size_t cell) const {
  std::vector<std::size_t> place(axes_.size());
  for (std::size_t i = axes_.size(); i-- > 0;) {
    place[i] = cell % axes_[i].cells;
    cell /= axes_[i].cells;
  }
  return place;
}

}  // namespace ridgeline
