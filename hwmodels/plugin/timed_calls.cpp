#include "hwmodels/plugin/timed_calls.hpp"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <string>
#include <utility>

namespace ridgeline {
namespace {

thread_local const char* under_way = nullptr;

}  // namespace

struct TimedCalls::Shared {
  void serve() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return call || ending; });
      if (!call) return;
      lock.unlock();
      under_way = what.c_str();
      try {
        call();
      } catch (...) {
        thrown = std::current_exception();
      }
      under_way = nullptr;
      lock.lock();
      call = nullptr;
      changed.notify_all();
    }
  }

  std::string what;
  std::mutex mutex;
  std::condition_variable changed;
  std::function<void()> call;  // until it has ended
  std::exception_ptr thrown;
  bool ending = false;
  bool overdue = false;
};

TimedCalls::TimedCalls(std::string what, double limit_s) : shared_(std::make_shared<Shared>()), limit_s_(limit_s) {
  shared_->what = std::move(what);
  thread_ = std::thread([shared = shared_] { shared->serve(); });
}

TimedCalls::~TimedCalls() {
  bool overdue = false;
  {
    const std::scoped_lock lock(shared_->mutex);
    shared_->ending = true;
    overdue = shared_->overdue;
    shared_->changed.notify_all();
  }
  if (overdue) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

bool TimedCalls::run(std::function<void()> call) {
  const std::scoped_lock one_caller(callers_);
  std::unique_lock lock(shared_->mutex);
  if (shared_->overdue) return false;
  shared_->call = std::move(call);
  shared_->changed.notify_all();
  if (!shared_->changed.wait_for(lock, std::chrono::duration<double>(limit_s_), [&] { return !shared_->call; })) {
    shared_->overdue = true;
    return false;
  }
  if (shared_->thrown) std::rethrow_exception(std::exchange(shared_->thrown, nullptr));
  return true;
}

const char* call_under_way() noexcept { return under_way; }

}  // namespace ridgeline
