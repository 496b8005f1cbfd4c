// Where things named in a study are found: a name ("ofa_mobilenet_v3") in the shipped libraries, or a path.
#pragma once

#include <string>
#include <vector>

#include "spaces/search_space.hpp"

namespace ridgeline {

class Resources {
 public:
  // `root`: the folder that holds spaces/library, hwmodels/devices, experiments/tables, experiments/studies,
  // experiments/allocation and experiments/checkpoints (an installed share/ridgeline or the source tree). `data`:
  // external tables (RIDGELINE_DATA), may be absent.
  Resources(std::string root, std::string data);

  // The file a name or path stands for. Throws ConfigError listing the known names with the nearest match.
  std::string space(const std::string& name_or_path) const;
  // That space; a file may narrow a shipped space by its name. Throws ConfigError.
  SearchSpace load_space(const std::string& name_or_path, SpaceOptions options = {}) const;
  std::string device(const std::string& name_or_path) const;
  std::string table(const std::string& name_or_path) const;
  std::string study(const std::string& name_or_path) const;
  std::string checkpoint(const std::string& name_or_path) const;
  std::string allocation(const std::string& name_or_path) const;
  // A file that a description names: in data(), else beside the description, or absolute. Throws ConfigError with every
  // place looked at and the remedy.
  std::string data_file(const std::string& file, const std::string& description, const std::string& remedy) const;

  std::vector<std::string> spaces() const;  // names, sorted
  std::vector<std::string> devices() const;
  std::vector<std::string> tables() const;
  std::vector<std::string> studies() const;

  const std::string& data() const { return data_; }

 private:
  std::string root_;
  std::string data_;
};

}  // namespace ridgeline
