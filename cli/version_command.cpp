// version
#include <fmt/format.h>

#include "cli/command_line.hpp"
#include "cli/version.hpp"
#include "experiments/report/report_formats.hpp"
#include "experiments/store/environment_json.hpp"
#include "experiments/store/store.hpp"
#include "revision.hpp"

namespace ridgeline {

std::string program_version() { return fmt::format("{} ({})", RIDGELINE_VERSION, RIDGELINE_REVISION); }

void add_version_command(CLI::App& app, CommandLine& cli) {
  auto json = std::make_shared<bool>(false);
  CLI::App* command =
      add_command(app, "version", "the program, its libraries and this machine", "ridgeline version --json");
  add_json_option(*command, *json);
  command->callback([&cli, json] {
    cli.action = [&cli, json] {
      const Environment environment = this_environment();
      if (*json) {
        cli.print_json({{"version", RIDGELINE_VERSION},
                        {"revision", RIDGELINE_REVISION},
                        {"database_schema", Store::schema_version()},
                        {"environment", environment_json(environment)}});
        return static_cast<int>(exit_done);
      }
      std::string text = fmt::format("ridgeline {}\ndatabase schema {}\n", program_version(), Store::schema_version());
      for (const auto& [name, value] : environment_facts(environment)) text += fmt::format("{}: {}\n", name, value);
      cli.print(text);
      return static_cast<int>(exit_done);
    };
  });
}

}  // namespace ridgeline
