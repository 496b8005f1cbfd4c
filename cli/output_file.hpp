// Files that a command was asked to write. Nothing a user would miss is written over: not a database, a checkpoint, a
// study, a space or a table.
#pragma once

#include <cstdint>
#include <string>

namespace ridgeline {

// Writes the whole file or nothing (a new file beside it, then renamed), keeps the rights of a file that was there, and
// follows links. A device such as /dev/stdout is written to directly. Throws ConfigError naming `flag`.
void write_file(const std::string& path, const std::string& text, const std::string& flag);
// What may be written over beside what nobody would miss. `checkpoints`: the caller looks into the one that is there.
enum class Overwrite : std::uint8_t { nothing, checkpoints };
// Throws ConfigError when write_file could not work: before a long run, not after it.
void check_writable(const std::string& path, const std::string& flag, Overwrite overwrite = Overwrite::nothing);
// Throws ConfigError when both name one file.
void check_different(const std::string& path, const std::string& flag, const std::string& other,
                     const std::string& other_flag);

}  // namespace ridgeline
