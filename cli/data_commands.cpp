// data make glyphs, data show
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "cli/command_line.hpp"
#include "cli/output_file.hpp"
#include "cli/progress.hpp"
#include "cli/shared_options.hpp"
#include "experiments/data/contact_sheet.hpp"
#include "experiments/data/glyphs.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

struct GlyphFlags {
  GlyphOptions options;
  std::string out;
  bool json = false, quiet = false;
};

struct ShowFlags {
  std::string path, sheet;
  bool test = false, json = false, quiet = false;
};

int make_glyph_set(const CommandLine& cli, const GlyphFlags& flags) {
  if (flags.out.empty()) throw ConfigError({"--out", "", "the path of a folder", "nothing", ""});
  GlyphManifest manifest;
  try {
    const InterruptFlag interrupt;
    PhaseLine line(!flags.quiet, cli.progress_bar);
    manifest = make_glyphs(
        flags.options, flags.out,
        [&](const std::string& phase, std::size_t done, std::size_t total) { line.show(phase, done, total); },
        &interrupt.flag());
  } catch (const StoppedEarly&) {
    std::fputs(fmt::format("interrupted; nothing was written\nto start again: {}\n", cli.command).c_str(), stderr);
    return exit_interrupted;
  }
  const Json json = manifest_json(manifest);
  if (flags.json) {
    cli.print_json({{"folder", flags.out}, {"manifest", json}});
    return exit_done;
  }
  TextTable table({{"split", false}, {"images", true}, {"typefaces", true}, {"faces", true}, {"fingerprint", false}});
  for (const std::string& name : glyph_split_names()) {
    const Json& split = json.at("splits").at(name);
    table.add({name, grouped(split.at("images").get<std::int64_t>()), std::to_string(split.at("designs").size()),
               std::to_string(split.at("faces").get<std::int64_t>()), split.at("fingerprint").get<std::string>()});
  }
  cli.print(fmt::format(
      "{}: {} classes, 32x32 gray, seed {}\n\n{}\n{} faces were left out; manifest.json says why, sheet.png shows {} "
      "images\n",
      flags.out, glyph_characters.size(), flags.options.seed, table.text(cli.style), json.at("left_out").size(),
      "train"));
  return exit_done;
}

// What is said of a split: its size and how many of each class.
struct SplitSummary {
  std::string name;
  std::size_t images;
  std::vector<std::size_t> counts;
};

Json show_json(const Dataset& dataset, const std::vector<SplitSummary>& splits, const Json& manifest) {
  const ImageShape& shape = dataset.train.shape();
  Json json{{"name", dataset.name},
            {"shape", {shape.channels, shape.height, shape.width}},
            {"classes", dataset.class_names},
            {"mean", dataset.normalisation.mean},
            {"stddev", dataset.normalisation.stddev},
            {"fingerprint", hex64(dataset.fingerprint)},
            {"splits", Json::object()}};
  for (const SplitSummary& split : splits) {
    json["splits"][split.name] = {{"images", split.images}, {"class_counts", split.counts}};
  }
  if (!manifest.is_null()) json["manifest"] = manifest;
  return json;
}

std::string numbers_text(const std::vector<float>& values) {
  std::string text;
  for (const float value : values) text += fmt::format("{}{:.4f}", text.empty() ? "" : " ", value);
  return text;
}

std::string classes_text(const Dataset& dataset, const std::vector<SplitSummary>& splits, const TextStyle& style) {
  constexpr std::size_t most_rows = 100;
  std::vector<TextTable::Column> columns{{"class", false}};
  for (const SplitSummary& split : splits) columns.push_back({split.name, true});
  TextTable table(columns);
  for (std::size_t c = 0; c < std::min(dataset.class_names.size(), most_rows); ++c) {
    std::vector<std::string> cells{shortened(dataset.class_names[c], 30)};
    for (const SplitSummary& split : splits) cells.push_back(grouped(static_cast<std::int64_t>(split.counts[c])));
    table.add(std::move(cells));
  }
  std::string text = table.text(style);
  if (dataset.class_names.size() > most_rows) {
    text += fmt::format("and {} more classes; --json shows all\n", dataset.class_names.size() - most_rows);
  }
  return text;
}

// How a built-in data set was made, where its manifest is beside it.
Json manifest_of(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path folder = fs::is_directory(path, error) ? fs::path(path) : fs::path(path).parent_path();
  const fs::path file = folder / "manifest.json";
  if (!fs::is_regular_file(file, error)) return {};
  const Json manifest = JsonDocument::load(file.string()).value();
  return manifest.is_object() && manifest.contains("ridgeline_glyphs") ? manifest : Json();
}

