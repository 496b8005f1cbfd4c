// A hardware model that is a program of the user's own, in any language: it answers JSON lines (program_protocol.hpp)
// on its standard output, and is watched. From a device file
//
//   {"ridgeline_device": 1, "model": "program", "name": "mine", "command": ["python3", "./my_model.py"],
//    "options": {...}, "batch": 64, "timeout_s": 30, "start_timeout_s": 30, "restarts": 5}
//
// The program runs in the device file's folder, so that relative paths start there; a command without '/' is looked for
// in PATH. It is started when the file is loaded, and its hello says what it gives.
//
// Faults. A program that crashes, hangs, answers garbage, half a line, too long a line, another number of costs, or
// closes its input is ended and started again. What was asked then is asked again design by design, so that only the
// one to blame fails (Cost::failed, with the program's own words), and which trials fail does not depend on how a
// search was cut in batches. After more than `restarts` such faults in a row, estimate() throws ConfigError: the
// program, not the designs, is to blame. A number that is not finite or negative fails its design alone.
//
// Calls wait for each other. Costs are only as reproducible as the program is.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hwmodels/plugin/plugin_design.hpp"

namespace ridgeline {

struct ProgramOptions {
  std::string device_file, folder, name;
  std::vector<std::string> command;
  Json options = Json::object();
  std::size_t batch = 64;  // designs a request at most; halved where together they take too long
  double timeout_s = 30.0, start_timeout_s = 30.0;
  int restarts = 5;  // in a row, without a good answer between
};

class ProgramModel final : public HardwareModel {
 public:
  explicit ProgramModel(ProgramOptions options);  // throws ConfigError: it cannot be started, its hello, its version
  static std::unique_ptr<HardwareModel> make(JsonDocument document);
  ~ProgramModel() override;
  ProgramModel(const ProgramModel&) = delete;
  ProgramModel& operator=(const ProgramModel&) = delete;

  const std::string& name() const override;
  bool has_energy() const override;
  std::span<const std::string> resources() const override;
  bool in_batches() const override { return true; }
  std::uint64_t contents_hash() const override;
  using HardwareModel::estimate;
  void estimate(std::span<const Design> designs, std::span<Cost> costs) const override;

 private:
  class Session;
  std::unique_ptr<Session> session_;
};

}  // namespace ridgeline
