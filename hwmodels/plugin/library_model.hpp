// A hardware model in a shared library of the user's own: the C interface of ridgeline_hwmodel.h, loaded with dlopen
// from a device file
//
//   {"ridgeline_device": 1, "model": "library", "name": "mine", "library": "./libmine.so", "options": {...},
//    "timeout_s": 600}
//
// A relative path starts at the device file's folder. The library's code runs from the moment the file is loaded, on a
// thread of its own; calls wait for each other. What leaves it as a C++ exception is an error like those it states. A
// call that takes longer than "timeout_s" cannot be ended from outside: it and every later call throw ConfigError, and
// it keeps its thread until this program ends. A crash ends this program; call_under_way() (timed_calls.hpp) says
// whose.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "hwmodels/plugin/plugin_design.hpp"

namespace ridgeline {

class TimedCalls;

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
  struct Request;
  LibraryModel(std::string name, std::shared_ptr<Loaded> loaded, double timeout_s);
  void run(std::function<void()> call) const;  // which owns what it touches

  std::string name_;
  std::shared_ptr<Loaded> loaded_;  // shared with a call that does not end
  double timeout_s_;
  std::unique_ptr<TimedCalls> calls_;
  PluginAbilities abilities_;
  std::uint64_t contents_hash_ = 0;
};

}  // namespace ridgeline
