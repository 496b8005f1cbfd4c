// What the points of a study's chart can be coloured by: a dimension whose choices are few, or number formats, which
// are told apart by their family.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ridgeline {

struct Colouring {
  std::size_t dimension = 0;             // its place among the genes
  std::string label;                     // its name; with a number where others have the same
  std::vector<std::string> categories;   // 2 to 8, in the order of the choices that have them
  std::vector<std::size_t> category_of;  // one a choice
};

// "int4@channel/e4m3" is "integer / minifloat": what weights are, then activations where they differ. Empty: no format.
std::string format_family(const std::string& word);

// `names` and `choices` as StudyReport has them: one entry a dimension.
std::vector<Colouring> colourings(const std::vector<std::string>& names,
                                  const std::vector<std::vector<std::string>>& choices);

}  // namespace ridgeline
