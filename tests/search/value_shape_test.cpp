#include "search/predicted/value_shape.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace ridgeline {
namespace {

TEST(ValueShape, PlainChangesNothing) {
  const ValueShape plain;
  EXPECT_TRUE(plain.plain());
  EXPECT_EQ(plain(-3.5), -3.5);
  EXPECT_EQ(plain.inverse(7.25), 7.25);
  EXPECT_TRUE(ValueShape::logarithmic({}).plain());
  EXPECT_TRUE(ValueShape::logarithmic(std::vector<double>(5, 2.0)).plain());
}

// 0, 1, 4, 9 ... 400: the tenth, of 21 values the third, is 4.
TEST(ValueShape, ATenthLiesALogarithmOfTwoAway) {
  std::vector<double> values;
  for (int i = 20; i >= 0; --i) values.push_back(i * i);
  const ValueShape shape = ValueShape::logarithmic(values);
  EXPECT_EQ(shape(0.0), 0.0);
  EXPECT_NEAR(shape(4.0), std::log(2.0), 1e-12);
  EXPECT_NEAR(shape(400.0), std::log(101.0), 1e-12);
  EXPECT_NEAR(shape(-8.0), -2.0, 1e-12);  // on in a straight line
}

TEST(ValueShape, IsMonotoneSmoothAndInverted) {
  const std::vector<double> values{3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 10, 90};  // a tenth of them equals the best
  const ValueShape shape = ValueShape::logarithmic(values);
  double last = -std::numeric_limits<double>::infinity();
  for (double value = -50; value < 200; value += 0.5) {
    EXPECT_GT(shape(value), last);
    last = shape(value);
    EXPECT_NEAR(shape.inverse(last), value, 1e-9);
  }
  EXPECT_NEAR(shape(90.0), std::log(2.0), 1e-12);  // the unit is the range
  const double step = 1e-6;
  EXPECT_NEAR((shape(3 + step) - shape(3)) / step, (shape(3) - shape(3 - step)) / step, 1e-6);
}

}  // namespace
}  // namespace ridgeline
