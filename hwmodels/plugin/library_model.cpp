#include "hwmodels/plugin/library_model.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <filesystem>
#include <utility>

#include "hwmodels/plugin/plugin_files.hpp"
#include "hwmodels/plugin/ridgeline_hwmodel.h"
#include "hwmodels/plugin/timed_calls.hpp"
#include "spaces/config_error.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t text_size = 1024;  // of an error or a reason, with its end
constexpr std::size_t most_resources = 1000;
const char* const symbol = "ridgeline_hwmodel";

std::string text_of(const std::string& buffer) {
  return plain_words({buffer.data(), strnlen(buffer.data(), text_size)});
}

// Calls into the library; what it throws becomes a text.
template <typename Call>
std::string guarded(const Call& call) {
  try {
    call();
    return "";
  } catch (const std::exception& error) {
    return fmt::format("a C++ exception left it: {}", plain_words(error.what()));
  } catch (...) {
    return "a C++ exception left it";
  }
}

// One design with its answer, as C sees it. Not moved: pointers lead into it.
struct Crossing {
  Crossing(const PluginDesign& design, std::size_t resource_count) {
    layers.reserve(design.layers.size());
    for (const PluginLayer& layer : design.layers) layers.push_back(c_layer(layer));
    const auto json = [&](const Json* value) {
      return value == nullptr ? "" : kept(value->dump(-1, ' ', false, Json::error_handler_t::replace));
    };
    asked = {layers.data(),         layers.size(),        design.started.weight_bytes, design.started.peak_bytes,
             json(design.hardware), json(design.schedule)};
    latency_s.resize(layers.size());
    energy_j.resize(layers.size());
    resources.resize(resource_count);
    answer.reason = reason.data();
    answer.reason_size = reason.size();
    answer.layer_latency_s = latency_s.data();
    answer.layer_energy_j = energy_j.data();
    answer.resources = resources.data();
  }
  Crossing(const Crossing&) = delete;
  Crossing& operator=(const Crossing&) = delete;

  const char* kept(std::string text) { return texts.emplace_back(std::move(text)).c_str(); }

  ridgeline_layer c_layer(const PluginLayer& from) {
    const LayerKey& key = from.layer.key;
    ridgeline_layer to{};
    to.name = from.name.c_str();
    to.kind = name_of(key.kind).data();  // of a string, so it ends
    to.activation = key.activation == OpKind::identity ? "" : name_of(key.activation).data();
    to.adds = key.add ? 1 : 0;
    to.entry = key.entry ? 1 : 0;
    to.exit = key.exit ? 1 : 0;
    to.batch = key.batch;
    std::ranges::copy(key.in, to.in);
    std::ranges::copy(key.out, to.out);
    std::ranges::copy(key.kernel, to.kernel);
    std::ranges::copy(key.stride, to.stride);
    std::ranges::copy(key.dilation, to.dilation);
    to.groups = key.groups;
    to.weights = kept(key.weights.text());
    to.activations = kept(key.activations.text());
    to.stored_in = kept(key.stored_in.text());
    to.stored_out = kept(key.stored_out.text());
    to.macs = from.layer.macs;
    to.weight_bytes = from.layer.weight_bytes;
    to.input_bytes = from.layer.input_bytes;
    to.output_bytes = from.layer.output_bytes;
    to.inputs = from.inputs.data();
    to.input_count = from.inputs.size();
    return to;
  }

  PluginAnswer taken() const {
    PluginAnswer taken{answer.latency_s, answer.energy_j, latency_s, energy_j, {}, resources, "", ""};
    std::string why = text_of(reason);
    if (answer.status == RIDGELINE_OK) return taken;
    if (answer.status == RIDGELINE_UNSUPPORTED) {
      taken.unsupported = why.empty() ? "it says no reason" : std::move(why);
      if (std::ranges::all_of(resources, [](double used) { return used == 0; })) taken.resources.clear();
    } else if (answer.status == RIDGELINE_FAILED) {
      taken.failed = why.empty() ? "it failed and says no reason" : std::move(why);
    } else {
      taken.failed = "it gave a status that this version does not know";
    }
    return taken;
  }

