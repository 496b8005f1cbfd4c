#include "experiments/training/checkpoint.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <bit>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "experiments/whole_file.hpp"
#include "kernels/executable.hpp"
#include "kernels/training/rounding_sites.hpp"
#include "spaces/config_error.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

static_assert(std::endian::native == std::endian::little, "checkpoints are little-endian");

const std::string signature = "RIDGELINE CHECKPOINT\n";
constexpr int version = 3;  // the newest that is read
constexpr std::size_t hash_digits = 16;

[[noreturn]] void refuse(const std::string& path, const std::string& place, const std::string& expected,
                         const std::string& found, const std::string& remedy = {}) {
  throw ConfigError(Problem{path, place, expected, found, remedy});
}

std::vector<EpochRecord> history_of(const Json& list) {
  std::vector<EpochRecord> history;
  for (const Json& one : list) {
    history.push_back({one.at("epoch").get<int>(), one.at("train_loss").get<double>(),
                       one.at("train_accuracy").get<double>(), one.at("validation_loss").get<double>(),
                       one.at("validation_accuracy").get<double>(), one.at("learning_rate").get<double>(),
                       one.at("seconds").get<double>(), std::nullopt, std::nullopt});
    if (one.contains("smallest_accuracy")) history.back().smallest_accuracy = one["smallest_accuracy"].get<double>();
    if (one.contains("policy_entropy")) history.back().policy_entropy = one["policy_entropy"].get<double>();
  }
  return history;
}

// The sections in file order. The moments of the optimizer come last; a training that has ended keeps none.
std::vector<const std::vector<float>*> sections_of(const TrainingState& state) {
  std::vector<const std::vector<float>*> sections{&state.parameters, &state.averaged, &state.statistics};
  for (const std::vector<float>& moment : state.optimizer.moments) sections.push_back(&moment);
  return sections;
}

Json header_of(const ModelCheckpoint& checkpoint) {
  Json lengths = Json::array();
  for (const std::vector<float>* section : sections_of(checkpoint.state)) lengths.push_back(section->size());
  const int needed = !checkpoint.controller.is_null() ? 3 : checkpoint.training.contains("quantize") ? 2 : 1;
  Json header{{"version", needed},
              {"model",
               {{"space", checkpoint.model.space},
                {"parameters", checkpoint.model.parameters},
                {"genes", checkpoint.model.genome.genes},
                {"space_fingerprint", hex64(checkpoint.space_fingerprint)},
                {"network", hex64(checkpoint.network_hash)}}},
              {"training", checkpoint.training},
              {"data",
               {{"name", checkpoint.data_name},
                {"path", checkpoint.data_path},
                {"fingerprint", hex64(checkpoint.data_fingerprint)},
                {"mean", checkpoint.mean},
                {"stddev", checkpoint.stddev},
                {"classes", checkpoint.class_names}}},
              {"epochs_done", checkpoint.epochs_done},
              {"steps", checkpoint.state.optimizer.steps},
              {"history", history_json(checkpoint.history)},
              {"sections", lengths}};
  if (!checkpoint.controller.is_null()) header["controller"] = checkpoint.controller;
  return header;
}

std::uint64_t number_of(const Json& digits) { return std::stoull(digits.get<std::string>(), nullptr, 16); }

// Everything of the header but the sections.
ModelCheckpoint checkpoint_of(const Json& header) {
  ModelCheckpoint checkpoint;
  const Json &model = header.at("model"), &data = header.at("data");
  checkpoint.model.space = model.at("space").get<std::string>();
  checkpoint.model.parameters = model.at("parameters").get<std::map<std::string, Json>>();
  checkpoint.model.genome.genes = model.at("genes").get<std::vector<std::uint16_t>>();
  checkpoint.space_fingerprint = number_of(model.at("space_fingerprint"));
  checkpoint.network_hash = number_of(model.at("network"));
  checkpoint.training = header.at("training");
  checkpoint.data_name = data.at("name").get<std::string>();
  checkpoint.data_path = data.value("path", "");
  checkpoint.data_fingerprint = number_of(data.at("fingerprint"));
  checkpoint.mean = data.at("mean").get<std::vector<float>>();
  checkpoint.stddev = data.at("stddev").get<std::vector<float>>();
  checkpoint.class_names = data.at("classes").get<std::vector<std::string>>();
  checkpoint.epochs_done = header.at("epochs_done").get<int>();
  checkpoint.state.optimizer.steps = header.at("steps").get<std::uint64_t>();
  checkpoint.history = history_of(header.at("history"));
  checkpoint.controller = header.value("controller", Json());
  return checkpoint;
}

