#include "experiments/quantization/patch_plan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/quantization/patch_execution.hpp"
#include "experiments/quantization/post_training.hpp"
#include "experiments/report/memory_report.hpp"
#include "experiments/report/report_units.hpp"
#include "experiments/training/evaluate.hpp"
#include "kernels/quantization/folded_norms.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

std::string format_name(int bits, bool never_negative) {
  return fmt::format("{}{}", never_negative ? "uint" : "int", bits);
}

std::string formats_of(const PatchBits& bits, const std::vector<bool>& never_negative) {
  std::string text;
  for (const std::vector<int>& branch : bits) {
    for (std::size_t map = 0; map < branch.size(); ++map) {
      text += fmt::format("{}{}", text.empty() ? "" : ",", format_name(branch[map], never_negative[map]));
    }
  }
  return text;
}

double mean_bits(const PatchBits& bits) {
  double sum = 0, count = 0;
  for (const std::vector<int>& branch : bits) {
    for (const int one : branch) {
      sum += one;
      ++count;
    }
  }
  return count > 0 ? sum / count : 0;
}

MemoryLayout layout_of(const Design& design, const MemoryOptions& options) {
  std::string why;
  std::optional<MemoryLayout> layout = memory_layout(design, options, why);
  if (!layout) {
    throw ConfigError({"schedule", "", "one that the network can run in", why,
                       "choose another --patch-layers or --patch-grid; 'ridgeline memory ... --schedules' lists them"});
  }
  return std::move(*layout);
}

class PatchPlanner {
 public:
  PatchPlanner(TrainedModel model, const Dataset& data, const PatchPlanOptions& options)
      : options_(options), data_(data) {
    if (options.layers < 2 || options.grid < 2) {
      throw ConfigError({"--patch-layers", "", "at least 2 layers on a grid of 2 or more: what lies between has bits",
                         fmt::format("{} layers, {} x {}", options.layers, options.grid, options.grid),
                         "'ridgeline memory ... --schedules' lists the schedules worth it"});
    }
    adapt(model, data);
    model.design = with_folded_norms(model.design);
    normalisation_ = model.normalisation;
    say("ranges");
    const PostTraining prepared(model, data.train, {.images = options.calibration_images}, options.threads);
    whole_ = prepared.quantized(PrecisionPlan::uniform(model.design.network, int8));
    f32_ = prepared.design();
    report_.network = model.name;
    report_.data = data.name;
    report_.options = options;
  }

  PatchPlanReport plan() {
    const MemoryLayout layers = layout_of(whole_, options_.memory);
    const MemoryLayout patches = layout_of(with_patches(whole_, options_.layers, options_.grid, ""), options_.memory);
    steps_ = patches.steps;
    stage_ = *patches.patches;
    say("values of patches");
    report_.values = patch_values(whole_, steps_, stage_, calibration_images(data_.train, options_.calibration_images),
                                  normalisation_, options_.outliers, options_.threads);
    for (std::size_t i = 0; i + 1 < options_.layers; ++i) report_.maps.push_back(label(steps_[i]));
    search();
    const PatchBits eight(stage_.patches(), std::vector<int>(report_.maps.size(), 8));
    const MemoryLayout in_eight = layout(eight), mixed = layout(report_.found.bits);
    add_row("layer by layer", whole_, layers, 8);
    add_row("patches, 8 bits", scheduled(eight), in_eight, 8);
    add_row("patches, mixed", scheduled(report_.found.bits), mixed, mean_bits(report_.found.bits));
    report_.patch_format = formats_of(report_.found.bits, report_.values.never_negative);
    if (options_.images > 0) run(eight);
    return std::move(report_);
  }

 private:
  void say(const std::string& phase) const {
    if (options_.progress) options_.progress(phase);
  }

  std::string label(const MemoryStep& step) const {
    const Shape& shape = whole_.network.shape(step.node);
    return fmt::format("{} -> {}x{}x{}", name_of(whole_.network.op(step.anchor).kind), shape[1], shape[2], shape[3]);
  }

