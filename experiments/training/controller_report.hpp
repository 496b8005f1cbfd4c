// What a controller has found, as a checkpoint holds it: the most likely candidate beside its cost target and beside
// each format everywhere. Pure functions of the checkpoint.
#pragma once

#include <string>

#include "experiments/training/training_report.hpp"

namespace ridgeline {

// The choice of a uniform candidate that is at least as cheap and as accurate as the most likely one, and better in one
// of the two; empty: it is on their front. `found`: Controller::found.
std::string dominating_choice(const Json& found);

// What takes the most likely candidate out of the supernet at `path`.
std::string controller_extract_command(const ModelCheckpoint& checkpoint, const std::string& path);

// All of these are empty, or null, for a checkpoint of a training that no controller leads; before its end there is
// nothing found yet.
std::string controller_text(const ModelCheckpoint& checkpoint, const std::string& path, const TextStyle& style);
Facts controller_facts(const ModelCheckpoint& checkpoint, const std::string& path);
Json controller_json(const ModelCheckpoint& checkpoint, const std::string& path);

}  // namespace ridgeline
