#include "hwmodels/plugin/child_program.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "hwmodels/plugin/plugin_design.hpp"

extern char** environ;

namespace ridgeline {
namespace {

using Milliseconds = std::chrono::milliseconds;

constexpr std::size_t kept_words_bytes = 4096;
constexpr std::size_t shown_words_bytes = 300;
constexpr Milliseconds patience{100};        // for a program that is to end
constexpr Milliseconds long_patience{1000};  // for one that seems to be ending, to know how
constexpr Milliseconds last_patience{50};    // between being asked and being made to

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{-1, -1};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return;
    read = OwnedDescriptor(ends[0]);
    write = OwnedDescriptor(ends[1]);
  }
  OwnedDescriptor read, write;
};

void make_non_blocking(const OwnedDescriptor& descriptor) {
  fcntl(descriptor.number(), F_SETFL, fcntl(descriptor.number(), F_GETFL) | O_NONBLOCK);
}

// write() to a pipe whose reader may be gone: EPIPE, and no SIGPIPE for this process.
ssize_t write_to_pipe(int descriptor, const char* data, std::size_t size) {
  sigset_t pipe_signal, before, pending;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  sigpending(&pending);
  const bool was_pending = sigismember(&pending, SIGPIPE) == 1;
  const ssize_t written = write(descriptor, data, size);
  const int error = errno;
  if (written < 0 && error == EPIPE && !was_pending) {
    const timespec now{};
    while (sigtimedwait(&pipe_signal, nullptr, &now) < 0 && errno == EINTR) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return written;
}

// How posix_spawn makes the child: its streams, its folder, a group of its own, signals as a fresh program has them,
// and no other file of this process (a database's lock, say).
class SpawnRules {
 public:
  SpawnRules(const std::string& folder, int input, int output, int errors) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, errors, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    posix_spawn_file_actions_addchdir_np(&actions_, folder.c_str());
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    for (const int number : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD}) sigaddset(&usual, number);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &usual);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnRules() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }
  SpawnRules(const SpawnRules&) = delete;
  SpawnRules& operator=(const SpawnRules&) = delete;

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace

void OwnedDescriptor::reset() {
  if (number_ >= 0) close(number_);
  number_ = -1;
}

ChildProgram::ChildProgram(std::vector<std::string> command, std::string folder)
    : command_(std::move(command)), folder_(std::move(folder)) {}

ChildProgram::~ChildProgram() { stop(); }

std::string ChildProgram::start() {
  stop();
  Pipe input, output, errors;
  if (!input.write.is_open() || !output.write.is_open() || !errors.write.is_open()) {
    return fmt::format("no pipe to it: {}", std::strerror(errno));
  }
  std::vector<char*> words;
  for (std::string& word : command_) words.push_back(word.data());
  words.push_back(nullptr);
  const SpawnRules rules(folder_, input.read.number(), output.write.number(), errors.write.number());
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, words[0], rules.actions(), rules.attributes(), words.data(), environ);
  if (error != 0) return plain_words(std::strerror(error));
  pid_ = pid;
  read_.clear();
  words_.clear();
  input_ = std::move(input.write);
  output_ = std::move(output.read);
  errors_ = std::move(errors.read);
  for (const OwnedDescriptor* one : {&input_, &output_, &errors_}) make_non_blocking(*one);
  return "";
}

ChildProgram::Answer ChildProgram::exchange(const std::string& line, double seconds) {
  const auto deadline =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  read_errors(kept_words_bytes * 64);
  words_.clear();  // of what was before
  Answer answer;
  const Wait what = wait_for_line(line + "\n", deadline);
  if (what != Wait::line) {
    answer.fault = fault_text(what, seconds);
    answer.timed_out = what == Wait::too_late;
    return answer;
  }
  const std::size_t end = read_.find('\n');
  answer.line = read_.substr(0, end);
  const bool more = read_.size() > end + 1;
  read_.clear();
  if (more) {
    stop();
    answer.fault = "it answered with more than one line" + own_words();
  }
  return answer;
}

ChildProgram::Wait ChildProgram::wait_for_line(const std::string& request, Clock::time_point deadline) {
  std::size_t sent = 0;
  std::size_t searched = 0;
  for (;;) {
    const auto left = std::chrono::ceil<Milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return Wait::too_late;
    std::array<pollfd, 3> watched{{{output_.number(), POLLIN, 0},
                                   {errors_.number(), POLLIN, 0},
                                   {input_.number(), static_cast<short>(sent < request.size() ? POLLOUT : 0), 0}}};
    if (poll(watched.data(), watched.size(), static_cast<int>(std::min<long>(left, 1 << 30))) < 0) continue;
    if (watched[1].revents != 0) read_errors(kept_words_bytes * 64);
    if (watched[0].revents != 0) {
      const bool open = read_output();
      if (read_.find('\n', searched) != std::string::npos) return Wait::line;
      searched = read_.size();
      if (read_.size() > most_line_bytes) return Wait::too_long;
      if (!open) return Wait::end_of_output;
    }
    // Whatever it said before it closed its input is read first: it may have ended after a whole answer.
    const bool closed = (watched[2].revents & POLLERR) != 0;
    if (closed && watched[0].revents == 0) return Wait::input_closed;
    if (!closed && sent < request.size() && watched[2].revents != 0) send(request, sent);
  }
}

