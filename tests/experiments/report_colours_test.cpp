// What points of a chart can be coloured by.
#include "experiments/report/report_colours.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ridgeline {
namespace {

using ::testing::ElementsAre;

TEST(ReportColours, FormatsHaveFamilies) {
  EXPECT_EQ(format_family("int4@channel/int8"), "integer");
  EXPECT_EQ(format_family("e2m1@channel/e4m3"), "minifloat");
  EXPECT_EQ(format_family("int4@channel/e4m3"), "integer / minifloat");
  EXPECT_EQ(format_family("pot4/bf16"), "power of two / float");
  EXPECT_EQ(format_family("mbconv3"), "");
}

TEST(ReportColours, FewChoicesAreTheirOwnCategories) {
  const auto found = colourings({"kernel", "width", "kernel"}, {{"3", "5"}, {"16"}, {"3", "5", "7"}});
  ASSERT_EQ(found.size(), 2U);  // one width tells nothing apart
  EXPECT_EQ(found[0].label, "kernel 1");
  EXPECT_EQ(found[1].label, "kernel 2");
  EXPECT_EQ(found[1].dimension, 2U);
  EXPECT_THAT(found[1].categories, ElementsAre("3", "5", "7"));
  EXPECT_THAT(found[1].category_of, ElementsAre(0, 1, 2));
}

TEST(ReportColours, ManyFormatsAreToldApartByFamily) {
  const std::vector<std::string> pairs{"int3/int3", "int4/int3", "int5/int3", "int3/e2m1", "e2m1/int3",
                                       "e2m1/e2m1", "e2m2/e2m1", "e2m3/e2m1", "int4/e2m1"};
  std::vector<std::string> others = pairs;
  others.back() = "conv";
  const auto found = colourings({"pair", "other"}, {pairs, others});
  ASSERT_EQ(found.size(), 1U);  // more than eight choices that are no formats are none
  EXPECT_EQ(found[0].label, "pair");
  EXPECT_THAT(found[0].categories, ElementsAre("integer", "integer / minifloat", "minifloat / integer", "minifloat"));
  EXPECT_THAT(found[0].category_of, ElementsAre(0, 0, 0, 1, 2, 3, 3, 3, 1));
}

}  // namespace
}  // namespace ridgeline
