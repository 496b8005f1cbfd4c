// Schedulers against the paper's example, every schedule of small graphs, and an independent judge.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hwmodels/scheduling/exact_schedule.hpp"
#include "hwmodels/scheduling/heft.hpp"
#include "hwmodels/scheduling/replay.hpp"
#include "spaces/config_error.hpp"
#include "tests/hwmodels/schedule_support.hpp"

namespace ridgeline {
namespace {

using ::testing::HasSubstr;

constexpr double nowhere = std::numeric_limits<double>::infinity();

// Table 2 and figure 3 (a).
TEST(Heft, ThePapersExample) {
  const TaskGraph graph = test::paper_graph();
  const std::vector<double> expected{108, 77, 80, 80, 69, 63.333, 42.667, 35.667, 44.333, 14.667};
  const std::vector<double> ranks = upward_ranks_s(graph);
  for (std::size_t t = 0; t < expected.size(); ++t) EXPECT_NEAR(ranks[t], expected[t], 5e-4) << "n" << t + 1;

  const TaskSchedule schedule = heft_schedule(graph);
  struct Row {
    std::size_t processor;
    double start_s, finish_s;
  };
  const std::vector<Row> rows{{3, 0, 9},   {1, 27, 40}, {3, 9, 28},  {2, 18, 26}, {3, 28, 38},
                              {2, 26, 42}, {3, 38, 49}, {1, 57, 62}, {2, 56, 68}, {2, 73, 80}};
  for (std::size_t t = 0; t < rows.size(); ++t) {
    EXPECT_EQ(schedule.tasks[t].processor + 1, rows[t].processor) << "n" << t + 1;
    EXPECT_EQ(schedule.tasks[t].start_s, rows[t].start_s) << "n" << t + 1;
    EXPECT_EQ(schedule.tasks[t].finish_s, rows[t].finish_s) << "n" << t + 1;
  }
  EXPECT_EQ(schedule.makespan_s(), 80);
  EXPECT_EQ(test::schedule_fault(graph, schedule), "");
}

TEST(Heft, FillsAGapThatIsLongEnough) {
  TaskGraph graph;
  graph.processors = {"one", "two"};
  // "b" waits 5 s for "a" on the other processor, where "c" fits in between: it ranks last.
  graph.tasks = {{"a", {1, nowhere}, {}}, {"b", {nowhere, 8}, {{0, 5}}}, {"c", {nowhere, 6}, {}}};
  EXPECT_EQ(heft_schedule(graph).tasks[2].start_s, 0);
  graph.tasks[2].seconds[1] = 6.5;
  EXPECT_EQ(heft_schedule(graph).tasks[2].start_s, 14);
}

TEST(Heft, IsNeverWorseThanOneProcessorInAListSchedule) {
  TaskGraph graph;
  graph.processors = {"one", "two"};
  // Each task ends first where the other is not, but reading both costs 100 s.
  graph.tasks = {{"a", {2, 2}, {}}, {"b", {2, 2}, {}}, {"c", {1, 1}, {{0, 100}, {1, 100}}}};
  EXPECT_EQ(heft_schedule(graph).makespan_s(), 103);
  EXPECT_EQ(list_schedule(graph).makespan_s(), 5);
  EXPECT_EQ(test::schedule_fault(graph, list_schedule(graph)), "");
}

TEST(ExactSchedule, ThePapersExampleCanBeDoneIn73) {
  const TaskGraph graph = test::paper_graph();
  const ExactSchedule found = exact_schedule(graph);
  EXPECT_EQ(test::schedule_fault(graph, found.schedule), "");
  EXPECT_EQ(found.schedule.makespan_s(), 73);
  EXPECT_TRUE(found.optimal());
  EXPECT_EQ(found.gap(), 0);
}

TEST(ExactSchedule, EqualsEveryScheduleOfSmallGraphs) {
  Rng rng(1);
  int better = 0;
  for (int i = 0; i < 300; ++i) {
    const bool three = i % 3 == 0;
    const TaskGraph graph = test::random_graph(rng, {.tasks = three ? 4 + rng.below(2) : 4 + rng.below(3),
                                                     .processors = three ? 3U : 2U,
                                                     .edge = 0.2 + 0.15 * static_cast<double>(i % 4),
                                                     .most_transfer_s = i % 2 == 0 ? 9.0 : 2.0,
                                                     .refused = i % 5 == 0 ? 0.3 : 0.0});
    const double shortest = test::EverySchedule(graph).shortest_s();
    const ExactSchedule found = exact_schedule(graph);
    EXPECT_EQ(test::schedule_fault(graph, found.schedule), "") << i;
    EXPECT_EQ(found.schedule.makespan_s(), shortest) << i;
    EXPECT_TRUE(found.optimal()) << i;
    EXPECT_LE(makespan_bound_s(graph), shortest * (1 + 1e-9)) << i;
    const TaskSchedule heft = heft_schedule(graph);
    EXPECT_EQ(test::schedule_fault(graph, heft), "") << i;
    EXPECT_GE(heft.makespan_s(), shortest) << i;
    better += heft.makespan_s() > shortest ? 1 : 0;
  }
  EXPECT_GT(better, 30);  // or the graphs are too easy to tell the two apart
}

// With no room to prove anything, the bound still holds and the schedule is one.
TEST(ExactSchedule, SaysHowFarItMayBeOff) {
  Rng rng(5);
  int open = 0;
  for (int i = 0; i < 40; ++i) {
    const TaskGraph graph = test::random_graph(rng, {.tasks = 6, .processors = 2, .edge = 0.2});
    const double shortest = test::EverySchedule(graph).shortest_s();
    const ExactSchedule found = exact_schedule(graph, {.first_width = 1, .most_states = 0});
    EXPECT_EQ(test::schedule_fault(graph, found.schedule), "") << i;
    EXPECT_LE(found.bound_s, shortest * (1 + 1e-9)) << i;
    EXPECT_GE(found.schedule.makespan_s(), shortest) << i;
    EXPECT_LE(found.schedule.makespan_s(), heft_schedule(graph).makespan_s()) << i;
    if (found.optimal()) {
      EXPECT_EQ(found.schedule.makespan_s(), shortest) << i;
    } else {
      ++open;
      EXPECT_GT(found.gap(), 0) << i;
    }
  }
  EXPECT_GT(open, 0);
}

TEST(ExactSchedule, LargeGraphsGetASoundBoundAndNeverLoseToHeft) {
  Rng rng(7);
  for (int i = 0; i < 3; ++i) {
    const TaskGraph graph = test::random_graph(
        rng, {.tasks = 40, .processors = 3, .edge = 0.08, .most_s = 50, .most_transfer_s = 20, .refused = 0.1});
    const ExactSchedule found = exact_schedule(graph, {.most_states = 20'000});
    EXPECT_EQ(test::schedule_fault(graph, found.schedule), "");
    EXPECT_LE(found.schedule.makespan_s(), heft_schedule(graph).makespan_s());
    EXPECT_GE(found.bound_s, makespan_bound_s(graph));
    EXPECT_LE(found.bound_s, found.schedule.makespan_s());
  }
}

TEST(Replay, WithoutNoiseIsTheScheduleItself) {
  Rng rng(11);
  for (int i = 0; i < 50; ++i) {
    const TaskGraph graph = test::random_graph(rng, {.tasks = 8, .processors = 3, .edge = 0.3});
    for (const TaskSchedule& planned : {heft_schedule(graph), exact_schedule(graph).schedule}) {
      const TaskSchedule done = replay(graph, planned, std::vector<double>(8, 1.0));
      EXPECT_EQ(test::schedule_fault(graph, done), "") << i;
      // A list schedule starts everything as early as it can.
      EXPECT_EQ(done.makespan_s(), planned.makespan_s()) << i;
    }
  }
}

TEST(Replay, WithOtherTimesIsAScheduleOfThem) {
  Rng rng(12);
  for (int i = 0; i < 50; ++i) {
    const TaskGraph graph = test::random_graph(rng, {.tasks = 8, .processors = 2, .edge = 0.3});
    const TaskSchedule planned = heft_schedule(graph);
    std::vector<double> factors;
    TaskGraph other = graph;
    for (Task& task : other.tasks) {
      factors.push_back(rng.uniform() * 2);
      for (double& seconds : task.seconds) seconds *= factors.back();
    }
    const TaskSchedule done = replay(graph, planned, factors);
    EXPECT_EQ(test::schedule_fault(other, done), "") << i;
    for (std::size_t t = 0; t < 8; ++t) EXPECT_EQ(done.tasks[t].processor, planned.tasks[t].processor);
  }
}

// Between what all tasks at their slowest and at their fastest would take.
TEST(Replay, NoiseIsBoundedAndTheSameForASeed) {
  const TaskGraph graph = test::paper_graph();
  const TaskSchedule planned = heft_schedule(graph);
  EXPECT_EQ(noisy_makespan(graph, planned, 0, 5, 1).most_s, 80);
  EXPECT_NEAR(noisy_makespan(graph, planned, 0, 5, 1).mean_s, 80, 1e-12);
  const NoisyMakespan noisy = noisy_makespan(graph, planned, 0.3, 200, 1);
  const std::vector<double> slow(10, 1.3), fast(10, 0.7);
  EXPECT_LT(noisy.most_s, replay(graph, planned, slow).makespan_s());
  EXPECT_GT(noisy.most_s, noisy.mean_s);
  EXPECT_GT(noisy.mean_s, replay(graph, planned, fast).makespan_s());
  EXPECT_EQ(noisy_makespan(graph, planned, 0.3, 200, 1).mean_s, noisy.mean_s);
  EXPECT_NE(noisy_makespan(graph, planned, 0.3, 200, 2).mean_s, noisy.mean_s);
}

TEST(Schedules, AreJudged) {
  const TaskGraph graph = test::paper_graph();
  const TaskSchedule good = heft_schedule(graph);
  TaskSchedule bad = good;
  bad.tasks[9].start_s -= 1, bad.tasks[9].finish_s -= 1;
  EXPECT_THAT(test::schedule_fault(graph, bad), HasSubstr("before its operands"));
  bad = good;
  bad.tasks[5] = {1, 24, 40};
  EXPECT_THAT(test::schedule_fault(graph, bad), HasSubstr("while another does"));
  bad = good;
  bad.tasks[0].finish_s = 8;
  EXPECT_THAT(test::schedule_fault(graph, bad), HasSubstr("another time"));
}

TEST(TaskGraphs, AreRefusedWithEveryProblem) {
  TaskGraph graph;
  EXPECT_THROW(check_task_graph(graph), ConfigError);
  graph.processors = {"one", "two"};
  graph.tasks = {{"a", {1, -1}, {{0, 1}}}, {"b", {nowhere, nowhere}, {}}, {"c", {1}, {{0, std::nan("")}}}};
  try {
    check_task_graph(graph);
    FAIL();
  } catch (const ConfigError& error) {
    const std::string text = error.what();
    for (const char* place :
         {"tasks[0].seconds", "tasks[0].reads", "tasks[1].seconds", "tasks[2].seconds", "tasks[2].reads"}) {
      EXPECT_THAT(text, HasSubstr(place));
    }
  }
  check_task_graph(test::paper_graph());
}

}  // namespace
}  // namespace ridgeline
