#include "experiments/report/report_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <limits>

namespace ridgeline {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Units, ValuesArePrintedInTheNearestPrefix) {
  EXPECT_EQ(pretty(0.00415, "s"), "4.150 ms");
  EXPECT_EQ(pretty(2.5e-6, "s"), "2.500 µs");
  EXPECT_EQ(pretty(3.0, "s"), "3 s");
  EXPECT_EQ(pretty(5e6, "B"), "5.000 MB");
  EXPECT_EQ(pretty(93.13, "%"), "93.13 %");
  EXPECT_EQ(pretty(312.4e6, ""), "312.4 M");
  EXPECT_EQ(pretty(1234.5, ""), "1234");  // a score keeps its digits
  EXPECT_EQ(pretty(0.0, "s"), "0 s");
  EXPECT_EQ(pretty(-0.002, "s"), "-2.000 ms");
}

TEST(Units, AColumnHasOneScaleThatShowsItsSmallestValue) {
  const std::vector<double> values{0.0123, 0.00456};
  const UnitScale scale = scale_for(values, "s");
  EXPECT_EQ(scale.unit, "ms");
  EXPECT_EQ(scale.number(0.0123), "12.300");
  EXPECT_EQ(scale.number(0.00456), "4.560");
  EXPECT_EQ(scale.heading("latency"), "latency (ms)");
}

TEST(Units, CountsDurationsAndShares) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(-1234567), "-1,234,567");
  EXPECT_EQ(duration(0.25), "250 ms");
  EXPECT_EQ(duration(59.4), "59 s");
  EXPECT_EQ(duration(3600), "1 h 0 min");
  EXPECT_EQ(percent(0.999), "99.9 %");
  EXPECT_EQ(plain_name("latency_s", "s"), "latency");
  EXPECT_EQ(plain_name("latency_s", "ms"), "latency_s");
  EXPECT_EQ(size_text(std::log10(15625.0)), "15,625");
  EXPECT_EQ(size_text(20.5), "3.2e20");
}

TEST(TextTable, NumbersAlignAtTheirRightAndWidthsCountCharacters) {
  TextTable table({{"name", false}, {"µs", true}});
  table.add({"a", "1.5"});
  table.add({"größer", "100.25"});
  EXPECT_EQ(table.text({true, 80}), "name        µs\n──────  ──────\na          1.5\ngrößer  100.25\n");
  EXPECT_EQ(table.text({false, 80}), "name        us\n------  ------\na          1.5\ngr??er  100.25\n");
}

TEST(Text, IsShortenedBetweenCharacters) {
  EXPECT_EQ(shortened("abc", 3), "abc");
  EXPECT_EQ(shortened("abcd", 3), "ab…");
  EXPECT_EQ(shortened("µµµµ", 3), "µµ…");
}

// What a shell reads back is what went in.
TEST(ShellQuoted, SurvivesAShell) {
  for (const std::string word :
       {"plain", "two words", "it's", "$HOME `id` \"x\"", "", "a;b|c&d", "{\"k\": [1, 'x']}"}) {
    const std::string command = "printf %s " + shell_quoted(word);
    FILE* pipe = popen(command.c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    std::array<char, 256> buffer{};
    const std::size_t size = fread(buffer.data(), 1, buffer.size(), pipe);
    EXPECT_EQ(pclose(pipe), 0);
    EXPECT_EQ(std::string(buffer.data(), size), word);
  }
}

TEST(ScatterPlot, PutsCornersInTheCorners) {
  const std::vector<PlotPoint> points{{0, 0, true}, {10, 5, true}, {5, 2.5, false}};
  const std::string plot = scatter_plot(points, "x", "y", {false, 60});
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < plot.size();) {
    const std::size_t end = plot.find('\n', at);
    lines.push_back(plot.substr(at, end - at));
    at = end + 1;
  }
  ASSERT_EQ(lines.size(), 17U);  // heading, 14 rows, axis, labels
  EXPECT_EQ(lines[1].back(), 'o');
  EXPECT_EQ(lines[1].find('o'), lines[1].size() - 1);
  EXPECT_THAT(lines[1], HasSubstr("5|"));
  EXPECT_THAT(lines[14], HasSubstr("0|o"));
  EXPECT_EQ(std::count(plot.begin(), plot.end(), '.'), 1);
  EXPECT_THAT(lines[16], HasSubstr("10"));
}

TEST(ScatterPlot, LeavesOutWhatIsNotFinite) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(scatter_plot(std::vector<PlotPoint>{{nan, 1, false}}, "x", "y", {}), "");
  EXPECT_THAT(scatter_plot(std::vector<PlotPoint>{{nan, 1, false}, {1, 1, true}}, "x", "y", {}), HasSubstr("●"));
  EXPECT_THAT(scatter_plot(std::vector<PlotPoint>{{1, 1, true}}, "x", "y", {false, 80}), Not(HasSubstr("●")));
}

}  // namespace
}  // namespace ridgeline
