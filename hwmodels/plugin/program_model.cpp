#include "hwmodels/plugin/program_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <utility>

#include "hwmodels/plugin/child_program.hpp"
#include "hwmodels/plugin/plugin_files.hpp"
#include "hwmodels/plugin/program_protocol.hpp"
#include "spaces/config_error.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

// A problem on one line, without who said it.
std::string short_text(const ConfigError& error) {
  Problem problem = error.problems().front();
  return plain_words(problem.text());
}

}  // namespace

// The program with what is remembered between requests.
class ProgramModel::Session {
 public:
  explicit Session(ProgramOptions options)
      : options_(std::move(options)), child_(options_.command, options_.folder), batch_size_(options_.batch) {
    if (const std::string problem = child_.start(); !problem.empty()) {
      throw ConfigError(Problem{options_.device_file, "command", "a program that can be started",
                                fmt::format("'{}': {}", options_.command.front(), problem),
                                "relative paths start at the device file's folder, and scripts need a first line #!"});
    }
    const ChildProgram::Answer answer =
        child_.exchange(hello_line(options_.name, options_.options), options_.start_timeout_s);
    if (!answer.fault.empty()) {
      throw ConfigError(Problem{options_.device_file, "command", "a program that answers a hello", answer.fault,
                                "see hwmodels/examples/README.md for what is said"});
    }
    abilities_ = read_hello(answer.line, options_.device_file + ": hello of its command");
  }

  const ProgramOptions& options() const { return options_; }
  const PluginAbilities& abilities() const { return abilities_; }

  // What the program says, or the files that its command names.
  std::uint64_t contents_hash() const {
    Hasher hash;
    if (!abilities_.fingerprint.empty()) return hash.add(std::string_view(abilities_.fingerprint)).value();
    for (const std::string& word : options_.command) {
      hash.add(file_hash((std::filesystem::path(options_.folder) / word).string()).value_or(0));
    }
    return hash.value();
  }

  void estimate(std::span<const Design> designs, std::span<Cost> costs) {
    const std::scoped_lock lock(mutex_);
    for (std::size_t first = 0; first < designs.size();) {
      const std::size_t count = std::min(batch_size_, designs.size() - first);
      ask(designs.subspan(first, count), costs.subspan(first, count));
      first += count;
    }
  }

 private:
  void ask(std::span<const Design> designs, std::span<Cost> costs) {
    std::vector<PluginDesign> described;
    for (const Design& design : designs) described.push_back(plugin_design(design));
    std::vector<PluginAnswer> answers;
    bool timed_out = false;
    const std::string fault = exchange(described, answers, timed_out);
    if (!fault.empty() && designs.size() > 1) {
      for (std::size_t i = 0; i < designs.size(); ++i) ask(designs.subspan(i, 1), costs.subspan(i, 1));
      // None of them hangs: together they are too many for the time.
      const bool slow = timed_out && std::ranges::all_of(costs, [](const Cost& cost) { return cost.failed.empty(); });
      if (slow) batch_size_ = std::max<std::size_t>(1, designs.size() / 2);
      return;
    }
    if (!fault.empty()) {
      answers.resize(1);
      answers[0].failed = fault;
    }
    for (std::size_t i = 0; i < designs.size(); ++i) {
      costs[i] = cost_of(std::move(described[i]), abilities_, answers[i], options_.name);
    }
  }

  // Fills `answers`, or says what went wrong.
  std::string exchange(std::span<const PluginDesign> designs, std::vector<PluginAnswer>& answers, bool& timed_out) {
    // Where it has ended since its last answer, what comes next is not to blame.
    std::string fault = child_.running() ? "" : start_again();
    if (fault.empty()) {
      ++request_;
      const ChildProgram::Answer answer = child_.exchange(request_line(request_, designs), options_.timeout_s);
      timed_out = answer.timed_out;
      fault = answer.fault;
      try {
        if (fault.empty()) answers = read_answer(answer.line, request_, designs, abilities_);
      } catch (const ConfigError& error) {
        fault = short_text(error);
        child_.stop();
      }
    }
    if (fault.empty()) {
      faults_ = 0;
    } else if (++faults_ > options_.restarts) {
      throw ConfigError(Problem{
          options_.device_file, "command", "a program that answers",
          fmt::format("{} failures one after the other, the last: {}", std::exchange(faults_, 0), fault),
          fmt::format("mend it, or let it answer {{\"failed\": \"why\"}} for designs that it cannot cost; \"restarts\" "
                      "({}) is how often it is started again in a row. What is stored stays",
                      options_.restarts)});
    }
    return fault;
  }

  std::string start_again() {
    if (std::string problem = child_.start(); !problem.empty()) return "it could not be started again: " + problem;
    const ChildProgram::Answer answer =
        child_.exchange(hello_line(options_.name, options_.options), options_.start_timeout_s);
    if (!answer.fault.empty()) return "started again, " + answer.fault;
    try {
      if (read_hello(answer.line, "its hello") == abilities_) return "";
    } catch (const ConfigError& error) {
      child_.stop();
      return "started again, " + short_text(error);
    }
    child_.stop();
    return "started again, its hello says something else";
  }

  ProgramOptions options_;
  std::mutex mutex_;
  ChildProgram child_;
  PluginAbilities abilities_;
  std::size_t batch_size_;
  std::int64_t request_ = 0;
  int faults_ = 0;  // in a row
};

ProgramModel::ProgramModel(ProgramOptions options) : session_(std::make_unique<Session>(std::move(options))) {}
ProgramModel::~ProgramModel() = default;

const std::string& ProgramModel::name() const { return session_->options().name; }
bool ProgramModel::has_energy() const { return session_->abilities().energy; }
std::span<const std::string> ProgramModel::resources() const { return session_->abilities().resources; }
std::uint64_t ProgramModel::contents_hash() const { return session_->contents_hash(); }

void ProgramModel::estimate(std::span<const Design> designs, std::span<Cost> costs) const {
  session_->estimate(designs, costs);
}

std::unique_ptr<HardwareModel> ProgramModel::make(JsonDocument document) {
  JsonReader root = document.root();
  const PluginFile file = read_plugin_file(root, document.origin());
  ProgramOptions options;
  options.device_file = document.origin();
  options.folder = file.folder;
  options.name = file.name;
  options.options = file.options;
  options.command = root.strings("command");
  if (options.command.empty() || options.command.front().empty()) {
    root.note("command", "a program and its arguments", "none", R"("command": ["python3", "./my_model.py"])");
  }
  options.batch = static_cast<std::size_t>(root.integer("batch", {.fallback = 64, .least = 1, .most = 100000}));
  options.timeout_s = root.number("timeout_s", {.fallback = 30.0, .least = 0.001, .most = 86400.0});
  options.start_timeout_s = root.number("start_timeout_s", {.fallback = 30.0, .least = 0.001, .most = 86400.0});
  options.restarts = static_cast<int>(root.integer("restarts", {.fallback = 5, .least = 0, .most = 1000000}));
  root.finish();
  document.raise();
  return std::make_unique<ProgramModel>(std::move(options));
}

}  // namespace ridgeline