std::string manifest_text(const Json& manifest) {
  if (manifest.is_null()) return "";
  const auto read = [&](const char* key) { return manifest.contains(key) ? manifest.at(key).dump() : "not stated"; };
  const auto rows = [&](const char* key) { return manifest.contains(key) ? manifest.at(key).size() : 0; };
  return fmt::format("drawn from {} faces ({} left out) with seed {} and FreeType {}; see manifest.json\n",
                     rows("faces"), rows("left_out"), read("seed"), read("freetype"));
}

int show_dataset(const CommandLine& cli, const ShowFlags& flags) {
  if (!flags.sheet.empty()) check_writable(flags.sheet, "--sheet");
  Dataset dataset;
  std::vector<SplitSummary> splits;
  {
    PhaseLine line(!flags.quiet, cli.progress_bar, 1.0);
    const DataProgress progress = [&](const std::string& phase, std::size_t done, std::size_t total) {
      line.show(phase, done, total);
    };
    dataset = load_dataset(flags.path, progress);
    const auto add = [&](const char* name, const LabelledImages& images) {
      splits.push_back({name, images.size(), class_counts(images, dataset.class_names.size())});
    };
    add("train", dataset.train);
    add("validation", dataset.validation);
    if (flags.test) add("test", load_test_split(flags.path, progress));
  }
  if (!flags.sheet.empty()) {
    write_file(flags.sheet, contact_sheet(dataset.train, dataset.class_names.size()), "--sheet");
  }
  const Json manifest = manifest_of(flags.path);
  if (flags.json) {
    cli.print_json(show_json(dataset, splits, manifest));
    return exit_done;
  }
  std::string text = fmt::format("{}: {} classes, images of {} (channels x height x width)\n", dataset.name,
                                 dataset.class_names.size(), shape_text(dataset.train.shape()));
  for (const SplitSummary& split : splits) {
    text += fmt::format("{} {} images\n", split.name, grouped(static_cast<std::int64_t>(split.images)));
  }
  text += fmt::format("mean {}, standard deviation {} (of train)\nfingerprint {}\n",
                      numbers_text(dataset.normalisation.mean), numbers_text(dataset.normalisation.stddev),
                      hex64(dataset.fingerprint));
  cli.print(text + manifest_text(manifest) + "\n" + classes_text(dataset, splits, cli.style));
  return exit_done;
}

void add_make_glyphs(CLI::App& make, CommandLine& cli) {
  auto flags = std::make_shared<GlyphFlags>();
  CLI::App* glyphs =
      add_command(make, "glyphs",
                  "characters of 47 classes drawn from Debian's fonts, 32x32 gray; no typeface is in two "
                  "splits",
                  "ridgeline data make glyphs --out glyphs --seed 1");
  glyphs->add_option("--out", flags->out, "folder to write")->required();
  glyphs->add_option("--seed", flags->options.seed, "seed of typefaces, distortions and order")->capture_default_str();
  glyphs->add_option("--train", flags->options.train, "images to train on")->capture_default_str();
  glyphs->add_option("--validation", flags->options.validation, "images that a search sees")->capture_default_str();
  glyphs->add_option("--test", flags->options.test, "images that are kept for the end")->capture_default_str();
  glyphs->add_option("--fonts", flags->options.fonts, "folder that holds Debian's fonts/ and texmf/")
      ->capture_default_str();
  add_all_threads_option(*glyphs, flags->options.threads, "threads, which change nothing but the time");
  add_quiet_option(*glyphs, flags->quiet);
  add_json_option(*glyphs, flags->json);
  glyphs->callback([&cli, flags] { cli.action = [&cli, flags] { return make_glyph_set(cli, *flags); }; });
}

}  // namespace

void add_data_commands(CLI::App& app, CommandLine& cli) {
  CLI::App* data = add_command(app, "data", "data sets to train on", "ridgeline data show glyphs");
  data->require_subcommand(1);
  CLI::App* make =
      add_command(*data, "make", "make a built-in data set on this machine", "ridgeline data make glyphs --out glyphs");
  make->require_subcommand(1);
  add_make_glyphs(*make, cli);

  auto flags = std::make_shared<ShowFlags>();
  CLI::App* show = add_command(*data, "show", "shapes, class counts, mean and standard deviation of a data set",
                               "ridgeline data show glyphs --sheet sheet.png");
  show->add_option("path", flags->path, "folder, dataset.json or .npz file")->required();
  show->add_option("--sheet", flags->sheet, "also write a picture: a row a class, the first images of train (PNG)");
  show->add_flag("--test", flags->test, "also read the test split");
  add_quiet_option(*show, flags->quiet);
  add_json_option(*show, flags->json);
  show->callback([&cli, flags] { cli.action = [&cli, flags] { return show_dataset(cli, *flags); }; });
}

}  // namespace ridgeline
