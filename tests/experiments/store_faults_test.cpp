// What goes wrong around a store: other processes, full disks, folders that cannot be written, files that are something
// else. Each gives one line, and nothing that was committed is lost.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>

#include "experiments/store/store.hpp"
#include "tests/experiments/store_support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Runs `work` in a process of its own and returns what it says; `kind` is put before the message of an exception.
std::string in_child(const std::function<std::string()>& work) {
  int ends[2];
  if (pipe(ends) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    std::string said;
    try {
      said = work();
    } catch (const StoreError& error) {
      said = std::string("StoreError ") + error.what();
    } catch (const std::exception& error) {
      said = std::string("another exception ") + error.what();
    }
    const ssize_t written = write(ends[1], said.data(), said.size());
    _exit(written == static_cast<ssize_t>(said.size()) ? 0 : 1);
  }
  close(ends[1]);
  std::string said;
  char buffer[4096];
  for (ssize_t got = 0; (got = read(ends[0], buffer, sizeof buffer)) > 0;)
    said.append(buffer, static_cast<std::size_t>(got));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) said += " (the process died)";
  return said;
}

// One line that names the file.
void expect_one_line(const std::string& message, const std::string& path) {
  EXPECT_THAT(message, AllOf(HasSubstr(path), Not(HasSubstr("\n"))));
}

void make_study(const std::string& path, std::size_t trials) {
  Store store(path, Store::Mode::write);
  const StudyId study = store.open_study(some_record("one")).id;
  store.append(study, random_trials(trials, 3), {}, std::nullopt);
}

void write_over(const std::string& path, std::streamoff offset, const std::string& bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(offset);
  file << bytes;
}

TEST(StoreLock, SecondWriterIsToldWhoHoldsTheStudy) {
  const Scratch scratch;
  const std::string path = scratch.path("a.db");
  auto first = std::make_unique<Store>(path, Store::Mode::write);
  first->open_study(some_record("one"));
  const std::string since = sql(path, "SELECT since_utc FROM locks");
  ASSERT_FALSE(since.empty());
  const std::string pid = "process " + std::to_string(getpid());
  Store second(path, Store::Mode::write);
  EXPECT_THAT(what_of([&] { second.open_study(some_record("one")); }),
              AllOf(HasSubstr("'one' is being written"), HasSubstr(pid), HasSubstr(since), HasSubstr("kill")));
  EXPECT_THAT(what_of([&] { second.remove_study(1); }), HasSubstr(pid));
  EXPECT_THAT(in_child([&] {
                Store other(path, Store::Mode::write);
                other.open_study(some_record("one"));
                return std::string("opened");
              }),
              AllOf(HasSubstr("StoreError"), HasSubstr(pid)));
  second.open_study(some_record("two"));  // another study of the same file
  first.reset();
  EXPECT_NO_THROW(second.open_study(some_record("one")));
}

TEST(StoreLock, ADeadProcessHoldsNothing) {
  const Scratch scratch;
  const std::string path = scratch.path("a.db");
  const pid_t child = fork();
  if (child == 0) {
    Store store(path, Store::Mode::write);
    store.open_study(some_record("one"));
    kill(getpid(), SIGKILL);
  }
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);  // dead, but still in the process table
  ASSERT_EQ(sql(path, "SELECT pid FROM locks"), std::to_string(child));
  EXPECT_EQ(Store(path, Store::Mode::read).find("one")->state, "interrupted");
  {
    Store store(path, Store::Mode::write);
    EXPECT_NO_THROW(store.open_study(some_record("one")));
    EXPECT_EQ(store.find("one")->state, "running");
  }
  waitpid(child, nullptr, 0);
}

