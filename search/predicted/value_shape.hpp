// A monotone change of minimised values that gives the best of them the most room: y -> log(1 + (y - least) / unit),
// the unit being how far a tenth of the values lies from the least. Where most candidates are far worse than the few
// that matter, a predictor of plain values spends itself on how bad the bad ones are.
#pragma once

#include <span>

namespace ridgeline {

class ValueShape {
 public:
  ValueShape() = default;  // changes nothing
  // Of these; where a tenth of them is as good as the best, the unit is the range. Changes nothing where all are equal.
  static ValueShape logarithmic(std::span<const double> values);

  bool plain() const { return unit_ == 0.0; }
  // Values below the least go on in a straight line, so that every value has a place.
  double operator()(double value) const;
  double inverse(double shaped) const;

 private:
  double least_ = 0.0, unit_ = 0.0;
};

}  // namespace ridgeline
