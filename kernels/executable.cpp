#include "kernels/executable.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "kernels/arena.hpp"
#include "kernels/program.hpp"
#include "kernels/reference.hpp"
#include "spaces/counts.hpp"

namespace ridgeline {
namespace {

bool reads_quantized(const Design& design) {
  for (NodeId node = 0; node < design.network.size(); ++node) {
    if (design.precision.at(node).activations.is_quantized()) return true;
  }
  return false;
}

void check(dnnl_status_t status) {
  if (status != dnnl_success) throw std::runtime_error("oneDNN could not execute a compiled primitive");
}

}  // namespace

// A step with the addresses filled in. The memory objects are kept by the Impl.
struct BoundStep {
  const_dnnl_primitive_t primitive;  // null: the job
  std::vector<dnnl_exec_arg_t> arguments;
  StepJob job{};
  const std::byte* from = nullptr;
  std::byte* to = nullptr;
};

struct Executable::Impl {
  Impl(const Design& design, const ExecutableOptions& options);
  void place_buffers();
  void bind();
  dnnl::memory& memory_at(const MemoryDesc& desc, void* pointer);
  void run();
  void execute(std::size_t index) {
    const BoundStep& step = bound[index];
    if (step.primitive == nullptr) return step.job(step.from, step.to);
    check(dnnl_primitive_execute(step.primitive, cpu_stream().get(), static_cast<int>(step.arguments.size()),
                                 step.arguments.data()));
  }
  void visit(const Network& network, const std::function<void(const Activation&)>& look);
  std::span<float> floats(std::size_t buffer, std::size_t count) {
    return {reinterpret_cast<float*>(pointers[buffer]), count};
  }

  int threads;
  Program program;
  std::unique_ptr<AlignedBytes> arena, scratch;
  std::vector<AlignedBytes> own;
  std::vector<std::byte*> pointers;  // one a buffer
  std::vector<Placement> placements;
  std::int64_t arena_bytes = 0, weight_bytes = 0;
  std::size_t input_size = 0;
  std::vector<dnnl::memory> memories;
  std::vector<BoundStep> bound;
  std::vector<StepInfo> infos;
  std::vector<double> times;
};

namespace {

std::vector<Range> find_ranges(const Design& design, const ExecutableOptions& options) {
  if (design.quantization) return design.quantization->tensors;
  if (!design.weights) return std::vector<Range>(design.network.size(), {-untrained_range, untrained_range});
  for (NodeId node = 0; node < design.network.size(); ++node) {
    if (design.network.op(node).kind != OpKind::input) continue;
    return activation_ranges(design, seeded_input(design.network.shape(node), options.seed), options.threads);
  }
  return {};
}

// oneDNN computes offsets within a tensor in 32 bits.
void check_sizes(const Network& network) {
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  for (const NodeId node : network.live_nodes()) {
    const std::int64_t weights = parameters(network, node);
    const std::int64_t size = elements(network.shape(node));
    if (std::max(weights, size) <= most) continue;
    throw Unsupported("'" + network.name(node) + "' has a tensor of " + std::to_string(std::max(weights, size)) +
                      " elements; the executor takes up to " + std::to_string(most));
  }
}

}  // namespace

Executable::Impl::Impl(const Design& design, const ExecutableOptions& options) : threads(options.threads) {
  const ThreadScope scope(threads);
  check_sizes(design.network);
  std::vector<Range> ranges;
  if (reads_quantized(design)) ranges = find_ranges(design, options);
  program = build_program(design, options, ranges);
  for (NodeId node = 0; node < design.network.size(); ++node) {
    if (design.network.op(node).kind == OpKind::input) {
      input_size = static_cast<std::size_t>(elements(design.network.shape(node)));
      break;
    }
  }
  place_buffers();
  bind();
  for (const auto& blob : program.weights) weight_bytes += static_cast<std::int64_t>(blob->size());
  for (Step& step : program.steps) infos.push_back(std::move(step.info));
  if (options.keep_op_times) times.resize(program.steps.size());
}

void Executable::Impl::place_buffers() {
  std::vector<ArenaRequest> requests;
  std::vector<std::size_t> which;
  pointers.resize(program.buffers.size());
  for (std::size_t i = 0; i < program.buffers.size(); ++i) {
    const Buffer& buffer = program.buffers[i];
    if (buffer.in_arena) {
      requests.push_back({buffer.first_step, buffer.last_step, buffer.bytes});
      which.push_back(i);
    } else {
      own.emplace_back(static_cast<std::size_t>(buffer.bytes));
      pointers[i] = own.back().data();
    }
  }
  const ArenaPlan plan = plan_arena(requests);
  arena = std::make_unique<AlignedBytes>(static_cast<std::size_t>(plan.bytes));
  arena_bytes = plan.bytes;
  for (std::size_t i = 0; i < which.size(); ++i) {
    pointers[which[i]] = arena->data() + plan.offsets[i];
    placements.push_back({program.buffers[which[i]].node, requests[i].first_step, requests[i].last_step,
                          plan.offsets[i], requests[i].bytes});
  }
}

dnnl::memory& Executable::Impl::memory_at(const MemoryDesc& desc, void* pointer) {
  memories.emplace_back(desc, cpu_engine(), pointer);
  return memories.back();
}

void Executable::Impl::bind() {
  std::size_t scratch_bytes = 0;
  for (const Step& step : program.steps) {
    if (step.compiled) scratch_bytes = std::max(scratch_bytes, step.compiled->scratchpad.get_size());
  }
  scratch = std::make_unique<AlignedBytes>(scratch_bytes);
  for (const Step& step : program.steps) {
    if (!step.compiled) {
      bound.push_back({nullptr, {}, step.job, pointers[step.operands[0].index], pointers[step.operands[1].index]});
      continue;
    }
    BoundStep made{step.compiled->primitive.get(), {}};
    for (const Operand& operand : step.operands) {
      void* pointer =
          operand.is_weights ? const_cast<std::byte*>(program.weights[operand.index]->data()) : pointers[operand.index];
      made.arguments.push_back({operand.argument, memory_at(operand.desc, pointer).get()});
    }
    if (step.compiled->scratchpad.get_size() > 0) {
      made.arguments.push_back({DNNL_ARG_SCRATCHPAD, memory_at(step.compiled->scratchpad, scratch->data()).get()});
    }
    bound.push_back(std::move(made));
  }
}

void Executable::Impl::run() {
  const ThreadScope scope(threads);
  if (times.empty()) {
    for (std::size_t i = 0; i < bound.size(); ++i) execute(i);
    return;
  }
  auto before = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < bound.size(); ++i) {
    execute(i);
    const auto after = std::chrono::steady_clock::now();
    times[i] = std::chrono::duration<double>(after - before).count();
    before = after;
  }
}