TEST(StoreLock, AnIdUsedAgainOrAnotherMachineIsToldApart) {
  const Scratch scratch;
  const std::string path = scratch.path("a.db");
  const auto opens_after = [&](const std::string& change) {
    auto holder = std::make_unique<Store>(path, Store::Mode::write);
    holder->open_study(some_record("one"));
    EXPECT_EQ(sql(path, change), "");
    const std::string message = what_of([&] {
      Store other(path, Store::Mode::write);
      other.open_study(some_record("one"));
    });
    sql(path, "DELETE FROM locks");
    return message;
  };
  EXPECT_THAT(opens_after("UPDATE locks SET process_start = process_start"), HasSubstr("is being written"));
  EXPECT_EQ(opens_after("UPDATE locks SET process_start = process_start + 1"), "") << "a later process of the same id";
  EXPECT_EQ(opens_after("UPDATE locks SET boot = 'before'"), "") << "before a reboot";
  EXPECT_THAT(opens_after("UPDATE locks SET boot = 'other', host = 'other'"),
              AllOf(HasSubstr("on other"), HasSubstr("cannot be seen from here")));
  EXPECT_THAT(opens_after("UPDATE locks SET pid_namespace = 'pid:[1]'"), HasSubstr("cannot be seen from here"));
  EXPECT_EQ(
      opens_after("UPDATE locks SET boot = 'other', host = 'other', since_utc = '2020-01-01T00:00:00.000Z'; UPDATE "
                  "studies SET updated_utc = '2020-01-01T00:00:00.000Z'"),
      "")
      << "silent for years";
}

TEST(StoreLock, AWriterWhoseStudyWasTakenOverStops) {
  const Scratch scratch;
  const std::string path = scratch.path("a.db");
  Store store(path, Store::Mode::write);
  const StudyId study = store.open_study(some_record("one")).id;
  sql(path, "UPDATE locks SET token = 'another'");
  EXPECT_THAT(what_of([&] { store.append(study, random_trials(3, 1), {}, std::nullopt); }), HasSubstr("taken study"));
  EXPECT_TRUE(store.load(study).empty());
}

TEST(StoreReaders, SeeWholeBatchesWhileOneWrites) {
  const Scratch scratch;
  const std::string path = scratch.path("a.db");
  make_study(path, 0);
  const std::vector<Trial> trials = random_trials(4000, 3);
  constexpr std::size_t batch = 40;
  const pid_t child = fork();
  if (child == 0) {
    try {
      Store store(path, Store::Mode::write);
      const StudyId study = store.open_study(some_record("one")).id;
      for (std::size_t at = 0; at < trials.size(); at += batch) {
        store.append(study, std::span(trials).subspan(at, batch), {}, std::nullopt);
      }
    } catch (...) {
      _exit(1);
    }
    _exit(0);
  }
  std::vector<std::unique_ptr<Store>> readers;
  for (int i = 0; i < 3; ++i) readers.push_back(std::make_unique<Store>(path, Store::Mode::read));
  std::size_t last = 0;
  int partial = 0;
  int status = 0;
  bool running = true;
  while (running) {
    running = waitpid(child, &status, WNOHANG) == 0;
    for (const auto& reader : readers) {
      const std::vector<Trial> seen = reader->load(1);
      ASSERT_EQ(seen.size() % batch, 0U);
      ASSERT_GE(seen.size(), last);
      last = seen.size();
      if (last > 0 && last < trials.size()) ++partial;
      for (const Trial& member : reader->front(1, Fidelity::measured)) ASSERT_TRUE(member.has_values());
    }
  }
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_GT(partial, 0) << "nobody read while the writer wrote";
  expect_same_trials(readers[0]->load(1), trials);
}

