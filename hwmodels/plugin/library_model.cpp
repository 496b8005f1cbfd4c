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
  Loaded(const std::string& device_file, const std::string& library) {
    handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      const char* why = dlerror();
      refuse(device_file, "a shared library that this machine loads", why == nullptr ? "none" : plain_words(why),
             "build it for this machine, see hwmodels/examples/library");
    }
  }
  ~Loaded() {
    if (model != nullptr && functions != nullptr) guarded([&] { functions->destroy(model); });
    dlclose(handle);
  }
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;

  void find_functions(const std::string& device_file, const std::string& library) {
    void* found = dlsym(handle, symbol);
    if (found == nullptr) {
      refuse(device_file, fmt::format("a library that exports {}()", symbol), library + " without it",
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
             fmt::format("{} with version {}", library, theirs), "build it with this Ridgeline's header");
    }
    if (functions->create == nullptr || functions->estimate == nullptr || functions->destroy == nullptr) {
      functions = nullptr;
      refuse(device_file, "create, estimate and destroy", library + " that lacks one of them", "");
    }
  }

  PluginAbilities create(const std::string& device_file, const std::string& options) {
    ridgeline_abilities given{};
    std::string error(text_size, '\0');
    std::string fault =
        guarded([&] { model = functions->create(options.c_str(), &given, error.data(), error.size()); });
    if (fault.empty() && model == nullptr) fault = text_of(error);
    if (model == nullptr) {
      refuse(device_file, "a model with these \"options\"", fault.empty() ? "a failure without a reason" : fault, "");
    }
    PluginAbilities abilities = abilities_of(given);
    if (const std::string problem = problem_of(abilities); !problem.empty()) {
      refuse(device_file, "resources with names and limits", problem, "see ridgeline_abilities in ridgeline_hwmodel.h");
    }
    return abilities;
  }

  void* handle = nullptr;
  const ridgeline_hwmodel_functions* functions = nullptr;
  void* model = nullptr;
};

LibraryModel::LibraryModel(std::string name, std::unique_ptr<Loaded> loaded, PluginAbilities abilities,
                           std::uint64_t contents)
    : name_(std::move(name)), loaded_(std::move(loaded)), abilities_(std::move(abilities)), contents_hash_(contents) {}

LibraryModel::~LibraryModel() = default;

std::unique_ptr<HardwareModel> LibraryModel::make(JsonDocument document) {
  JsonReader root = document.root();
  const PluginFile file = read_plugin_file(root, document.origin());
  const std::string named = root.string("library");
  root.finish();
  document.raise();
  const std::filesystem::path path = std::filesystem::absolute(std::filesystem::path(file.folder) / named);
  const std::string library = path.lexically_normal().string();  // with a '/': dlopen looks nowhere else
  const std::optional<std::uint64_t> bytes = file_hash(library);
  if (!bytes) {
    refuse(document.origin(), "the path of a shared library", "no file " + library,
           "build it; the path starts at the device file's folder");
  }
  auto loaded = std::make_unique<Loaded>(document.origin(), library);
  loaded->find_functions(document.origin(), library);
  PluginAbilities abilities = loaded->create(document.origin(), file.options.dump());
  const std::uint64_t contents =
      abilities.fingerprint.empty() ? *bytes : Hasher().add(std::string_view(abilities.fingerprint)).value();
  return std::unique_ptr<HardwareModel>(new LibraryModel(file.name, std::move(loaded), std::move(abilities), contents));
}

void LibraryModel::estimate(std::span<const Design> designs, std::span<Cost> costs) const {
  std::vector<PluginDesign> described;
  std::deque<Crossing> crossings;
  std::vector<ridgeline_design> asked;
  std::vector<ridgeline_cost> answers;
  described.reserve(designs.size());
  for (const Design& design : designs) {
    const PluginDesign& one = described.emplace_back(plugin_design(design));
    const Crossing& crossing = crossings.emplace_back(one, abilities_.resources.size());
    asked.push_back(crossing.asked);
    answers.push_back(crossing.answer);
  }
  if (designs.empty()) return;
  std::string error(text_size, '\0');
  std::int32_t code = 0;
  std::string fault;
  {
    const std::scoped_lock lock(mutex_);
    fault = guarded([&] {
      code = loaded_->functions->estimate(loaded_->model, asked.data(), asked.size(), answers.data(), error.data(),
                                          error.size());
    });
  }
  if (fault.empty() && code != 0) fault = text_of(error);
  if (code != 0 && fault.empty()) fault = "it failed and says no reason";
  if (!fault.empty() && designs.size() > 1) {  // one of them is to blame, not all
    for (std::size_t i = 0; i < designs.size(); ++i) estimate(designs.subspan(i, 1), costs.subspan(i, 1));
    return;
  }
  for (std::size_t i = 0; i < designs.size(); ++i) {
    crossings[i].answer = answers[i];
    PluginAnswer answer = crossings[i].taken();
    if (!fault.empty()) answer.failed = fault;
    costs[i] = cost_of(std::move(described[i]), abilities_, answer, name_);
  }
}

}  // namespace ridgeline
