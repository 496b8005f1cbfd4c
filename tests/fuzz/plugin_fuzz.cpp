// Any bytes are a program's hello and its answer, or a ConfigError; what is taken of them is a finite cost that is not
// negative, or a reason. The first line is the hello.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "hwmodels/plugin/program_protocol.hpp"
#include "spaces/config_error.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_cost(double value) { return std::isfinite(value) && value >= 0; }

ridgeline::Design design_of() {
  ridgeline::Design design;
  ridgeline::Op op;
  op.kind = ridgeline::OpKind::conv2d;
  op.channels = 4;
  design.network.mark_output(design.network.add(op, {design.network.add_input({1, 3, 4, 4})}, "only"));
  return design;
}

void check(const ridgeline::Cost& cost) {
  require(cost.failed.size() <= 400 && cost.unsupported.size() <= 400);
  require(cost.failed.empty() || cost.latency_s == 0);
  require(is_cost(cost.latency_s) && is_cost(cost.energy_j));
  for (const auto& op : cost.ops) require(is_cost(op.latency_s) && is_cost(op.energy_j));
  for (const auto& one : cost.resources) require(is_cost(one.used) && is_cost(one.available));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ridgeline::Design design = design_of();
  const std::string all(reinterpret_cast<const char*>(data), size);
  const std::size_t end = all.find('\n');
  try {
    const ridgeline::PluginAbilities abilities = ridgeline::read_hello(all.substr(0, end), "hello");
    if (end == std::string::npos) return 0;
    const std::vector<ridgeline::PluginDesign> asked(2, ridgeline::plugin_design(design));
    for (const ridgeline::PluginAnswer& answer : ridgeline::read_answer(all.substr(end + 1), 1, asked, abilities)) {
      check(ridgeline::cost_of(asked[0], abilities, answer, "mine"));
    }
  } catch (const ridgeline::ConfigError& error) {
    require(!error.problems().empty());
  }
  return 0;
}