  std::deque<std::string> texts;
  std::vector<ridgeline_layer> layers;
  std::vector<double> latency_s, energy_j, resources;
  std::string reason = std::string(text_size, '\0');
  ridgeline_design asked{};
  ridgeline_cost answer{};
};

PluginAbilities abilities_of(const ridgeline_abilities& given) {
  PluginAbilities abilities;
  abilities.energy = given.has_energy != 0;
  for (std::size_t i = 0; i < std::min(given.resource_count, most_resources); ++i) {
    const char* name = given.resource_names == nullptr ? nullptr : given.resource_names[i];
    abilities.resources.emplace_back(name == nullptr ? "" : name);
    abilities.available.push_back(given.resource_available == nullptr ? 0.0 : given.resource_available[i]);
  }
  if (given.fingerprint != nullptr) abilities.fingerprint = given.fingerprint;
  return abilities;
}

[[noreturn]] void refuse(const std::string& file, std::string expected, std::string found, std::string remedy) {
  throw ConfigError(Problem{file, "library", std::move(expected), std::move(found), std::move(remedy)});
}

}  // namespace

struct LibraryModel::Loaded {
  Loaded(std::string device, std::string library) : device_file(std::move(device)), file(std::move(library)) {}

  void open() {
    handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      const char* why = dlerror();
      refuse(device_file, "a shared library that this machine loads", why == nullptr ? "none" : plain_words(why),
             "build it for this machine, see hwmodels/examples/library");
    }
  }

  void find_functions() {
    void* found = dlsym(handle, symbol);
    if (found == nullptr) {
      refuse(device_file, fmt::format("a library that exports {}()", symbol), file + " without it",
             "export it with C linkage, see ridgeline_hwmodel.h");
    }
    const auto entry = reinterpret_cast<decltype(&ridgeline_hwmodel)>(found);
    const std::string fault = guarded([&] { functions = entry(); });
    if (functions == nullptr) {
      refuse(device_file, fmt::format("functions from {}()", symbol), fault.empty() ? "NULL" : fault, "");
    }
    if (functions->version != RIDGELINE_HWMODEL_VERSION) {
      const std::uint32_t theirs = std::exchange(functions, nullptr)->version;
      refuse(device_file, fmt::format("version {} of ridgeline_hwmodel.h", RIDGELINE_HWMODEL_VERSION),
             fmt::format("{} with version {}", file, theirs), "build it with this Ridgeline's header");
    }
    if (functions->create == nullptr || functions->estimate == nullptr || functions->destroy == nullptr) {
      functions = nullptr;
      refuse(device_file, "create, estimate and destroy", file + " that lacks one of them", "");
    }
  }

  void create(const std::string& options) {
    ridgeline_abilities given{};
    std::string error(text_size, '\0');
    std::string fault =
        guarded([&] { model = functions->create(options.c_str(), &given, error.data(), error.size()); });
    if (fault.empty() && model == nullptr) fault = text_of(error);
    if (model == nullptr) {
      refuse(device_file, "a model with these \"options\"", fault.empty() ? "a failure without a reason" : fault, "");
    }
    abilities = abilities_of(given);
    if (const std::string problem = problem_of(abilities); !problem.empty()) {
      refuse(device_file, "resources with names and limits", problem, "see ridgeline_abilities in ridgeline_hwmodel.h");
    }
  }

  void close() {
    if (model != nullptr && functions != nullptr) guarded([&] { functions->destroy(model); });
    if (handle != nullptr) dlclose(handle);
    model = handle = nullptr;
  }

  const std::string device_file, file;
  void* handle = nullptr;
  const ridgeline_hwmodel_functions* functions = nullptr;
  void* model = nullptr;
  PluginAbilities abilities;
};

