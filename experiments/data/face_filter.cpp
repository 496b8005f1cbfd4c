#include "experiments/data/face_filter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace ridgeline {
namespace {

constexpr int side = 24;
constexpr std::size_t cells = static_cast<std::size_t>(side) * side;
constexpr std::size_t characters = glyph_characters.size();

using Shapes = std::vector<std::vector<std::uint8_t>>;
using Means = std::vector<std::vector<double>>;  // one shape a character

double capital_likeness(const Shapes& shapes) {
  double sum = 0, count = 0;
  for (std::size_t c = 0; c < characters; ++c) {
    if (glyph_characters[c] < 'a') continue;
    sum += alikeness(shapes[c], shapes[glyph_characters.find(static_cast<char>(glyph_characters[c] - 'a' + 'A'))]);
    count += 1;
  }
  return sum / count;
}

// What can be said of a face by itself.
std::string own_reason(const FontFace& face, const FaceFilterRule& rule) {
  if (!face.latin) return "its character map lacks Latin letters or digits";
  const Shapes shapes = face_shapes(face);
  for (std::size_t c = 0; c < characters; ++c) {
    if (face.outlines[c].empty()) return fmt::format("'{}' is empty", glyph_characters[c]);
  }
  for (std::size_t a = 0; a < characters; ++a) {
    for (std::size_t b = a + 1; b < characters; ++b) {
      if (alikeness(shapes[a], shapes[b]) < rule.most_alike) continue;
      return fmt::format("'{}' and '{}' have one shape", glyph_characters[a], glyph_characters[b]);
    }
  }
  if (capital_likeness(shapes) >= rule.most_capital) return "its lower case is small capitals";
  return "";
}

void add(Means& sum, const Means& term, double weight) {
  for (std::size_t c = 0; c < characters; ++c) {
    for (std::size_t i = 0; i < cells; ++i) sum[c][i] += weight * term[c][i];
  }
}

Means nothing() { return Means(characters, std::vector<double>(cells)); }

// One pass of [1 2 1] / 4 along the axis whose neighbours are `step` apart; outside is paper.
void soften(std::vector<double>& picture, std::size_t step) {
  const std::vector<double> before = picture;
  for (std::size_t i = 0; i < cells; ++i) {
    const std::size_t place = i / step % side;
    const double left = place > 0 ? before[i - step] : 0.0;
    const double right = place + 1 < side ? before[i + step] : 0.0;
    picture[i] = 0.25 * left + 0.5 * before[i] + 0.25 * right;
  }
}

// Each character stretched to the whole square and softened, so that neither width nor weight of the face says much.
Means pictures_of(const FontFace& face) {
  GlyphRaster raster;
  Means pictures;
  std::vector<std::uint8_t> drawn(cells);
  for (const GlyphOutline& outline : face.outlines) {
    GlyphPlacement placement;
    placement.xx = static_cast<double>(side) / (outline.box[2] - outline.box[0]);
    placement.yy = static_cast<double>(side) / (outline.box[3] - outline.box[1]);
    placement.dx = -placement.xx * outline.box[0];
    placement.dy = -placement.yy * outline.box[1];
    raster.draw(outline, placement, side, drawn);
    std::vector<double> picture(drawn.begin(), drawn.end());
    for (int pass = 0; pass < 4; ++pass) {
      soften(picture, 1);
      soften(picture, side);
    }
    pictures.push_back(std::move(picture));
  }
  return pictures;
}

// Cosine of the angle between two pictures: 1 for equal ones, whatever their darkness.
double cosine(const std::vector<double>& a, const std::vector<double>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < cells; ++i) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0.0;
}

// The share of characters that are nearest to the mean of the same character.
double share_read(const Means& pictures, const Means& means) {
  std::size_t read = 0;
  for (std::size_t c = 0; c < characters; ++c) {
    std::size_t nearest = 0;
    double most = -1;
    for (std::size_t k = 0; k < characters; ++k) {
      const double alike = cosine(pictures[c], means[k]);
      if (alike > most) {
        most = alike;
        nearest = k;
      }
    }
    read += nearest == c ? 1U : 0U;
  }
  return static_cast<double>(read) / static_cast<double>(characters);
}

}  // namespace

std::vector<std::vector<std::uint8_t>> face_shapes(const FontFace& face) {
  GlyphRaster raster;
  Shapes shapes;
  for (const GlyphOutline& outline : face.outlines) {
    std::vector<std::uint8_t> shape(cells);
    if (!outline.empty()) {
      const double scale = static_cast<double>(side) / (outline.box[3] - outline.box[1]);
      GlyphPlacement placement{scale, 0, 0, scale, 0, -scale * outline.box[1]};
      placement.dx = 0.5 * (side - scale * (outline.box[0] + outline.box[2]));
      raster.draw(outline, placement, side, shape);
    }
    shapes.push_back(std::move(shape));
  }
  return shapes;
}

double alikeness(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b) {
  unsigned lesser = 0, greater = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    lesser += std::min(a[i], b[i]);
    greater += std::max(a[i], b[i]);
  }
  return greater == 0 ? 1.0 : static_cast<double>(lesser) / greater;
}

std::vector<std::string> reasons_against(const std::vector<FaceCandidate>& candidates, const FaceFilterRule& rule) {
  std::vector<std::string> reasons;
  std::vector<Means> pictures(candidates.size());
  std::map<std::string, std::vector<std::size_t>> by_design;
  for (const FaceCandidate& candidate : candidates) {
    const std::size_t i = reasons.size();
    reasons.push_back(own_reason(*candidate.face, rule));
    if (!reasons.back().empty()) continue;
    pictures[i] = pictures_of(*candidate.face);
    by_design[candidate.design].push_back(i);
  }
  if (by_design.size() < 2) return reasons;  // nothing to compare with
  // Every design has one voice, however many faces it has; a face is compared with the sum of the others' means.
  std::map<std::string, Means> means;
  Means total = nothing();
  for (const auto& [design, members] : by_design) {
    Means& mean = means.emplace(design, nothing()).first->second;
    for (const std::size_t i : members) add(mean, pictures[i], 1.0 / static_cast<double>(members.size()));
    add(total, mean, 1);
  }
  for (const auto& [design, members] : by_design) {
    Means others = total;
    add(others, means.at(design), -1);
    for (const std::size_t i : members) {
      const double share = share_read(pictures[i], others);
      if (share >= rule.least_read) continue;
      reasons[i] = fmt::format("only {:.0f} % of its characters look like those of other typefaces", 100 * share);
    }
  }
  return reasons;
}

}  // namespace ridgeline
