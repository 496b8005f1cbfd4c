// Runs the built program as a user would and catches what it says.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace ridgeline {

struct Outcome {
  int code = -1;  // 128 + n where signal n ended it
  std::string out, err;
};

struct ChildOptions {
  std::string folder = ".";                                      // working directory
  std::vector<std::pair<std::string, std::string>> environment;  // set beside the inherited one
  // Sent once when standard error first holds `signal_at`; 0: none.
  int signal = 0;
  std::string signal_at;
};

Outcome run_ridgeline(const std::vector<std::string>& arguments, const ChildOptions& options = {});

// The one JSON document that a command which ended well has printed.
nlohmann::json parsed(const Outcome& outcome);

// A fresh folder that is removed with its owner.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, const std::string& text) const;  // the file's path
  bool has(const std::string& name) const;
  std::size_t entries() const;

 private:
  std::string path_;
};

// What tests of one command share: a folder to run in, and what is asked of the program there.
class ProgramTest : public ::testing::Test {
 protected:
  Outcome run(const std::vector<std::string>& arguments) const;
  nlohmann::json parsed(const std::vector<std::string>& arguments) const { return parsed(run(arguments)); }
  static nlohmann::json parsed(const Outcome& outcome) { return ridgeline::parsed(outcome); }
  void search(const std::string& study) const;          // a study's JSON, to its end
  std::string contents(const std::string& name) const;  // of a file in the folder
  TemporaryFolder folder_;
};

// A study that only computes: two objectives by counting, on a space of any size.
std::string counting_study(const std::string& name, const std::string& space, int trials);

}  // namespace ridgeline