  Design scheduled(const PatchBits& bits) const {
    return with_patches(whole_, options_.layers, options_.grid, formats_of(bits, report_.values.never_negative));
  }
  MemoryLayout layout(const PatchBits& bits) const { return layout_of(scheduled(bits), options_.memory); }
  std::int64_t limit() const {
    return options_.sram_bytes == 0 ? 0 : std::max<std::int64_t>(1, options_.sram_bytes - options_.reserved_bytes);
  }

  void search() {
    say("bits");
    report_.found = search_patch_bits(
        report_.values.branches, options_.lambda, [&](const PatchBits& bits) { return layout(bits).plan.arena_bytes; },
        limit());
  }

  void add_row(const std::string& name, const Design& design, const MemoryLayout& layout, double bits) {
    PatchPlanRow row{name, layout.plan.arena_bytes, layout.macs + layout.extra_macs, bit_operations(design, layout),
                     bits};
    row.fits = limit() == 0 || row.arena_bytes <= limit();
    report_.rows.push_back(std::move(row));
  }

  PatchQuantizers quantizers(const PatchBits& bits) const {
    PatchQuantizers made;
    const NodeId input = stage_.tensors.front().tensor;
    made.input = Quantizer{int8, {whole_.quantization->tensors[input]}};
    for (std::size_t patch = 0; patch < bits.size(); ++patch) {
      made.maps.emplace_back();
      for (std::size_t map = 0; map < bits[patch].size(); ++map) {
        const Format format = Format::parse(format_name(bits[patch][map], report_.values.never_negative[map]));
        made.maps.back().push_back(
            Quantizer{format, {report_.values.ranges[patch][map][patch_bits_index(bits[patch][map])]}});
      }
    }
    return made;
  }

  void run(const PatchBits& eight) {
    const LabelledImages images = calibration_images(data_.validation, options_.images);
    report_.images = images.size();
    EvaluateOptions options;
    options.threads = options_.threads;
    options.emulation = Emulation::missing;
    say("layer by layer on images");
    report_.f32_accuracy = evaluate_classifier(f32_, images, normalisation_, options).accuracy;
    report_.rows[0].accuracy = evaluate_classifier(whole_, images, normalisation_, options).accuracy;
    const auto accuracy = [&](const PatchBits& bits) {
      say("patch by patch on images");
      return patch_accuracy(whole_, steps_, stage_, images, normalisation_, quantizers(bits), options_.threads);
    };
    report_.rows[1].accuracy = accuracy(eight);
    report_.rows[2].accuracy = accuracy(report_.found.bits);
  }

  const PatchPlanOptions& options_;
  const Dataset& data_;
  Normalisation normalisation_;
  Design f32_, whole_;  // whole_: in 8 bits
  std::vector<MemoryStep> steps_;
  PatchStage stage_;
  PatchPlanReport report_;
};

std::string branches_text(const PatchPlanReport& report, const TextStyle& style) {
  std::vector<TextTable::Column> columns{{"patch", false}, {"outliers", true}, {"class", false}};
  for (const std::string& map : report.maps) columns.push_back({map, true});
  TextTable table(columns);
  const auto grid = static_cast<std::size_t>(report.options.grid);
  for (std::size_t patch = 0; patch < report.found.bits.size(); ++patch) {
    std::vector<std::string> row{fmt::format("{}, {}", patch / grid, patch % grid),
                                 percent(report.values.outlier_shares[patch], 2),
                                 report.values.branches[patch].outliers ? "outliers" : ""};
    for (const int bits : report.found.bits[patch]) row.push_back(std::to_string(bits));
    table.add(std::move(row));
  }
  return table.text(style);
}

