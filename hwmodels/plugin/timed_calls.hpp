// Calls into code that cannot be trusted to come back: they run one after another on a thread of their own, and nobody
// waits for one longer than a limit. Internal to hwmodels/.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace ridgeline {

class TimedCalls {
 public:
  // `what` is said by call_under_way() while a call runs; it and the thread live as long as a call that never ends.
  TimedCalls(std::string what, double limit_s);
  ~TimedCalls();  // waits for no call that is over its limit
  TimedCalls(const TimedCalls&) = delete;
  TimedCalls& operator=(const TimedCalls&) = delete;

  // True: it has run. False: it has not ended within the limit, in this or an earlier call, and may still run: it must
  // own whatever it touches. What it throws is thrown here. From any thread; callers wait for each other.
  bool run(std::function<void()> call);

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
  std::mutex callers_;
  std::thread thread_;
  double limit_s_;
};

// What the calling thread runs for a TimedCalls; nullptr: nothing. May be asked by the handler of a crash's signal.
const char* call_under_way() noexcept;

}  // namespace ridgeline