// Runs an f32 program and shows each result before its memory is used again.
void Executable::Impl::visit(const Network& network, const std::function<void(const Activation&)>& look) {
  std::size_t next = 0;
  const auto show = [&](std::size_t steps_done) {
    for (; next < program.tensors.size() && program.tensors[next].steps_done <= steps_done; ++next) {
      const TensorMade& made = program.tensors[next];
      const auto count = static_cast<std::size_t>(elements(network.shape(made.node)));
      look({made.node, floats(made.buffer, count), made.channels_last});
    }
  };
  show(0);
  for (std::size_t i = 0; i < bound.size(); ++i) {
    execute(i);
    show(i + 1);
  }
}

void visit_activations(const Design& design, std::span<const float> input, int threads,
                       const std::function<void(const Activation&)>& look) {
  ExecutableOptions options;
  options.threads = threads;
  options.fuse = false;  // every node's output is some step's result
  const ThreadScope scope(threads);
  Executable::Impl impl(Design{design.network, {}, design.weights}, options);
  std::copy(input.begin(), input.end(), impl.floats(impl.program.input_buffer, impl.input_size).begin());
  const std::vector<NodeId> stands_for = lower({design.network, {}, design.weights}, false).stands_for;
  std::vector<std::vector<NodeId>> held(design.network.size());  // nodes whose value each tensor is
  for (const NodeId node : design.network.live_nodes()) held[stands_for[node]].push_back(node);
  impl.visit(design.network, [&](const Activation& made) {
    for (const NodeId node : held[made.node]) look({node, made.values, made.channels_last});
  });
}

std::vector<Range> activation_ranges(const Design& design, std::span<const float> input, int threads) {
  std::vector<Range> ranges(design.network.size());
  visit_activations(design, input, threads, [&](const Activation& made) { ranges[made.node] = range_of(made.values); });
  return ranges;
}

Executable::Executable(const Design& design, const ExecutableOptions& options)
    : impl_(std::make_unique<Impl>(design, options)) {}
Executable::Executable(Executable&&) noexcept = default;
Executable& Executable::operator=(Executable&&) noexcept = default;
Executable::~Executable() = default;

std::span<float> Executable::input() { return impl_->floats(impl_->program.input_buffer, impl_->input_size); }

std::span<const float> Executable::output(std::size_t index) const {
  return impl_->floats(impl_->program.output_buffers.at(index), impl_->program.output_sizes.at(index));
}

void Executable::run() { impl_->run(); }
std::span<const StepInfo> Executable::steps() const { return impl_->infos; }
std::span<const double> Executable::step_times_s() const { return impl_->times; }
std::int64_t Executable::arena_bytes() const { return impl_->arena_bytes; }
std::span<const Placement> Executable::placements() const { return impl_->placements; }
std::int64_t Executable::weight_bytes() const { return impl_->weight_bytes; }

}  // namespace ridgeline