TEST(StoreFiles, FullDiskLosesNothingCommitted) {
  const Scratch scratch;
  const std::string path = scratch.path("a.db");
  const std::vector<Trial> trials = random_trials(20'000, 3);
  make_study(path, 0);
  const std::string said = in_child([&] {
    // The kernel refuses to write a file beyond this: the same errors as of a full disk, without filling one.
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{600'000, 600'000};
    setrlimit(RLIMIT_FSIZE, &limit);
    Store store(path, Store::Mode::write);
    const StudyId study = store.open_study(some_record("one")).id;
    std::size_t committed = 0;
    try {
      for (; committed < trials.size(); committed += 100) {
        store.append(study, std::span(trials).subspan(committed, 100), {}, std::nullopt);
      }
    } catch (const StoreError& error) {
      // What was there before the disk was full can still be read, through the same store.
      if (store.load(study).size() != committed) return std::string("lost trials before closing");
      return std::to_string(committed) + " StoreError " + error.what();
    }
    return std::string("never full");
  });
  std::istringstream words(said);
  std::size_t committed = 0;
  words >> committed;
  EXPECT_THAT(said, AllOf(HasSubstr("StoreError"), HasSubstr("disk is full"), HasSubstr("everything committed")));
  expect_one_line(said, path);
  EXPECT_GT(committed, 0U);
  EXPECT_EQ(sql(path, "PRAGMA integrity_check"), "ok");
  Store store(path, Store::Mode::write);
  const StudyId study = store.open_study(some_record("one")).id;
  expect_same_trials(store.load(study), {trials.begin(), trials.begin() + static_cast<std::ptrdiff_t>(committed)});
  store.append(study, std::span(trials).subspan(committed, 100), {}, std::nullopt);
}

// Gives up root's rights, which no folder would stop.
void become_nobody() {
  if (geteuid() != 0) return;
  if (setgid(65534) != 0 || setuid(65534) != 0) throw std::runtime_error("cannot become nobody");
}

TEST(StoreFiles, ReadOnlyFolderCanBeReadAndNotWritten) {
  const Scratch scratch;
  const std::string folder = scratch.path("sealed");
  std::filesystem::create_directory(folder);
  const std::string path = folder + "/a.db";
  make_study(path, 10);
  chmod(path.c_str(), 0444);
  chmod(folder.c_str(), 0555);
  chmod(scratch.path("").c_str(), 0755);
  const std::string fresh = in_child([&] {
    become_nobody();
    Store(folder + "/new.db", Store::Mode::write);
    return std::string("opened");
  });
  EXPECT_THAT(fresh, AllOf(HasSubstr("StoreError"), HasSubstr("folder")));
  expect_one_line(fresh, folder + "/new.db");
  const std::string old = in_child([&] {
    become_nobody();
    Store store(path, Store::Mode::write);
    store.open_study(some_record("one"));
    return std::string("opened");
  });
  EXPECT_THAT(old, AllOf(HasSubstr("StoreError"), HasSubstr("cannot be written")));
  expect_one_line(old, path);
  EXPECT_EQ(in_child([&] {
              become_nobody();
              return std::to_string(Store(path, Store::Mode::read).load(1).size());
            }),
            "10");
  chmod(folder.c_str(), 0755);
}

TEST(StoreFiles, WhatIsNoDatabaseIsNamedAndLeftAlone) {
  const Scratch scratch;
  const auto says = [&](const std::string& path, Store::Mode mode) {
    const std::string message = what_of([&] { Store(path, mode); });
    expect_one_line(message, path);
    return message;
  };
  const std::string text = scratch.write("notes.txt", std::string(5000, 'x'));
  const std::string brief = scratch.write("brief.txt", "hello");
  for (const Store::Mode mode : {Store::Mode::read, Store::Mode::write}) {
    EXPECT_THAT(says(text, mode), HasSubstr("not an SQLite database"));
    EXPECT_THAT(says(brief, mode), HasSubstr("not an SQLite database"));
    EXPECT_THAT(says(scratch.path(""), mode), HasSubstr("folder"));
  }
  EXPECT_EQ(std::filesystem::file_size(text), 5000U);
  const std::string foreign = scratch.path("foreign.db");
  EXPECT_EQ(sql(foreign, "CREATE TABLE bookmarks (url TEXT)"), "");
  EXPECT_THAT(says(foreign, Store::Mode::read), HasSubstr("another program"));
  EXPECT_THAT(says(foreign, Store::Mode::write), HasSubstr("another program"));
  EXPECT_EQ(sql(foreign, "PRAGMA journal_mode"), "delete") << "it was changed";
  EXPECT_THAT(says(scratch.path("none.db"), Store::Mode::read), HasSubstr("no such database"));
  EXPECT_FALSE(std::filesystem::exists(scratch.path("none.db")));
  EXPECT_THAT(says(scratch.path("none/none.db"), Store::Mode::write), HasSubstr("folder exists"));
  EXPECT_THAT(says(scratch.write("empty.db", ""), Store::Mode::read), HasSubstr("empty file"));
  EXPECT_NO_THROW(Store(scratch.path("empty.db"), Store::Mode::write));
}

TEST(StoreFiles, ANewerDatabaseIsRefusedWithBothVersions) {
  const Scratch scratch;
  const std::string path = scratch.path("a.db");
  make_study(path, 5);
  const std::string version = std::to_string(Store::schema_version() + 1);
  sql(path, "PRAGMA user_version = " + version);
  for (const Store::Mode mode : {Store::Mode::read, Store::Mode::write}) {
    const std::string message = what_of([&] { Store(path, mode); });
    EXPECT_THAT(message, AllOf(HasSubstr("newer ridgeline"), HasSubstr("schema " + version),
                               HasSubstr("1 to " + std::to_string(Store::schema_version()))));
    expect_one_line(message, path);
  }
}

TEST(StoreFiles, ATruncatedDatabaseIsSeenAtOnce) {
  const Scratch scratch;
  const std::string path = scratch.path("a.db");
  make_study(path, 2000);
  const std::uintmax_t size = std::filesystem::file_size(path);
  ASSERT_GT(size, 100'000U);
  for (const std::uintmax_t left : {size - 1, size - 4096, size / 2, std::uintmax_t{4096}, std::uintmax_t{50}}) {
    std::filesystem::resize_file(path, left);
    for (const Store::Mode mode : {Store::Mode::read, Store::Mode::write}) {
      const std::string message = what_of([&] { Store(path, mode); });
      EXPECT_THAT(message, AllOf(HasSubstr("truncated"), HasSubstr(std::to_string(left)))) << left;
      expect_one_line(message, path);
    }
  }
}

TEST(StoreFiles, DamageInsideIsAStoreErrorNotACrash) {
  const Scratch scratch;
  const std::string path = scratch.path("a.db");
  int noticed = 0;
  for (std::streamoff page = 1; page < 40; page += 3) {
    std::filesystem::remove(path);
    make_study(path, 1000);
    write_over(path, 4096 * page, std::string(4096, '\xa5'));
    try {
      const Store store(path, Store::Mode::read);
      for (const StudyRecord& record : store.studies()) {
        store.load(record.id);
        store.front(record.id, Fidelity::measured);
      }
    } catch (const StoreError& error) {
      ++noticed;
      expect_one_line(error.what(), path);
    }
  }
  EXPECT_GT(noticed, 5);
}

TEST(StoreFiles, ATrialWithoutItsValuesIsDamage) {
  for (const char* damage : {"DELETE FROM trial_values WHERE objective = 1", "UPDATE trial_values SET value = 9e999",
                             "DELETE FROM trial_values"}) {
    const Scratch scratch;
    const std::string path = scratch.path("a.db");
    make_study(path, 100);
    sql(path, damage);
    const Store store(path, Store::Mode::read);
    const StudyId study = store.studies().front().id;
    const std::string message = what_of([&] { store.load(study); });
    EXPECT_THAT(message, HasSubstr("damaged")) << damage;
    expect_one_line(message, path);
  }
}

}  // namespace
}  // namespace ridgeline::testing
