// Tables and pictures made of characters.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "experiments/report/report_text.hpp"

namespace ridgeline {
namespace {

// Dot numbers of a braille cell by row and column: U+2800 plus one bit a dot.
constexpr std::array<std::array<int, 2>, 4> braille_bits{{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}};

std::string braille(int bits) {  // UTF-8 of U+2800 + bits
  const int code = 0x2800 + bits;
  return {static_cast<char>(0xE0 | (code >> 12)), static_cast<char>(0x80 | ((code >> 6) & 0x3F)),
          static_cast<char>(0x80 | (code & 0x3F))};
}

struct Extent {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  // 0 ... steps - 1
  std::size_t step(double value, std::size_t steps) const {
    if (high <= low) return steps / 2;
    const double share = (value - low) / (high - low);
    return std::min(static_cast<std::size_t>(share * static_cast<double>(steps)), steps - 1);
  }
};

struct Canvas {
  std::size_t columns, rows;
  std::vector<int> dots;     // braille bits of a cell
  std::vector<bool> marked;  // holds a front member
};

Canvas drawn(std::span<const PlotPoint> points, const Extent& x, const Extent& y, std::size_t columns,
             std::size_t rows) {
  Canvas canvas{columns, rows, std::vector<int>(columns * rows, 0), std::vector<bool>(columns * rows, false)};
  for (const PlotPoint& point : points) {
    if (!std::isfinite(point.x) || !std::isfinite(point.y)) continue;
    const std::size_t dot_x = x.step(point.x, columns * 2), dot_y = rows * 4 - 1 - y.step(point.y, rows * 4);
    const std::size_t cell = dot_y / 4 * columns + dot_x / 2;
    canvas.dots[cell] |= braille_bits[dot_y % 4][dot_x % 2];
    if (point.marked) canvas.marked[cell] = true;
  }
  return canvas;
}

std::string cell_text(const Canvas& canvas, std::size_t cell, bool unicode) {
  if (canvas.marked[cell]) return unicode ? "●" : "o";
  if (canvas.dots[cell] == 0) return " ";
  return unicode ? braille(canvas.dots[cell]) : ".";
}

std::string padded_left(const std::string& text, std::size_t width) {
  const std::size_t have = characters(text);
  return have >= width ? text : std::string(width - have, ' ') + text;
}

std::string padded_right(const std::string& text, std::size_t width) {
  const std::size_t have = characters(text);
  return have >= width ? text : text + std::string(width - have, ' ');
}

}  // namespace

std::size_t characters(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string shortened(std::string_view text, std::size_t most_characters) {
  if (characters(text) <= most_characters || most_characters == 0) return std::string(text);
  std::size_t kept = 0, bytes = 0;
  while (bytes < text.size() && kept + 1 < most_characters) {
    ++bytes;
    while (bytes < text.size() && (text[bytes] & 0xC0) == 0x80) ++bytes;
    ++kept;
  }
  return std::string(text.substr(0, bytes)) + "…";
}

std::string ascii_text(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 11> table{{{"µ", "u"},
                                                                                        {"·", "|"},
                                                                                        {"≈", "~"},
                                                                                        {"–", "-"},
                                                                                        {"≤", "<="},
                                                                                        {"≥", ">="},
                                                                                        {"±", "+/-"},
                                                                                        {"…", "..."},
                                                                                        {"×", "x"},
                                                                                        {"─", "-"},
                                                                                        {"●", "o"}}};
  std::string plain;
  for (std::size_t at = 0; at < text.size();) {
    const auto hit = std::find_if(table.begin(), table.end(),
                                  [&](const auto& entry) { return text.substr(at).starts_with(entry.first); });
    if (hit != table.end()) {
      plain += hit->second;
      at += hit->first.size();
    } else if ((text[at] & 0x80) == 0) {
      plain += text[at++];
    } else {  // one mark for any other character
      plain += '?';
      ++at;
      while (at < text.size() && (text[at] & 0xC0) == 0x80) ++at;
    }
  }
  return plain;
}

void TextTable::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::string TextTable::text(const TextStyle& style, std::string_view indent) const {
  const auto shown = [&](const std::string& cell) { return style.unicode ? cell : ascii_text(cell); };
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = characters(shown(columns_[i].heading));
    for (const auto& row : rows_) width = std::max(width, characters(shown(row[i])));
    widths.push_back(width);
  }
  std::string text;
  const auto line = [&](const auto& cell_of) {
    std::string row(indent);
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string cell = shown(cell_of(i));
      row += (i > 0 ? "  " : "") + (columns_[i].number ? padded_left(cell, widths[i]) : padded_right(cell, widths[i]));
    }
    row.erase(row.find_last_not_of(' ') + 1);
    text += row + "\n";
  };
  line([&](std::size_t i) { return columns_[i].heading; });
  text += indent;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    if (i > 0) text += "  ";
    for (std::size_t k = 0; k < widths[i]; ++k) text += style.unicode ? "─" : "-";
  }
  text += "\n";
  for (const auto& row : rows_) line([&](std::size_t i) { return row[i]; });
  return text;
}

std::string scatter_plot(std::span<const PlotPoint> points, const std::string& x_heading, const std::string& y_heading,
                         const TextStyle& style) {
  Extent x, y;
  for (const PlotPoint& point : points) {
    if (!std::isfinite(point.x) || !std::isfinite(point.y)) continue;
    x.include(point.x);
    y.include(point.y);
  }
  if (x.low > x.high) return "";
  const auto number = [](double value) { return fmt::format("{:.5g}", value); };
  const std::size_t margin = std::max(number(y.low).size(), number(y.high).size()) + 1;
  const std::size_t columns = std::clamp<std::size_t>(style.width > margin + 4 ? style.width - margin - 4 : 20, 20, 72);
  constexpr std::size_t rows = 14;
  const Canvas canvas = drawn(points, x, y, columns, rows);
  std::string text = std::string(margin, ' ') + y_heading + "\n";
  for (std::size_t row = 0; row < rows; ++row) {
    const std::string label = row == 0 ? number(y.high) : row + 1 == rows ? number(y.low) : "";
    std::string cells;
    for (std::size_t column = 0; column < columns; ++column)
      cells += cell_text(canvas, row * columns + column, style.unicode);
    cells.erase(cells.find_last_not_of(' ') + 1);
    text += padded_left(label, margin) + (style.unicode ? "┤" : "|") + cells + "\n";
  }
  text += std::string(margin, ' ') + (style.unicode ? "└" : "+");
  for (std::size_t i = 0; i < columns; ++i) text += style.unicode ? "─" : "-";
  const std::string low = number(x.low), high = number(x.high);
  const std::string heading = style.unicode ? x_heading : ascii_text(x_heading);
  const std::size_t ends = low.size() + high.size() + characters(heading);
  const std::size_t room = columns > ends + 2 ? columns - ends : 2;
  return text + fmt::format("\n{:{}}{}{:{}}{}{:{}}{}\n", "", margin + 1, low, "", room / 2, heading, "",
                            room - room / 2, high);
}

}  // namespace ridgeline
