// What is wrong with something the user wrote, said so that he can mend it.
//
// A `Problem` names the file, the JSON path inside it, what was expected, what was found and the remedy.
// Readers collect every problem they meet and throw one `ConfigError`, so that a file is mended in one go.
#pragma once

#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ridgeline {

struct Problem {
  std::string file;      // as the user named it; "--set" or a flag's name for the command line
  std::string path;      // JSON path, e.g. "dimensions[2].choices"; may be empty
  std::string expected;  // "a positive integer"
  std::string found;     // "-3 (number)"
  std::string remedy;    // "did you mean 'kernel'?"; may be empty

  // One line: "file: path: expected X, found Y; remedy".
  std::string text() const;
};

class ConfigError : public std::exception {
 public:
  explicit ConfigError(std::vector<Problem> problems);  // at least one
  explicit ConfigError(Problem problem);
  const std::vector<Problem>& problems() const { return problems_; }
  const char* what() const noexcept override { return what_.c_str(); }  // every problem, one a line

 private:
  std::vector<Problem> problems_;
  std::string what_;
};

// The known word nearest to `word` by edit distance, or empty when none is near enough to be a likely slip.
std::string nearest_word(std::string_view word, std::span<const std::string> known);

// "did you mean 'x'? known: a, b, c" (the list is cut at twelve words).
std::string known_words(std::string_view word, std::span<const std::string> known);

}  // namespace ridgeline
