// device list|show
#include <fmt/format.h>

#include <algorithm>

#include "cli/command_line.hpp"
#include "hwmodels/hardware_model.hpp"
#include "spaces/json_reader.hpp"

namespace ridgeline {
namespace {

struct DeviceOptions {
  std::string device;
  bool json = false;
};

std::string text_under(const Json& device, const char* key) {
  return device.contains(key) && device.at(key).is_string() ? device.at(key).get<std::string>() : std::string();
}

bool is_plugin(const Json& device) {
  const std::string kind = text_under(device, "model");
  return std::ranges::any_of(hardware_models(), [&](const auto& entry) { return entry.plugin && entry.kind == kind; });
}

// "f32 179 G, int8 717 G": operations a second.
std::string peaks_text(const Json& device) {
  if (!device.contains("peak_ops_per_s") || !device.at("peak_ops_per_s").is_object()) return "";
  std::string text;
  for (const auto& [format, peak] : device.at("peak_ops_per_s").items()) {
    if (!peak.is_number()) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", format, pretty(peak.get<double>(), ""));
  }
  return text;
}

int list_devices(const CommandLine& cli, const DeviceOptions& options) {
  Json list = Json::array();
  TextTable table({{"device", false},
                   {"kind", false},
                   {"model", false},
                   {"energy", false},
                   {"peak operations/s", false},
                   {"name", false}});
  for (const std::string& name : cli.resources.devices()) {
    const std::string path = cli.resources.device(name);
    const Json device = JsonDocument::load(path).value();
    // Neither a list nor a look at a file runs its code.
    const std::unique_ptr<HardwareModel> model = is_plugin(device) ? nullptr : load_device(path);
    const std::string called = model ? model->name() : text_under(device, "name");
    list.push_back({{"device", name},
                    {"name", called},
                    {"model", text_under(device, "model")},
                    {"category", text_under(device, "category")},
                    {"energy", model ? Json(model->has_energy()) : Json()}});
    table.add({name, text_under(device, "category"), text_under(device, "model"),
               model && model->has_energy() ? "yes" : "", peaks_text(device), called});
  }
  if (options.json) {
    cli.print_json(list);
  } else {
    cli.print(table.text(cli.style));
  }
  return exit_done;
}

void add_members(const Json& value, const std::string& path, std::vector<std::pair<std::string, std::string>>& rows) {
  if (value.is_object()) {
    for (const auto& [key, member] : value.items()) add_members(member, path.empty() ? key : path + "." + key, rows);
  } else if (value.is_array() && !value.empty() && value.front().is_object()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      const std::string name = text_under(value[i], "name");
      add_members(value[i], path + "." + (name.empty() ? std::to_string(i) : name), rows);
    }
  } else {
    rows.emplace_back(path, choice_text(value));
  }
}

int show_device(const CommandLine& cli, const DeviceOptions& options) {
  const std::string path = cli.resources.device(options.device);
  const Json device = JsonDocument::load(path).value();
  const std::string called = is_plugin(device) ? text_under(device, "name") : load_device(path)->name();
  if (options.json) {
    cli.print_json(device);
    return exit_done;
  }
  std::vector<std::pair<std::string, std::string>> rows;
  Json facts = device;
  const Json sources = facts.contains("sources") ? facts.at("sources") : Json::object();
  facts.erase("sources");
  facts.erase("layers");  // a calibrated table has thousands
  add_members(facts, "", rows);
  TextTable table({{called, false}, {"value", false}, {"source", false}});
  for (const auto& [name, value] : rows) {
    // A number's source is named by its own path or by a parent's.
    std::string source;
    for (std::string parent = name; !parent.empty() && source.empty();) {
      if (sources.contains(parent) && sources.at(parent).is_string()) source = sources.at(parent).get<std::string>();
      const std::size_t dot = parent.rfind('.');
      parent = dot == std::string::npos ? "" : parent.substr(0, dot);
    }
    table.add({name, shortened(value, 60), source});
  }
  cli.print(table.text(cli.style));
  return exit_done;
}

}  // namespace

void add_device_commands(CLI::App& app, CommandLine& cli) {
  CLI::App* devices = add_command(app, "device", "devices: described ones, and this machine", "ridgeline device list");
  devices->require_subcommand(1);
  auto options = std::make_shared<DeviceOptions>();

  CLI::App* list = add_command(*devices, "list", "the shipped devices", "ridgeline device list");
  add_json_option(*list, options->json);
  list->callback([&cli, options] { cli.action = [&cli, options] { return list_devices(cli, *options); }; });

  CLI::App* show =
      add_command(*devices, "show", "every number of a device with its source", "ridgeline device show raspberry_pi_4");
  show->add_option("device", options->device, "device file, or the name of a shipped device")->required();
  add_json_option(*show, options->json);
  show->callback([&cli, options] { cli.action = [&cli, options] { return show_device(cli, *options); }; });

  add_calibration_commands(*devices, cli);
}

}  // namespace ridgeline
