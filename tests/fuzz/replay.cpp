// Runs a fuzz target without a fuzzer, so that every test run has it: on each file of its corpus as it is, and on what
// a fixed seed makes of them, by the target's own mutator where it has one, else by flipping bytes, cutting, repeating,
// splicing two and inserting words of the dictionary.
//   replay_NAME CORPUS WORDS COUNT      COUNT: how many inputs to make
// An input that makes the target abort or crash is left in the working folder as replay_failure.
#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

#include "spaces/rng.hpp"

// The names are libFuzzer's. A mutator of its own is the target's choice, and calls LLVMFuzzerMutate for the usual one.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" __attribute__((weak)) std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                                                     std::size_t most, unsigned seed);
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace {

constexpr std::size_t longest = 8192;

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> corpus_of(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  std::ranges::sort(files);  // the order of a folder is not the same on every machine
  std::vector<std::string> corpus;
  for (const auto& file : files) corpus.push_back(content(file));
  return corpus;
}

// A line "..." of the dictionary, whose only escape is \" here.
std::vector<std::string> words_of(const std::filesystem::path& file) {
  std::vector<std::string> words;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.size() < 3 || line.front() != '"') continue;
    words.push_back(std::regex_replace(line.substr(1, line.size() - 2), std::regex(R"(\\")"), "\""));
  }
  return words;
}

struct Replay {
  std::vector<std::string> corpus, words;
  ridgeline::Rng rng{0};
  std::string running;
};

Replay& replay() {
  static Replay state;
  return state;
}

void change(std::string& input) {
  static constexpr unsigned char edges[] = {0, 1, 0x7f, 0x80, 0xff, '"', '{', '}', '-', '9'};
  auto& [corpus, words, rng, running] = replay();
  const std::size_t at = rng.below(input.size() + 1);
  const std::size_t some = 1 + rng.below(16);
  switch (rng.below(6)) {
    case 0:
      if (at < input.size()) input[at] = static_cast<char>(edges[rng.below(std::size(edges))]);
      return;
    case 1:
      if (at < input.size())
        input[at] = static_cast<char>(static_cast<unsigned char>(input[at]) ^ (1U << rng.below(8)));
      return;
    case 2:
      input.erase(at, some);
      return;
    case 3:
      input.insert(at, input.substr(at, some));
      return;
    case 4:
      input.insert(at, words[rng.below(words.size())]);
      return;
    default: {
      const std::string& other = corpus[rng.below(corpus.size())];
      input = input.substr(0, at) + other.substr(std::min(at, other.size()));
    }
  }
}

std::string made(std::uint64_t number) {
  Replay& state = replay();
  state.rng = ridgeline::Rng(1, "replay", number);
  std::string input = state.corpus[state.rng.below(state.corpus.size())];
  const std::size_t size = std::min(input.size(), longest);
  input.resize(longest);
  auto* data = reinterpret_cast<std::uint8_t*>(input.data());
  const auto seed = static_cast<unsigned>(state.rng.next());
  input.resize(LLVMFuzzerCustomMutator != nullptr ? LLVMFuzzerCustomMutator(data, size, longest, seed)
                                                  : LLVMFuzzerMutate(data, size, longest));
  return input;
}

void run(std::string input) {
  replay().running = std::move(input);
  const std::string& text = replay().running;
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

// Called by what ends the program: nothing goes on after it.
void keep_running_input(int number) {
  std::ofstream("replay_failure", std::ios::binary) << replay().running;
  std::signal(number, SIG_DFL);
  std::raise(number);
}

}  // namespace

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most) {
  std::string input(reinterpret_cast<const char*>(data), size);
  for (std::size_t changes = 1 + replay().rng.below(4); changes > 0; --changes) change(input);
  input.resize(std::min(input.size(), most));
  std::ranges::copy(input, reinterpret_cast<char*>(data));
  return input.size();
}

int main(int count, char** arguments) {
  if (count != 4) {
    std::cerr << "replay: expected CORPUS WORDS COUNT\n";
    return EXIT_FAILURE;
  }
  Replay& state = replay();
  state.corpus = corpus_of(arguments[1]);
  state.words = words_of(arguments[2]);
  if (state.corpus.empty() || state.words.empty()) {
    std::cerr << "replay: nothing to run in " << arguments[1] << " or " << arguments[2] << "\n";
    return EXIT_FAILURE;
  }
  for (const int number : {SIGABRT, SIGSEGV, SIGFPE}) std::signal(number, keep_running_input);
  for (const std::string& input : state.corpus) run(input);
  const std::uint64_t wanted = std::strtoul(arguments[3], nullptr, 10);
  for (std::uint64_t i = 0; i < wanted; ++i) run(made(i));
  std::cout << state.corpus.size() << " files, " << wanted << " inputs made of them\n";
}