void read_sections(const std::string& path, const Json& lengths, std::string_view body, TrainingState& state) {
  std::vector<std::size_t> sizes;
  std::size_t floats = 0;
  const std::size_t held = body.size() / sizeof(float);
  for (const Json& length : lengths) {
    sizes.push_back(length.get<std::size_t>());
    if (sizes.back() > held || (floats += sizes.back()) > held) break;
  }
  if (sizes.size() != lengths.size() || floats * sizeof(float) != body.size() || sizes.size() < 3) {
    refuse(path, "sections", fmt::format("{} bytes of numbers", floats * sizeof(float)),
           fmt::format("{} bytes", body.size()), "the file is cut or damaged; take another copy or train again");
  }
  state.optimizer.moments.resize(sizes.size() - 3);
  std::size_t offset = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    std::vector<float>& section = i == 0   ? state.parameters
                                  : i == 1 ? state.averaged
                                  : i == 2 ? state.statistics
                                           : state.optimizer.moments[i - 3];
    section.resize(sizes[i]);
    if (sizes[i] > 0) std::memcpy(section.data(), body.data() + offset, sizes[i] * sizeof(float));
    offset += sizes[i] * sizeof(float);
  }
}

}  // namespace

Json history_json(const std::vector<EpochRecord>& history) {
  Json list = Json::array();
  for (const EpochRecord& one : history) {
    list.push_back({{"epoch", one.epoch},
                    {"train_loss", one.train_loss},
                    {"train_accuracy", one.train_accuracy},
                    {"validation_loss", one.validation_loss},
                    {"validation_accuracy", one.validation_accuracy},
                    {"learning_rate", one.learning_rate},
                    {"seconds", one.seconds}});
    if (one.smallest_accuracy) list.back()["smallest_accuracy"] = *one.smallest_accuracy;
    if (one.policy_entropy) list.back()["policy_entropy"] = *one.policy_entropy;
  }
  return list;
}

void write_checkpoint(const std::string& path, const ModelCheckpoint& checkpoint) {
  std::string text = signature + header_of(checkpoint).dump() + "\n";
  for (const std::vector<float>* section : sections_of(checkpoint.state)) {
    text.append(reinterpret_cast<const char*>(section->data()), section->size() * sizeof(float));
  }
  text += hex64(Hasher().add(text).value());
  std::error_code error;
  const std::filesystem::path target = std::filesystem::weakly_canonical(path, error);  // a link stays one
  if (std::filesystem::exists(target, error) && !std::filesystem::is_regular_file(target, error)) {
    refuse(path, "", "a file, or a new name", "a folder, a pipe or a device", "name another one");
  }
  const std::string unfinished = fmt::format("{}.{}.new", target.string(), getpid());
  std::ofstream file(unfinished, std::ios::binary);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (file) std::filesystem::rename(unfinished, target, error);
  if (file && !error) return;
  std::remove(unfinished.c_str());
  refuse(path, "", "a checkpoint that can be written", file ? error.message() : std::strerror(errno),
         "name a folder that exists, may be written to and has room");
}