std::string rows_text(const PatchPlanReport& report, const TextStyle& style) {
  TextTable table({{"plan", false},
                   {"peak SRAM (B)", true},
                   {"MACs", true},
                   {"redundancy", true},
                   {"bit operations", true},
                   {"of layer by layer", true},
                   {"mean bits", true},
                   {"accuracy", true},
                   {"SRAM", false}});
  for (const PatchPlanRow& row : report.rows) {
    const double share =
        static_cast<double>(row.bit_operations) / static_cast<double>(report.rows.front().bit_operations);
    table.add({row.name, grouped(row.arena_bytes), grouped(row.macs), percent(report.redundancy(row), 2),
               pretty(static_cast<double>(row.bit_operations), ""), fmt::format("{:.3f}", share),
               fmt::format("{:.2f}", row.mean_bits), row.accuracy ? percent(*row.accuracy, 2) : "not run",
               report.options.sram_bytes == 0 ? ""
               : row.fits                     ? "fits"
                                              : "does not fit"});
  }
  return table.text(style);
}

}  // namespace

double PatchPlanReport::redundancy(const PatchPlanRow& row) const {
  const auto once = static_cast<double>(rows.front().macs);
  return (static_cast<double>(row.macs) - once) / once;
}

PatchPlanReport patch_plan(TrainedModel model, const Dataset& data, const PatchPlanOptions& options) {
  return PatchPlanner(std::move(model), data, options).plan();
}

std::string patch_plan_text(const PatchPlanReport& report, const TextStyle& style) {
  const PatchPlanOptions& options = report.options;
  std::string text = fmt::format("{} on {}: the first {} layers on a grid of {} x {}, weights and all else in 8 bits\n",
                                 report.network, report.data, options.layers, options.grid, options.grid);
  text += fmt::format(
      "a patch has outliers where more than {} of its input lies beyond {:g} standard deviations ({:.3g} from {:.3g}); "
      "its feature maps keep 8 bits\n\n",
      percent(options.outliers.most_share(), 2), options.outliers.deviations,
      options.outliers.deviations * report.values.deviation, report.values.mean);
  text += branches_text(report, style) + "\n" + rows_text(report, style);
  if (report.f32_accuracy) {
    text +=
        fmt::format("accuracy of {} validation images; in f32 {}\n", report.images, percent(*report.f32_accuracy, 2));
  } else {
    text += "no image was run: the score's entropy alone stands for accuracy\n";
  }
  text += fmt::format(
      "{} changes of bits, score {:.4f} (lambda {:g}){}\n", report.found.changes, report.found.score, options.lambda,
      report.found.for_memory > 0 ? fmt::format("; {} of them for the SRAM's sake", report.found.for_memory) : "");
  if (options.sram_bytes > 0 && !report.mixed().fits) {
    text +=
        fmt::format("refused: {} B of activations and {} B reserved are more than the {} B of SRAM\n",
                    grouped(report.mixed().arena_bytes), grouped(options.reserved_bytes), grouped(options.sram_bytes));
  }
  return text;
}

Json patch_plan_json(const PatchPlanReport& report) {
  Json json{{"network", report.network},
            {"data", report.data},
            {"patch_layers", report.options.layers},
            {"patch_grid", report.options.grid},
            {"lambda", report.options.lambda},
            {"mean", report.values.mean},
            {"deviation", report.values.deviation},
            {"maps", report.maps},
            {"bits", report.found.bits},
            {"score", report.found.score},
            {"changes", report.found.changes},
            {"patch_format", report.patch_format},
            {"f32_accuracy", report.f32_accuracy ? Json(*report.f32_accuracy) : Json()},
            {"images", report.images},
            {"patches", Json::array()},
            {"plans", Json::array()}};
  for (std::size_t patch = 0; patch < report.values.branches.size(); ++patch) {
    json["patches"].push_back(
        {{"outlier_share", report.values.outlier_shares[patch]}, {"outliers", report.values.branches[patch].outliers}});
  }
  for (const PatchPlanRow& row : report.rows) {
    json["plans"].push_back({{"plan", row.name},
                             {"arena_bytes", row.arena_bytes},
                             {"macs", row.macs},
                             {"redundancy", report.redundancy(row)},
                             {"bit_operations", row.bit_operations},
                             {"mean_bits", row.mean_bits},
                             {"fits", row.fits},
                             {"accuracy", row.accuracy ? Json(*row.accuracy) : Json()}});
  }
  return json;
}

}  // namespace ridgeline
