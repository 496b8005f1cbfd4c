// The bytes of a file, plain or gzip, up to a limit: what every reader of tables and data sets starts with. And of one
// that is written: all of it or nothing.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ridgeline {

struct WholeFileRule {
  std::string kind = "file";                      // "table", "data file": stands in messages
  bool regular = false;                           // refuse pipes and devices, which would wait or never end
  std::size_t most_bytes = std::size_t{4} << 30;  // after decompression: a small gzip file may hold any number
};

// Throws ConfigError: a file that cannot be opened, a damaged or cut gzip stream, more bytes than the limit. Grows with
// what is read, never with what a header claims.
std::string read_whole_file(const std::string& path, const WholeFileRule& rule = {});

// Into a file beside it first, which then takes its place and its rights; devices and pipes are written to. Throws
// ConfigError at `flag`, and leaves what was there.
void write_whole_file(const std::string& path, std::string_view text, const std::string& flag);

}  // namespace ridgeline