bool is_checkpoint(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;  // reading a pipe would wait
  std::ifstream file(path, std::ios::binary);
  std::string start(signature.size(), '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  return file && start == signature;
}

ModelCheckpoint read_checkpoint(const std::string& path) {
  const std::string text = read_whole_file(path, {.kind = "checkpoint", .regular = true});
  if (!text.starts_with(signature)) {
    refuse(path, "", "a checkpoint that 'ridgeline train' has written", "another file");
  }
  const std::size_t line = text.find('\n', signature.size());
  const bool whole = line != std::string::npos && text.size() >= line + 1 + hash_digits;
  const std::string_view hashed = std::string_view(text).substr(0, whole ? text.size() - hash_digits : 0);
  const Json header = Json::parse(whole ? text.substr(signature.size(), line - signature.size()) : "", nullptr, false);
  const int found = header.is_object() ? header.value("version", 0) : 0;
  if (found > version) {
    refuse(path, "version", fmt::format("at most {}", version), std::to_string(found), "use a newer ridgeline");
  }
  if (!whole || found < 1 || text.substr(hashed.size()) != hex64(Hasher().add(hashed).value())) {
    refuse(path, "", "a whole checkpoint", "one that is cut or damaged", "take another copy or train again");
  }
  try {
    ModelCheckpoint checkpoint = checkpoint_of(header);
    read_sections(path, header.at("sections"), hashed.substr(line + 1), checkpoint.state);
    return checkpoint;
  } catch (const Json::exception& problem) {
    refuse(path, "header", "the keys of a checkpoint", problem.what());
  } catch (const std::logic_error& problem) {
    refuse(path, "header", "hexadecimal fingerprints", problem.what());
  }
}

SearchSpace open_space(const ModelSource& model, const Resources& resources, std::int64_t batch) {
  return resources.load_space(model.space, {.batch = batch, .parameters = model.parameters});
}

TrainingState without_history(TrainingState state) {
  if (!state.averaged.empty()) state.parameters = std::move(state.averaged);
  state.averaged.clear();
  state.optimizer.moments.clear();
  return state;
}

Weights weights_of(const Network& network, const TrainingState& state, const PrecisionPlan& plan) {
  Weights weights(network.size());
  const std::vector<float>& parameters = state.averaged.empty() ? state.parameters : state.averaged;
  if (parameters.size() != parameter_count(parameter_blocks(network, plan))) {
    throw std::invalid_argument("parameters are not those of the network");
  }
  unflatten(network, std::span(parameters).first(parameter_count(parameter_blocks(network))), weights);
  auto next = state.statistics.begin();
  for (const ParameterBlock& block : parameter_blocks(network)) {
    if (network.op(block.node).kind != OpKind::batch_norm || block.kind != ParameterBlock::Kind::scale) continue;
    const auto width = static_cast<std::ptrdiff_t>(block.size);
    if (state.statistics.end() - next < 2 * width) throw std::invalid_argument("statistics are of another network");
    weights[block.node].mean.assign(next, next + width);
    weights[block.node].variance.assign(next + width, next + 2 * width);
    next += 2 * width;
  }
  if (next != state.statistics.end()) throw std::invalid_argument("statistics are of another network");
  return weights;
}

std::string trained_formats(const ModelCheckpoint& checkpoint) {
  return checkpoint.training.value("/quantize/formats"_json_pointer, std::string());
}

LoadedModel loaded_model(ModelCheckpoint checkpoint, Network network, const PrecisionPlan& precision) {
  PrecisionPlan plan = trained_plan({network, precision}, trained_formats(checkpoint));
  Weights weights = weights_of(network, checkpoint.state, plan);
  const TrainingState& state = checkpoint.state;
  const std::vector<float>& all = state.averaged.empty() ? state.parameters : state.averaged;
  const auto own = static_cast<std::ptrdiff_t>(parameter_count(parameter_blocks(network)));
  std::vector<float> ranges(all.begin() + own, all.end());
  return {std::move(checkpoint), std::move(network), std::move(weights), std::move(plan), std::move(ranges)};
}

LoadedModel load_model(const std::string& path, const Resources& resources) {
  ModelCheckpoint checkpoint = read_checkpoint(path);
  if (checkpoint.model.supernet()) {
    refuse(path, "model", "one network", "a supernet",
           "take a candidate out of it: ridgeline extract " + path + " --genome ... --out candidate.ckpt");
  }
  const SearchSpace space = open_space(checkpoint.model, resources);
  const std::string again = "train again, or take the space file that it was trained with";
  if (const auto wrong = space.violation(checkpoint.model.genome)) {
    refuse(path, "genome", "a candidate of space '" + space.name() + "'", *wrong, again);
  }
  const Design decoded = space.decode(checkpoint.model.genome);
  const Network& network = decoded.network;
  const std::uint64_t hash = structural_hash(network);
  if (hash != checkpoint.network_hash) {
    refuse(path, "network", fmt::format("network {} of space '{}'", hex64(hash), space.name()),
           hex64(checkpoint.network_hash), "the space has changed since; " + again);
  }
  try {
    return loaded_model(std::move(checkpoint), network, decoded.precision);
  } catch (const Unsupported& problem) {
    refuse(path, "training.quantize", "formats that are trained through", problem.what(), again);
  } catch (const std::invalid_argument& problem) {
    refuse(path, "sections", "as many numbers as the network has", problem.what(), again);
  }
}

}  // namespace ridgeline
