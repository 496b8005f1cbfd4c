#include "kernels/training/training_graph.hpp"

#include <array>

#include "kernels/arena.hpp"
#include "kernels/executable.hpp"
#include "kernels/training/training_builder.hpp"

namespace ridgeline {

namespace {

struct BoundCall {
  const_dnnl_primitive_t primitive;  // null: the job
  std::vector<dnnl_exec_arg_t> arguments;
  const TrainingJob* job = nullptr;
  std::vector<std::byte*> operands{};
};

const std::array<std::string, 2> ways{"fake", "noise"};

}  // namespace

struct TrainingGraph::Impl {
  Impl(const Network& network, const TrainingOptions& options, TrainingMemory* memory);
  void place_buffers(TrainingMemory* memory);
  void bind();
  void run(std::size_t begin, std::size_t end) {
    const ThreadScope scope(threads);
    for (std::size_t i = begin; i < end; ++i) {
      const BoundCall& call = bound[i];
      if (call.primitive == nullptr) {
        (*call.job)(call.operands, step);
        continue;
      }
      if (dnnl_primitive_execute(call.primitive, cpu_stream().get(), static_cast<int>(call.arguments.size()),
                                 call.arguments.data()) != dnnl_success) {
        throw std::runtime_error("oneDNN could not execute a compiled training primitive");
      }
    }
  }
  std::span<float> floats(std::size_t buffer, std::size_t count) {
    return {reinterpret_cast<float*>(pointers[buffer]), count};
  }

  int threads;
  std::uint64_t step = 0;
  TrainingProgram program;
  TrainingMemory arena;
  std::vector<AlignedBytes> own;
  std::vector<std::byte*> pointers;  // one a buffer
  std::vector<dnnl::memory> memories;
  std::vector<BoundCall> bound;
  std::vector<BatchStatistics> statistics;
  std::int64_t bytes = 0;
};

TrainingGraph::Impl::Impl(const Network& network, const TrainingOptions& options, TrainingMemory* memory)
    : threads(options.threads) {
  const ThreadScope scope(threads);
  program = TrainingBuilder(network, options).run();
  place_buffers(memory);
  bind();
  for (const TrainingProgram::Statistics& one : program.statistics) {
    statistics.push_back({one.node, floats(one.mean, one.channels), floats(one.variance, one.channels)});
  }
}

void TrainingGraph::Impl::place_buffers(TrainingMemory* memory) {
  std::vector<ArenaRequest> requests;
  std::vector<std::size_t> which;
  pointers.resize(program.buffers.size());
  for (std::size_t i = 0; i < program.buffers.size(); ++i) {
    const TrainingBuffer& buffer = program.buffers[i];
    if (buffer.in_arena) {
      requests.push_back({buffer.first_call, buffer.last_call, buffer.bytes});
      which.push_back(i);
    } else {
      own.emplace_back(static_cast<std::size_t>(buffer.bytes));
      pointers[i] = own.back().data();
      bytes += buffer.bytes;
    }
  }
  const ArenaPlan plan = plan_arena(requests);
  const auto needed = static_cast<std::size_t>(plan.bytes);
  const bool fits = memory != nullptr && *memory && (*memory)->size() >= needed;
  arena = fits ? *memory : std::make_shared<AlignedBytes>(needed);
  if (memory != nullptr) *memory = arena;
  bytes += plan.bytes;
  for (std::size_t i = 0; i < which.size(); ++i) pointers[which[i]] = arena->data() + plan.offsets[i];
}

void TrainingGraph::Impl::bind() {
  for (const TrainingCall& call : program.calls) {
    BoundCall made{call.job ? nullptr : call.primitive.get(), {}, &call.job};
    for (const auto& [argument, tensor] : call.arguments) {
      std::byte* const place = pointers[tensor.buffer] + tensor.offset;
      if (call.job) {
        made.operands.push_back(place);
        continue;
      }
      memories.emplace_back(tensor.desc, cpu_engine(), place);
      made.arguments.push_back({argument, memories.back().get()});
    }
    bound.push_back(std::move(made));
  }
}

std::span<const std::string> rounding_way_names() { return ways; }

TrainingGraph::TrainingGraph(const Network& network, const TrainingOptions& options, TrainingMemory* memory)
    : impl_(std::make_unique<Impl>(network, options, memory)) {}
TrainingGraph::TrainingGraph(TrainingGraph&&) noexcept = default;
TrainingGraph& TrainingGraph::operator=(TrainingGraph&&) noexcept = default;
TrainingGraph::~TrainingGraph() = default;

std::span<float> TrainingGraph::input() { return impl_->floats(impl_->program.input, impl_->program.input_size); }
std::span<float> TrainingGraph::parameters() {
  return impl_->floats(impl_->program.parameters, impl_->program.parameter_count);
}
std::span<const float> TrainingGraph::parameters() const {
  return impl_->floats(impl_->program.parameters, impl_->program.parameter_count);
}
void TrainingGraph::forward(std::uint64_t step) {
  impl_->step = step;
  impl_->run(0, impl_->program.backward_begins);
}
std::span<const float> TrainingGraph::output() const {
  return impl_->floats(impl_->program.output, impl_->program.output_size);
}
std::span<float> TrainingGraph::output_gradient() {
  return impl_->floats(impl_->program.output_gradient, impl_->program.output_size);
}
void TrainingGraph::backward() { impl_->run(impl_->program.backward_begins, impl_->program.calls.size()); }
std::span<const float> TrainingGraph::gradient() const {
  return impl_->floats(impl_->program.gradient, impl_->program.parameter_count);
}
std::span<const BatchStatistics> TrainingGraph::batch_statistics() const { return impl_->statistics; }
std::int64_t TrainingGraph::memory_bytes() const { return impl_->bytes; }

}  // namespace ridgeline