// That its input is closed is seen by poll().
void ChildProgram::send(const std::string& request, std::size_t& sent) {
  const ssize_t written = write_to_pipe(input_.number(), request.data() + sent, request.size() - sent);
  if (written > 0) sent += static_cast<std::size_t>(written);
}

bool ChildProgram::read_output() {
  std::array<char, 65536> buffer;
  const ssize_t size = read(output_.number(), buffer.data(), buffer.size());
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  read_.append(buffer.data(), static_cast<std::size_t>(size));
  return size > 0;
}

// Not more than `most_bytes` at once: a program that floods it must not keep its reader from the clock.
void ChildProgram::read_errors(std::size_t most_bytes) {
  std::array<char, 16384> buffer;
  for (std::size_t total = 0; errors_.is_open() && total < most_bytes;) {
    const ssize_t size = read(errors_.number(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size == 0) errors_.reset();  // or poll would report it for ever
    if (size <= 0) return;
    total += static_cast<std::size_t>(size);
    words_.append(buffer.data(), static_cast<std::size_t>(size));
    if (words_.size() > 2 * kept_words_bytes) words_.erase(0, words_.size() - kept_words_bytes);
  }
}

bool ChildProgram::ended_within(Milliseconds time) {
  const auto deadline = Clock::now() + time;
  for (long pause_ns = 200'000; pid_ > 0; pause_ns = std::min(2 * pause_ns, 10'000'000L)) {
    const pid_t ended = waitpid(pid_, &status_, WNOHANG);
    if (ended == pid_ || (ended < 0 && errno == ECHILD)) {
      kill_group(SIGKILL);  // what it has started
      pid_ = -1;
      return true;
    }
    if (Clock::now() >= deadline) return false;
    read_errors(kept_words_bytes * 16);  // it may wait for room
    const timespec pause{0, pause_ns};
    nanosleep(&pause, nullptr);
  }
  return true;
}

void ChildProgram::kill_group(int signal) const { kill(-pid_, signal); }

void ChildProgram::reap() {
  while (pid_ > 0 && waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

void ChildProgram::stop() {
  if (!running()) return;
  input_.reset();
  output_.reset();
  if (!ended_within(patience)) {
    kill_group(SIGTERM);
    if (!ended_within(last_patience)) {
      kill_group(SIGKILL);
      reap();
    }
  }
  read_errors(kept_words_bytes * 16);
  errors_.reset();
}

std::string ChildProgram::fault_text(Wait what, double seconds) {
  const bool began = !read_.empty();
  const bool leaving = what == Wait::end_of_output || what == Wait::input_closed;
  std::string text;
  if (leaving && ended_within(long_patience)) {
    if (WIFSIGNALED(status_)) {
      text = fmt::format("it was ended by signal {} ({})", WTERMSIG(status_), strsignal(WTERMSIG(status_)));
    } else {
      text = fmt::format("it ended with exit code {}", WEXITSTATUS(status_));
    }
    if (began) text += " in the middle of its answer";
    read_errors(kept_words_bytes * 16);
  } else if (leaving) {
    text = what == Wait::input_closed ? "it closed its input" : "it closed its output";
  } else if (what == Wait::too_long) {
    text = fmt::format("its answer is a line of more than {} MiB", most_line_bytes >> 20);
  } else {
    text = fmt::format("no {} within {:g} s", began ? "end of its answer" : "answer", seconds);
  }
  stop();
  read_.clear();
  read_.shrink_to_fit();
  input_.reset();
  output_.reset();
  errors_.reset();
  return text + own_words();
}

std::string ChildProgram::own_words() const {
  std::string_view last = words_;
  if (last.size() > kept_words_bytes) last.remove_prefix(last.size() - kept_words_bytes);
  // The last lines: where a traceback names the error.
  while (!last.empty() && (last.back() == '\n' || last.back() == ' ')) last.remove_suffix(1);
  std::size_t begin = last.size() > shown_words_bytes - 10 ? last.size() - (shown_words_bytes - 10) : 0;
  if (begin > 0 && last.find('\n', begin) != std::string_view::npos) begin = last.find('\n', begin) + 1;
  const std::string words = plain_words(last.substr(begin), shown_words_bytes);
  return words.empty() ? "" : fmt::format("; its own words: \"{}{}\"", begin > 0 ? "... " : "", words);
}

}  // namespace ridgeline
