#include "hwmodels/scratchpad/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <stdexcept>

namespace ridgeline {
namespace {

// The scratchpad and off-chip memory while a plan runs.
class Execution {
 public:
  explicit Execution(const ScratchpadProblem& problem)
      : problem_(problem),
        off_chip_(problem.tensors.size(), false),
        read_(problem.tensors.size(), false),
        made_(problem.tensors.size(), false),
        left_(problem.tensors.size()) {
    for (std::size_t t = 0; t < problem.tensors.size(); ++t) {
      left_[t] = problem.tensors[t].readers.size();
      made_[t] = off_chip_[t] = problem.tensors[t].kind == ScratchTensor::Kind::input;
    }
  }

  void run(std::size_t number, const ScratchStep& step) {
    number_ = number;
    require(step.op < problem_.ops.size(), "an operator that there is not");
    const ScratchOp& op = problem_.ops[step.op];
    require(!made_[op.writes], "an operator that ran before");
    for (const std::size_t t : op.reads) require(made_[t], "it reads what nobody has made: " + name(t));
    for (const ScratchEviction& eviction : step.evictions) evict(eviction);
    for (const ScratchLoad& load : step.loads) bring(load);
    for (const std::size_t t : op.reads) use(op, t);
    make(op, step);
    for (const std::size_t t : op.reads) --left_[t];
    std::erase_if(at_, [&](const auto& entry) { return left_[entry.first] == 0; });
  }

  ScratchpadTraffic finish() const {
    for (std::size_t t = 0; t < made_.size(); ++t) {
      if (!made_[t]) throw std::invalid_argument("the plan ends before everything is made: " + name(t));
    }
    return traffic_;
  }

 private:
  const std::string& name(std::size_t tensor) const { return problem_.tensors[tensor].name; }
  std::int64_t bytes(std::size_t tensor) const { return problem_.tensors[tensor].bytes; }
  void require(bool holds, const std::string& what) const {
    if (!holds) throw std::invalid_argument(fmt::format("step {}: {}", number_, what));
  }

  void evict(const ScratchEviction& eviction) {
    const std::size_t t = eviction.tensor;
    require(at_.erase(t) == 1, "evicts what is not there");
    if (eviction.written) {
      require(!off_chip_[t], "writes back what has a copy: " + name(t));
      off_chip_[t] = true;
      traffic_.spill_bytes += bytes(t);
    }
    require(off_chip_[t], "loses a tensor that is still read: " + name(t));
  }

  void bring(const ScratchLoad& load) {
    require(load.tensor < made_.size() && off_chip_[load.tensor], "loads what is not off-chip");
    require(!at_.contains(load.tensor), "loads what is there: " + name(load.tensor));
    take(load.tensor, load.offset);
    count_read(load.tensor, traffic_.reload_bytes);
  }

  // The first time that an input of the network is read is compulsory.
  void count_read(std::size_t t, std::int64_t& beyond) {
    const bool compulsory = problem_.tensors[t].kind == ScratchTensor::Kind::input && !read_[t];
    read_[t] = true;
    (compulsory ? traffic_.compulsory_bytes : beyond) += bytes(t);
  }

  void use(const ScratchOp& op, std::size_t t) {
    if (at_.contains(t)) return;
    require(op.streams_read(t), "an operand is not in the scratchpad: " + name(t));
    require(off_chip_[t], "streams what is not off-chip: " + name(t));
    count_read(t, traffic_.stream_bytes);
  }

  void make(const ScratchOp& op, const ScratchStep& step) {
    const std::size_t t = op.writes;
    traffic_.compulsory_bytes += op.weight_bytes;
    made_[t] = true;
    require(step.output_offset.has_value() != op.streams_output, "an output is either placed or streamed");
    if (step.output_offset) take(t, *step.output_offset);
    if (problem_.tensors[t].kind == ScratchTensor::Kind::output) {
      traffic_.compulsory_bytes += bytes(t);
      off_chip_[t] = true;
    } else if (op.streams_output) {
      traffic_.stream_bytes += bytes(t);
      off_chip_[t] = true;
    }
    require(step.weights_offset.has_value() == (op.resident_weights() > 0), "weights are either placed or streamed");
    if (step.weights_offset) check_room(*step.weights_offset, op.resident_weights());
  }

  void take(std::size_t t, std::int64_t offset) {
    check_room(offset, bytes(t));
    at_[t] = offset;
  }

  void check_room(std::int64_t offset, std::int64_t size) {
    require(offset >= 0 && offset + size <= problem_.capacity_bytes, "something lies outside the scratchpad");
    for (const auto& [other, begin] : at_) {
      require(offset + size <= begin || begin + bytes(other) <= offset, "something lies on " + name(other));
    }
    traffic_.peak_bytes = std::max(traffic_.peak_bytes, offset + size);
  }

  const ScratchpadProblem& problem_;
  std::size_t number_ = 0;
  std::map<std::size_t, std::int64_t> at_;  // offsets of what is in the scratchpad
  std::vector<bool> off_chip_, read_, made_;
  std::vector<std::size_t> left_;  // readers still to run
  ScratchpadTraffic traffic_;
};

}  // namespace

std::vector<std::size_t> ScratchpadPlan::order() const {
  std::vector<std::size_t> order;
  for (const ScratchStep& step : steps) order.push_back(step.op);
  return order;
}

ScratchpadTraffic evaluate_plan(const ScratchpadProblem& problem, const ScratchpadPlan& plan) {
  Execution execution(problem);
  for (std::size_t k = 0; k < plan.steps.size(); ++k) execution.run(k, plan.steps[k]);
  return execution.finish();
}

}  // namespace ridgeline
