// Scratchpad problems for tests, and the fewest bytes of small ones by trying everything.
#pragma once

#include <queue>
#include <string>
#include <unordered_map>

#include "hwmodels/scratchpad/problem.hpp"
#include "spaces/rng.hpp"

namespace ridgeline::test {

struct GraphSize {
  std::size_t ops = 6;
  std::int64_t most_bytes = 3;
  double edge = 0.35;  // probability of each further edge
  bool weights = true;
  std::size_t reach = 100;  // how far back an operator reads
  bool chain = false;       // each reads what the one before made: there is one order
};

// A random graph with one input; operators without readers make outputs, and now and then others do.
inline ScratchpadProblem random_problem(Rng& rng, const GraphSize& size) {
  ScratchpadProblem problem;
  const auto tensor = [&](ScratchTensor::Kind kind, std::size_t producer) {
    ScratchTensor made;
    made.name = "t" + std::to_string(problem.tensors.size());
    made.bytes = 1 + static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(size.most_bytes)));
    made.kind = kind;
    made.producer = producer;
    problem.tensors.push_back(std::move(made));
    return problem.tensors.size() - 1;
  };
  tensor(ScratchTensor::Kind::input, ScratchTensor::no_producer);
  for (std::size_t i = 0; i < size.ops; ++i) {
    ScratchOp op;
    op.name = "op" + std::to_string(i);
    const std::size_t made = problem.tensors.size(), oldest = made > size.reach ? made - size.reach : 0;
    const std::size_t sure = size.chain ? made - 1 : oldest + rng.below(made - oldest);
    for (std::size_t t = oldest; t < made; ++t) {
      if (t != sure && !rng.chance(size.edge)) continue;
      op.reads.push_back(t);
      problem.tensors[t].readers.push_back(i);
    }
    if (size.weights && rng.chance(0.5)) op.weight_bytes = 1 + static_cast<std::int64_t>(rng.below(2));
    op.writes = tensor(ScratchTensor::Kind::intermediate, i);
    problem.ops.push_back(std::move(op));
  }
  for (ScratchTensor& one : problem.tensors) {
    if (one.kind == ScratchTensor::Kind::intermediate && (one.readers.empty() || rng.chance(0.1))) {
      one.kind = ScratchTensor::Kind::output;
    }
  }
  return problem;
}

// Dijkstra over every state that the rules allow, one action at a time: evict something, load something anywhere and at
// any time, run something with its output anywhere. Shares nothing with the solvers.
class BruteForce {
 public:
  explicit BruteForce(const ScratchpadProblem& problem) : problem_(problem) {}

  std::int64_t fewest_bytes() {
    State start;
    for (std::size_t t = 0; t < problem_.tensors.size(); ++t) {
      const bool input = problem_.tensors[t].kind == ScratchTensor::Kind::input;
      start.push_back(static_cast<char>(absent));
      start.push_back(static_cast<char>(input ? fresh | copied | made : 0));
    }
    push(start, 0);
    while (!queue_.empty()) {
      const auto [bytes, state] = queue_.top();
      queue_.pop();
      if (bytes > best_.at(state)) continue;
      if (finished(state)) return bytes;
      extend(state, bytes);
    }
    return -1;
  }
  std::size_t states() const { return best_.size(); }

 private:
  // Two characters a tensor: its offset, and these flags.
  using State = std::string;
  static constexpr int absent = 100, copied = 1, fresh = 2, made = 4;

  int offset(const State& s, std::size_t t) const { return s[2 * t]; }
  bool flag(const State& s, std::size_t t, int which) const { return (s[2 * t + 1] & which) != 0; }
  bool here(const State& s, std::size_t t) const { return offset(s, t) != absent; }
  static void place(State& s, std::size_t t, std::int64_t at) { s[2 * t] = static_cast<char>(at); }
  static void raise(State& s, std::size_t t, int which) { s[2 * t + 1] = static_cast<char>(s[2 * t + 1] | which); }
  static void lower(State& s, std::size_t t, int which) { s[2 * t + 1] = static_cast<char>(s[2 * t + 1] & ~which); }
  std::int64_t bytes_of(std::size_t t) const { return problem_.tensors[t].bytes; }
  bool done(const State& s, std::size_t op) const { return flag(s, problem_.ops[op].writes, made); }

