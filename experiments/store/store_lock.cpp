#include "experiments/store/store_lock.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

namespace ridgeline {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

struct ProcessState {
  char state = '?';  // 'Z' and 'X' are dead
  std::int64_t start = 0;
};

// Reads /proc/PID/stat; the name in parentheses may itself hold blanks and parentheses.
bool read_process(std::int64_t pid, ProcessState& process) {
  const std::string line = first_line(fmt::format("/proc/{}/stat", pid));
  const std::size_t end = line.rfind(')');
  if (end == std::string::npos) return false;
  std::istringstream fields(line.substr(end + 1));
  fields >> process.state;
  std::string skipped;
  for (int field = 4; field < 22; ++field) fields >> skipped;
  fields >> process.start;
  return !fields.fail();
}

}  // namespace

Holder this_process() {
  Holder holder;
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) == 0) holder.host = name.data();
  holder.boot = first_line("/proc/sys/kernel/random/boot_id");
  std::error_code error;
  holder.pid_namespace = std::filesystem::read_symlink("/proc/self/ns/pid", error).string();
  holder.pid = getpid();
  ProcessState process;
  if (read_process(holder.pid, process)) holder.process_start = process.start;
  holder.since_utc = utc_now();
  return holder;
}

Liveness liveness(const Holder& holder) {
  const Holder here = this_process();
  if (holder.boot != here.boot) return holder.host == here.host ? Liveness::dead : Liveness::unknown;
  if (holder.pid_namespace != here.pid_namespace) return Liveness::unknown;
  ProcessState process;
  if (read_process(holder.pid, process)) {
    const bool same = process.start == holder.process_start;
    return same && process.state != 'Z' && process.state != 'X' ? Liveness::alive : Liveness::dead;
  }
  const bool gone = kill(static_cast<pid_t>(holder.pid), 0) != 0 && errno == ESRCH;
  return gone ? Liveness::dead : Liveness::alive;
}

std::string utc_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  const auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, ms % 1000);
}

double seconds_since(const std::string& utc) {
  std::tm parts{};
  if (strptime(utc.c_str(), "%Y-%m-%dT%H:%M:%S", &parts) == nullptr) return std::numeric_limits<double>::max();
  return std::difftime(std::time(nullptr), timegm(&parts));
}

}  // namespace ridgeline
