#include "child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

struct Pipe {
  Pipe() {
    if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  }
  std::array<int, 2> ends{};
};

[[noreturn]] void become_ridgeline(const std::vector<std::string>& arguments, const ChildOptions& options, int out,
                                   int err) {
  if (chdir(options.folder.c_str()) != 0) _exit(126);
  for (const auto& [name, value] : options.environment) setenv(name.c_str(), value.c_str(), 1);
  dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  std::vector<char*> argv{const_cast<char*>(RIDGELINE_PROGRAM)};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  execv(RIDGELINE_PROGRAM, argv.data());
  _exit(127);
}

}  // namespace

Outcome run_ridgeline(const std::vector<std::string>& arguments, const ChildOptions& options) {
  const Pipe out, err;
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) become_ridgeline(arguments, options, out.ends[1], err.ends[1]);
  close(out.ends[1]);
  close(err.ends[1]);
  Outcome outcome;
  std::array<pollfd, 2> watched{{{out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}}};
  bool signalled = options.signal == 0;
  for (int open_ends = 2; open_ends > 0;) {
    if (poll(watched.data(), watched.size(), -1) < 0) continue;
    for (std::size_t i = 0; i < watched.size(); ++i) {
      if (watched[i].fd < 0 || (watched[i].revents & (POLLIN | POLLHUP)) == 0) continue;
      std::array<char, 4096> buffer{};
      const ssize_t size = read(watched[i].fd, buffer.data(), buffer.size());
      if (size > 0) {
        (i == 0 ? outcome.out : outcome.err).append(buffer.data(), static_cast<std::size_t>(size));
      } else {
        close(watched[i].fd);
        watched[i].fd = -1;
        --open_ends;
      }
    }
    if (!signalled && outcome.err.find(options.signal_at) != std::string::npos) {
      kill(child, options.signal);
      signalled = true;
    }
  }
  int status = 0;
  waitpid(child, &status, 0);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

nlohmann::json parsed(const Outcome& outcome) {
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  nlohmann::json json = nlohmann::json::parse(outcome.out, nullptr, false);
  EXPECT_FALSE(json.is_discarded()) << outcome.out;
  return json;
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (fs::temp_directory_path() / "ridgeline_cli_XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string TemporaryFolder::write(const std::string& name, const std::string& text) const {
  std::ofstream(file(name), std::ios::binary) << text;
  return file(name);
}

bool TemporaryFolder::has(const std::string& name) const { return fs::exists(file(name)); }

std::size_t TemporaryFolder::entries() const {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(path_), fs::directory_iterator()));
}

Outcome ProgramTest::run(const std::vector<std::string>& arguments) const {
  return run_ridgeline(arguments, {folder_.path(), {{"LC_ALL", "C.UTF-8"}}, 0, ""});
}

void ProgramTest::search(const std::string& study) const {
  folder_.write("study.json", study);
  const Outcome outcome = run({"search", "./study.json", "--quiet"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
}

std::string ProgramTest::contents(const std::string& name) const {
  std::ifstream file(folder_.file(name), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string counting_study(const std::string& name, const std::string& space, int trials) {
  return R"({"ridgeline_study": 1, "name": ")" + name + R"(", "space": ")" + space + R"(", "seed": 7,
    "searcher": {"name": "nsga2", "population": 10}, "batch": 10,
    "objectives": [
      {"name": "entropy", "direction": "maximise", "from": {"evaluator": "proxy", "quantity": "entropy"}},
      {"name": "macs", "direction": "minimise", "from": {"evaluator": "count", "quantity": "macs"}}],
    "stop": {"trials": )" +
         std::to_string(trials) + "}}";
}

}  // namespace ridgeline
