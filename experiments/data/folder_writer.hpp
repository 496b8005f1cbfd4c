// A folder that appears complete or not at all: files are written beside its place and renamed when all are there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ridgeline {

class FolderWriter {
 public:
  // `marker`: a file, and words in its first bytes, by which an earlier folder of the same kind is known, and every
  // file that such a folder holds. Only one that holds nothing else, or an empty one, is replaced. Throws ConfigError:
  // no parent folder, no right to write, something else there.
  struct Marker {
    std::string file, words;
    std::vector<std::string> files;
  };
  FolderWriter(const std::string& folder, const Marker& marker);
  ~FolderWriter();  // takes away what was not finished
  FolderWriter(const FolderWriter&) = delete;
  FolderWriter& operator=(const FolderWriter&) = delete;

  void write(const std::string& name, std::string_view bytes);  // throws ConfigError: no room
  void finish();

 private:
  std::string folder_, fresh_;
};

}  // namespace ridgeline
