// Libraries for tests: one that does wrong what its options say, one of another version (PLUGIN_OLD), one without the
// function that is looked for (PLUGIN_EMPTY).
#include <ridgeline_hwmodel.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

namespace {

struct Model {
  std::string fault;
  const char* names[2] = {"luts", "luts"};
  double available[2] = {1e6, 1e6};
};

bool has(const std::string& options, const char* word) { return options.find(word) != std::string::npos; }

void* create(const char* options, ridgeline_abilities* abilities, char* error, size_t error_size) {
  if (has(options, "refuse")) {
    std::snprintf(error, error_size, "the licence of 1999 has run out");
    return nullptr;
  }
  while (has(options, "slow_start")) pause();
  if (has(options, "throw_early")) throw std::runtime_error("thrown in create");
  auto* model = new Model{options};
  abilities->has_energy = 1;
  abilities->resource_count = has(options, "twice") ? 2 : 1;
  abilities->resource_names = model->names;
  abilities->resource_available = model->available;
  if (has(options, "stated")) abilities->fingerprint = "version 3";
  return model;
}

void estimate_one(const Model& model, const ridgeline_design& design, ridgeline_cost& cost) {
  for (size_t i = 0; i < design.layer_count; ++i) {
    const ridgeline_layer& layer = design.layers[i];
    cost.layer_latency_s[i] = 1e-9 * static_cast<double>(layer.macs) + 1e-6 * static_cast<double>(layer.input_count);
    cost.latency_s += cost.layer_latency_s[i];
    cost.energy_j += 1e-12 * static_cast<double>(layer.macs);
    if (std::strcmp(layer.name, "depthwise") == 0 && has(model.fault, "no depthwise")) {
      cost.status = RIDGELINE_UNSUPPORTED;
      std::snprintf(cost.reason, cost.reason_size, "no depthwise convolutions");
    }
    if (std::strcmp(layer.name, "depthwise") == 0 && has(model.fault, "marked"))
      throw std::runtime_error("not that one");
  }
  cost.resources[0] = has(model.fault, "too large") ? 2e6 : 5;
  if (has(model.fault, "nan")) cost.latency_s = std::nan("");
  if (has(model.fault, "negative")) cost.energy_j = -1;
  if (has(model.fault, "layer infinite")) cost.layer_latency_s[0] = HUGE_VAL;
  if (has(model.fault, "hardware")) cost.latency_s = static_cast<double>(std::strlen(design.hardware_json));
  if (has(model.fault, "endless reason")) {
    std::memset(cost.reason, 'x', cost.reason_size);  // without its end
    cost.status = RIDGELINE_FAILED;
  }
  if (has(model.fault, "status")) cost.status = 77;
}

int32_t estimate(void* opaque, const ridgeline_design* designs, size_t count, ridgeline_cost* costs, char* error,
                 size_t error_size) {
  const Model& model = *static_cast<Model*>(opaque);
  if (has(model.fault, "throw_odd")) throw 7;
  static size_t estimated = 0;
  if (has(model.fault, "crash") && (estimated += count) > 30) std::abort();
  if (has(model.fault, "exit")) std::exit(0);
  while (has(model.fault, "hang")) pause();
  if (has(model.fault, "error")) {
    std::snprintf(error, error_size, "the table\nhas no such row");
    return 1;
  }
  for (size_t i = 0; i < count; ++i) estimate_one(model, designs[i], costs[i]);
  return 0;
}

void destroy(void* opaque) { delete static_cast<Model*>(opaque); }

#if defined(PLUGIN_OLD)
constexpr uint32_t version = 7;
#else
constexpr uint32_t version = RIDGELINE_HWMODEL_VERSION;
#endif

const ridgeline_hwmodel_functions functions{version, create, estimate, destroy};

}  // namespace

#if defined(PLUGIN_EMPTY)
extern "C" __attribute__((visibility("default"))) const void* something_else() { return &functions; }
#else
const ridgeline_hwmodel_functions* ridgeline_hwmodel() { return &functions; }
#endif
