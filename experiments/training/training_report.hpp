// What a checkpoint says of its training: how loss and accuracy went, what was trained on which data, how, and the
// command that does it again. Computed once for every form it is written in. Pure functions of the checkpoint.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/report/report_text.hpp"
#include "experiments/training/checkpoint.hpp"

namespace ridgeline {

struct TrainingReport {
  std::string path;            // of the checkpoint
  ModelCheckpoint checkpoint;  // without its numbers: `state` is empty
  int epochs = 0;              // that the training has in all
  std::int64_t parameters = 0;
  std::optional<std::int64_t> macs;  // of one image, of a supernet's largest candidate; nothing without the space
  std::string space_name;            // as its file has it
  std::string space_problem;         // why the network cannot be shown, where it cannot
  std::vector<std::pair<std::string, std::string>> choices;  // of the genome, repeats joined
  std::optional<std::size_t> best;  // of `history`: the highest validation accuracy, the first of equal ones
  std::string command;              // train_command

  const std::vector<EpochRecord>& history() const { return checkpoint.history; }
};

// A space that is gone or has changed is no error: see `space_problem`. Throws ConfigError for what is no checkpoint.
TrainingReport training_report_of(const std::string& path, const Resources& resources);

std::string training_report_text(const TrainingReport& report, const TextStyle& style);
std::string training_report_markdown(const TrainingReport& report);
std::string training_report_csv(const TrainingReport& report);  // an epoch a line, RFC 4180
Json training_report_json(const TrainingReport& report);
// One file that opens offline, as report_html.
std::string training_report_html(const TrainingReport& report);

// Phrases without markup, shared by the forms.
using Facts = std::vector<std::pair<std::string, std::string>>;
std::string training_summary(const TrainingReport& report);  // one or two sentences
std::string training_note(const TrainingReport& report);     // what the curves are means of
Facts model_facts(const TrainingReport& report);
Facts data_facts(const TrainingReport& report);
Facts configuration_facts(const TrainingReport& report);
std::vector<std::size_t> shown_epochs(const TrainingReport& report, std::size_t most);  // evenly spaced, the last too
std::vector<std::string> epoch_headings(const TrainingReport& report);
std::vector<std::string> epoch_cells(const TrainingReport& report, const EpochRecord& one);  // one a heading
// What is to be typed to train the same again into `path`, in the folder where it was typed first.
std::string train_command(const ModelCheckpoint& checkpoint, const std::string& path);

}  // namespace ridgeline