// What a call asks and answers, as C sees it.
struct LibraryModel::Request {
  Request(std::span<const Design> designs, std::size_t resource_count) {
    described.reserve(designs.size());
    for (const Design& design : designs) {
      const PluginDesign& one = described.emplace_back(plugin_design(design));
      const Crossing& crossing = crossings.emplace_back(one, resource_count);
      asked.push_back(crossing.asked);
      answers.push_back(crossing.answer);
    }
  }

  void put_to(const Loaded& loaded) {
    std::string error(text_size, '\0');
    std::int32_t code = 0;
    fault = guarded([&] {
      code = loaded.functions->estimate(loaded.model, asked.data(), asked.size(), answers.data(), error.data(),
                                        error.size());
    });
    if (fault.empty() && code != 0) fault = text_of(error);
    if (fault.empty() && code != 0) fault = "it failed and says no reason";
  }

  std::vector<PluginDesign> described;
  std::deque<Crossing> crossings;
  std::vector<ridgeline_design> asked;
  std::vector<ridgeline_cost> answers;
  std::string fault;
};

LibraryModel::LibraryModel(std::string name, std::shared_ptr<Loaded> loaded, double timeout_s)
    : name_(std::move(name)),
      loaded_(std::move(loaded)),
      timeout_s_(timeout_s),
      calls_(std::make_unique<TimedCalls>(loaded_->file, timeout_s)) {}

LibraryModel::~LibraryModel() {
  calls_->run([loaded = loaded_] { loaded->close(); });
}

void LibraryModel::run(std::function<void()> call) const {
  if (calls_->run(std::move(call))) return;
  refuse(loaded_->device_file, fmt::format("an answer within {:g} s (\"timeout_s\")", timeout_s_),
         loaded_->file + " still at work",
         "mend it or give it more time; a program (\"model\": \"program\") is ended and started again instead");
}

std::unique_ptr<HardwareModel> LibraryModel::make(JsonDocument document) {
  JsonReader root = document.root();
  const PluginFile file = read_plugin_file(root, document.origin());
  const std::string named = root.string("library");
  const double timeout_s = root.number("timeout_s", {.fallback = 600.0, .least = 0.001, .most = 86400.0});
  root.finish();
  document.raise();
  const std::filesystem::path path = std::filesystem::absolute(std::filesystem::path(file.folder) / named);
  const std::string library = path.lexically_normal().string();  // with a '/': dlopen looks nowhere else
  const std::optional<std::uint64_t> bytes = file_hash(library);
  if (!bytes) {
    refuse(document.origin(), "the path of a shared library", "no file " + library,
           "build it; the path starts at the device file's folder");
  }
  const auto loaded = std::make_shared<Loaded>(document.origin(), library);
  std::unique_ptr<LibraryModel> model(new LibraryModel(file.name, loaded, timeout_s));
  model->run([loaded, options = file.options.dump()] {
    loaded->open();
    loaded->find_functions();
    loaded->create(options);
  });
  model->abilities_ = loaded->abilities;
  const std::string& stated = model->abilities_.fingerprint;
  model->contents_hash_ = stated.empty() ? *bytes : Hasher().add(std::string_view(stated)).value();
  return model;
}

void LibraryModel::estimate(std::span<const Design> designs, std::span<Cost> costs) const {
  if (designs.empty()) return;
  const auto request = std::make_shared<Request>(designs, abilities_.resources.size());
  run([request, loaded = loaded_] { request->put_to(*loaded); });
  if (!request->fault.empty() && designs.size() > 1) {  // one of them is to blame, not all
    for (std::size_t i = 0; i < designs.size(); ++i) estimate(designs.subspan(i, 1), costs.subspan(i, 1));
    return;
  }
  for (std::size_t i = 0; i < designs.size(); ++i) {
    request->crossings[i].answer = request->answers[i];
    PluginAnswer answer = request->crossings[i].taken();
    if (!request->fault.empty()) answer.failed = request->fault;
    costs[i] = cost_of(std::move(request->described[i]), abilities_, answer, name_);
  }
}

}  // namespace ridgeline