  bool finished(const State& s) const {
    for (std::size_t op = 0; op < problem_.ops.size(); ++op) {
      if (!done(s, op)) return false;
    }
    return true;
  }
  bool needed(const State& s, std::size_t t) const {
    for (const std::size_t reader : problem_.tensors[t].readers) {
      if (!done(s, reader)) return true;
    }
    return false;
  }
  bool free_at(const State& s, std::int64_t at, std::int64_t bytes) const {
    if (at + bytes > problem_.capacity_bytes) return false;
    for (std::size_t t = 0; t < problem_.tensors.size(); ++t) {
      if (here(s, t) && at < offset(s, t) + bytes_of(t) && offset(s, t) < at + bytes) return false;
    }
    return true;
  }

  void push(const State& state, std::int64_t bytes) {
    const auto [known, added] = best_.try_emplace(state, bytes);
    if (!added && known->second <= bytes) return;
    known->second = bytes;
    queue_.emplace(bytes, state);
  }

  void extend(const State& s, std::int64_t bytes) {
    for (std::size_t t = 0; t < problem_.tensors.size(); ++t) {
      if (here(s, t)) {
        State next = s;
        place(next, t, absent);
        raise(next, t, copied);
        push(next, bytes + (flag(s, t, copied) ? 0 : bytes_of(t)));
      } else if (flag(s, t, copied) && needed(s, t)) {
        for (std::int64_t at = 0; at < problem_.capacity_bytes; ++at) {
          if (!free_at(s, at, bytes_of(t))) continue;
          State next = s;
          place(next, t, at);
          lower(next, t, fresh);
          push(next, bytes + (flag(s, t, fresh) ? 0 : bytes_of(t)));
        }
      }
    }
    for (std::size_t op = 0; op < problem_.ops.size(); ++op) run(s, bytes, op);
  }

  void run(State s, std::int64_t bytes, std::size_t index) {
    const ScratchOp& op = problem_.ops[index];
    if (done(s, index)) return;
    for (const std::size_t t : op.reads) {
      if (!flag(s, t, made)) return;
      if (op.streams_read(t)) {
        if (here(s, t) || !flag(s, t, copied)) return;
        bytes += flag(s, t, fresh) ? 0 : bytes_of(t);
        lower(s, t, fresh);
      } else if (!here(s, t)) {
        return;
      }
    }
    raise(s, op.writes, made);
    const bool output = problem_.tensors[op.writes].kind == ScratchTensor::Kind::output;
    if (output || op.streams_output) raise(s, op.writes, copied);
    if (op.streams_output) return settle(s, bytes + (output ? 0 : bytes_of(op.writes)), op);
    for (std::int64_t at = 0; at < problem_.capacity_bytes; ++at) {
      if (!free_at(s, at, bytes_of(op.writes))) continue;
      State next = s;
      place(next, op.writes, at);
      settle(next, bytes, op);
    }
  }

  void settle(State s, std::int64_t bytes, const ScratchOp& op) {
    bool room = op.resident_weights() == 0;
    for (std::int64_t at = 0; at < problem_.capacity_bytes && !room; ++at) room = free_at(s, at, op.resident_weights());
    if (!room) return;
    for (std::size_t t = 0; t < problem_.tensors.size(); ++t) {
      if (here(s, t) && !needed(s, t)) place(s, t, absent);
    }
    push(s, bytes);
  }

  const ScratchpadProblem& problem_;
  std::unordered_map<State, std::int64_t> best_;
  std::priority_queue<std::pair<std::int64_t, State>, std::vector<std::pair<std::int64_t, State>>, std::greater<>>
      queue_;
};

}  // namespace ridgeline::test
