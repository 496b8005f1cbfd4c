// A hardware model in a shared library of the user's own: the C interface of ridgeline_hwmodel.h, loaded with dlopen
// from a device file
//
//   {"ridgeline_device": 1, "model": "library", "name": "mine", "library": "./libmine.so", "options": {...}}
//
// A relative path starts at the device file's folder. The library's code runs from the moment the file is loaded; calls
// wait for each other. What leaves it as a C++ exception is an error like those it states; when it crashes, so does
// this program.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "hwmodels/plugin/plugin_design.hpp"

namespace ridgeline {

class LibraryModel final : public HardwareModel {
 public:
  // Throws ConfigError: no library there, nothing in it that can be used, another version, its own reason for failing.
  static std::unique_ptr<HardwareModel> make(JsonDocument document);
  ~LibraryModel() override;
  LibraryModel(const LibraryModel&) = delete;
  LibraryModel& operator=(const LibraryModel&) = delete;

  const std::string& name() const override { return name_; }
  bool has_energy() const override { return abilities_.energy; }
  std::span<const std::string> resources() const override { return abilities_.resources; }
  bool in_batches() const override { return true; }
  std::uint64_t contents_hash() const override { return contents_hash_; }
  using HardwareModel::estimate;
  void estimate(std::span<const Design> designs, std::span<Cost> costs) const override;

 private:
  struct Loaded;
  LibraryModel(std::string name, std::unique_ptr<Loaded> loaded, PluginAbilities abilities, std::uint64_t contents);

  std::string name_;
  std::unique_ptr<Loaded> loaded_;
  PluginAbilities abilities_;
  std::uint64_t contents_hash_;
  mutable std::mutex mutex_;
};

}  // namespace ridgeline
