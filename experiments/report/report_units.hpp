// Pretty units for people: the only place beside cli/ where a quantity is not SI.
//
// A column is printed in one scale, so that its numbers can be compared by eye: 0.0123 s and 0.0045 s become 12.30
// and 4.50 under "ms". Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ridgeline {

struct UnitScale {
  double factor = 1.0;  // natural value = printed value * factor
  std::string unit;     // as printed: "ms", "MB", "M", "%"; may be empty
  int decimals = 2;

  std::string number(double natural) const;           // "12.30"
  std::string text(double natural) const;             // "12.30 ms"
  std::string heading(std::string_view label) const;  // "latency (ms)"
};

// The scale in which all of `values` (natural, finite) are readable: about four digits of the smallest one that is not
// 0. Knows s, J, W (smaller prefixes), B and pure numbers or counts ("", "MACs", "parameters": larger ones); leaves
// others.
UnitScale scale_for(std::span<const double> values, std::string_view unit);
std::string pretty(double natural, std::string_view unit);  // of one value

std::string grouped(std::int64_t count);              // "1,234,567"
std::string percent(double share, int decimals = 1);  // 0.123 -> "12.3 %"
std::string duration(double seconds);                 // "850 ms", "42 s", "3 min 20 s", "2 h 5 min"
// "latency_s" with unit "s" -> "latency": the name without the unit that a heading states anyway.
std::string plain_name(std::string_view name, std::string_view unit);

}  // namespace ridgeline
