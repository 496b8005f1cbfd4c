// Which process writes a study, and whether it still lives. For the store's own files.
#pragma once

#include <cstdint>
#include <string>

namespace ridgeline {

// A process, told apart from a later one with the same number by its start time, and from one with the same number on
// another machine, after a reboot or in another container by host, boot and pid namespace.
struct Holder {
  std::string host;
  std::string boot;           // /proc/sys/kernel/random/boot_id
  std::string pid_namespace;  // of /proc/self/ns/pid
  std::int64_t pid = 0;
  std::int64_t process_start = 0;  // clock ticks after boot, /proc/PID/stat field 22
  std::string since_utc;
};

Holder this_process();

// unknown: its processes cannot be seen from here.
enum class Liveness : std::uint8_t { alive, dead, unknown };
Liveness liveness(const Holder& holder);

std::string utc_now();  // "2026-01-31T12:00:00.000Z"
// Seconds since a time that utc_now() gave; a very large number where it cannot be read.
double seconds_since(const std::string& utc);

}  // namespace ridgeline
