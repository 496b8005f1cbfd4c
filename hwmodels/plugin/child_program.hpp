// A program of the user's own that answers lines with lines, watched: whatever it does, exchange() returns within its
// time, memory stays bounded, no process is left behind and no signal ends the one that asks.
//
// It runs in a process group of its own, so that a terminal's Ctrl-C does not reach it and what it starts ends with it.
// Its standard error is read all the time and the last of it kept: its own words, for messages. After a fault it is not
// running any more. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace ridgeline {

// A file descriptor that is closed with its owner.
class OwnedDescriptor {
 public:
  OwnedDescriptor() = default;
  explicit OwnedDescriptor(int number) : number_(number) {}
  ~OwnedDescriptor() { reset(); }
  OwnedDescriptor(OwnedDescriptor&& other) noexcept : number_(other.number_) { other.number_ = -1; }
  OwnedDescriptor& operator=(OwnedDescriptor&& other) noexcept {
    if (this == &other) return *this;
    reset();
    number_ = other.number_;
    other.number_ = -1;
    return *this;
  }
  void reset();
  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

class ChildProgram {
 public:
  // Nothing runs yet. `command`: the program, looked for in PATH where it has no '/', and its arguments; at least one
  // word. `folder`: where it runs.
  ChildProgram(std::vector<std::string> command, std::string folder);
  ~ChildProgram();  // stop()
  ChildProgram(const ChildProgram&) = delete;
  ChildProgram& operator=(const ChildProgram&) = delete;

  // Empty, or why it does not run: "no such file", "permission denied" in the system's words.
  std::string start();
  bool running() { return pid_ > 0 && !ended_within(std::chrono::milliseconds(0)); }

  struct Answer {
    std::string line;        // without its end
    std::string fault;       // empty, or what went wrong, with the program's own words; it does not run any more
    bool timed_out = false;  // the fault is that it took too long
  };
  // Sends `line` (an end is added) and waits for one line. Only while it runs.
  Answer exchange(const std::string& line, double seconds);

  // Closes its input, and asks it to end, and makes it, within a quarter of a second.
  void stop();

  static constexpr std::size_t most_line_bytes = std::size_t{64} << 20;

 private:
  using Clock = std::chrono::steady_clock;
  enum class Wait : std::uint8_t { line, end_of_output, too_long, too_late, input_closed };

  Wait wait_for_line(const std::string& request, Clock::time_point deadline);
  void send(const std::string& request, std::size_t& sent);
  bool read_output();  // false: its output is closed
  void read_errors(std::size_t most_bytes);
  bool ended_within(std::chrono::milliseconds patience);
  void kill_group(int signal) const;
  void reap();
  std::string fault_text(Wait what, double seconds);
  std::string own_words() const;

  std::vector<std::string> command_;
  std::string folder_;
  pid_t pid_ = -1;
  int status_ = 0;                           // of waitpid, once it has ended
  OwnedDescriptor input_, output_, errors_;  // our ends of its standard streams
  std::string read_;                         // of its output, not taken yet
  std::string words_;                        // the last of its standard error
};

}  // namespace ridgeline
