// What is said when the program crashes.
#pragma once

namespace ridgeline {

// From here on a signal of a crash (a wrong address, abort() ...) first writes to standard error what became of what
// was stored and, where a user's library was under way, which one; then it does what it did before. Where a library
// calls exit(), the same is said, and the program ends with exit_bad_input.
void install_crash_notice();

}  // namespace ridgeline
