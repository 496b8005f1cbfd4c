// kill -9 at 200 random moments: nothing that was committed is lost, the file stays whole, and the search that comes
// out in the end is the one that was never interrupted.

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

Json study_to_kill() {
  Json study = timed_study("s");
  study["searcher"] = {{"name", "nsga2"}};
  study["batch"] = 4;
  study["threads"] = 1;
  study["objectives"][1]["screen"] = {{"evaluator", "count"}, {"quantity", "macs"}, {"keep", 0.5}};
  study["stop"]["trials"] = 100'000;  // more than any machine stores before the last kill
  return study;
}

// Runs the study in a child that acknowledges each commit through the pipe.
pid_t start(const Json& study, const std::string& database, int acknowledge) {
  const pid_t child = fork();
  if (child != 0) return child;
  StudyHooks hooks;
  hooks.progress = [&](const StudyProgress& progress) {
    if (write(acknowledge, &progress.trials, sizeof progress.trials) != sizeof progress.trials) _exit(3);
  };
  try {
    run_study(study, database, hooks);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    _exit(1);
  }
  _exit(0);
}

// The last acknowledged count before `child` ended, having killed it `delay` after its acknowledgement number
// `commits`: counted in commits, so that slow and fast machines are killed at the same places.
std::int64_t kill_after(pid_t child, int acknowledged, std::uint64_t commits, std::chrono::microseconds delay,
                        std::int64_t last) {
  using Clock = std::chrono::steady_clock;
  std::optional<Clock::time_point> deadline;
  bool killed = false;
  for (std::uint64_t seen = 0;;) {
    pollfd ready{acknowledged, POLLIN, 0};
    timespec wait{1, 0};
    if (deadline && !killed) {
      const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(*deadline - Clock::now()).count();
      wait = {0, std::max<long>(left, 0)};
    }
    const int events = ppoll(&ready, 1, &wait, nullptr);
    if (events > 0) {
      std::int64_t count = 0;
      const ssize_t got = read(acknowledged, &count, sizeof count);
      if (got != sizeof count) return last;  // the pipe's other end is closed: the child is gone
      last = count;
      if (++seen == commits) deadline = Clock::now() + delay;
    }
    if (deadline && !killed && Clock::now() >= *deadline) {
      kill(child, SIGKILL);
      killed = true;
    }
  }
}

TEST(Kill, TwoHundredTimesLosesNothing) {
  const Scratch scratch;
  const std::string database = scratch.path("killed.db");
  Json study = study_to_kill();
  Rng rng(2026);
  std::int64_t last = 0;
  int grew = 0;
  for (int round = 0; round < 200; ++round) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = start(study, database, ends[1]);
    close(ends[1]);
    const std::int64_t before = last;
    const std::uint64_t commits = 1 + rng.below(8);
    last = kill_after(child, ends[0], commits, std::chrono::microseconds(rng.below(1'000)), last);
    close(ends[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "round " << round << " ended by itself with " << WEXITSTATUS(status);
    grew += last > before ? 1 : 0;
    ASSERT_EQ(sql(database, "PRAGMA quick_check"), "ok") << "round " << round;
    const std::string stored = sql(database, "SELECT count(*) FROM trials");
    ASSERT_GE(std::stoll(stored), last) << "round " << round;
    ASSERT_EQ(sql(database, "SELECT trial_count FROM studies"), stored) << "round " << round;
  }
  EXPECT_GT(grew, 100);
  EXPECT_EQ(sql(database, "PRAGMA integrity_check"), "ok");

  study["stop"]["trials"] = std::stoll(sql(database, "SELECT trial_count FROM studies")) + 200;
  const StudyResult end = run_study(study, database);
  EXPECT_GT(end.resumed, 0);
  const std::string whole = scratch.path("whole.db");
  const StudyResult uninterrupted = run_study(study, whole);
  ASSERT_EQ(end.front.size(), uninterrupted.front.size());
  expect_same_trials(end.front, uninterrupted.front);
  expect_same_trials(trials_of(database, "s"), trials_of(whole, "s"));
}

}  // namespace
}  // namespace ridgeline::testing
