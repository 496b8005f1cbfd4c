// Which faces can be read: those whose 47 characters are there, have ink, differ from one another and look like the
// characters that they claim to be. Symbols, dingbats, boxes for missing glyphs, small capitals in place of lower case
// and old-style figures whose 1 is an I are left out.
#pragma once

#include <string>
#include <vector>

#include "experiments/data/font_face.hpp"

namespace ridgeline {

struct FaceCandidate {
  const FontFace* face = nullptr;
  std::string design;  // name of the TypefaceDesign: a face is not compared with its relatives
};

struct FaceFilterRule {
  double most_alike = 0.93;    // two characters of a face, as shapes of one height: shared ink by ink of either
  double most_capital = 0.65;  // the same, mean over lower-case letters and their capitals
  double least_read = 0.55;    // share of characters nearest to the mean of the same character in other designs
};

// For each candidate why it is left out; empty: it is accepted.
std::vector<std::string> reasons_against(const std::vector<FaceCandidate>& candidates, const FaceFilterRule& rule = {});

// Every character of a face drawn 24 pixels high, centred in [24, 24], wider ones cut: [characters, 24 * 24].
std::vector<std::vector<std::uint8_t>> face_shapes(const FontFace& face);
// Sum of the lesser by sum of the greater: 1 for equal shapes, 0 for shapes that share no ink.
double alikeness(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b);

}  // namespace ridgeline
