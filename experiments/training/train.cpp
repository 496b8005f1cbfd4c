#include "experiments/training/train.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>

#include "experiments/training/controller.hpp"
#include "experiments/training/learner.hpp"
#include "experiments/whole_file.hpp"
#include "kernels/pinning.hpp"
#include "kernels/training/rounding_sites.hpp"
#include "spaces/config_error.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// One distribution a row: the label's, smoothed, mixed with that of the image mixed in.
std::vector<float> targets_of(const ImageBatch& batch, std::size_t classes, double smoothing) {
  std::vector<float> targets = smoothed_targets(batch.labels, classes, smoothing);
  if (batch.others.empty()) return targets;
  const std::vector<float> others = smoothed_targets(batch.others, classes, smoothing);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const float share = batch.shares[i / classes];
    targets[i] = share * targets[i] + (1.0F - share) * others[i];
  }
  return targets;
}

class Training {
 public:
  Training(ModelSource model, const Resources& resources, const TrainConfig& config, const std::string& path,
           const TrainHooks& hooks)
      : config_(config),
        path_(path),
        hooks_(hooks),
        data_(load_dataset(config.data)),
        space_(fitted_space(model, resources)) {
    if (data_.train.size() < static_cast<std::size_t>(config.batch)) {
      throw ConfigError(Problem{"--batch", "", fmt::format("at most {} images", data_.train.size()),
                                std::to_string(config.batch), "the data set has no more"});
    }
    const auto precise = [](const Dimension& dimension) { return dimension.group == GeneGroup::precision; };
    if (config.quantize && config.quantize->formats == by_genes && std::ranges::none_of(space_.dims(), precise)) {
      throw ConfigError(Problem{"--quantize", "", "number formats such as int8, or a space with precision genes",
                                fmt::format("'{}' for space '{}', which has none", by_genes, space_.name()), ""});
    }
    LearnerSetup setup{space_, data_, config_, descent_options(data_.train.size() / config.batch)};
    const std::optional<ModelCheckpoint> from = checkpoint_to_begin_with(model, resources);
    if (from) setup.from = &*from;
    controller_ = controller_of(model, resources, setup.descent.total_steps);
    setup.controller = controller_.get();
    learner_ = model.supernet() ? make_supernet_learner(setup) : make_candidate_learner(setup, model.genome);
    start_checkpoint(model);
    if (from) result_.checkpoint.training["from"] = hex64(parameters_hash(from->state));
  }

  TrainResult run() {
    const PinnedThreads pinned(config_.threads);
    const ImageBatches batches(data_.train, data_.normalisation, batch_options());
    result_.parameters = learner_->parameters();
    result_.macs = learner_->macs();
    resume();
    const std::string note = learner_->note();
    if (hooks_.note && !note.empty()) hooks_.note(note);
    while (result_.checkpoint.epochs_done < config_.epochs && !stopped()) {
      EpochRecord record = train_epoch(batches);
      if (stopped()) break;
      learner_->validate(record);
      if (controller_) record.policy_entropy = controller_->entropy_share();
      finish_epoch(record);
    }
    result_.stopped = result_.checkpoint.epochs_done < config_.epochs;
    if (!result_.stopped && result_.resumed_at < config_.epochs) result_.step_times = learner_->step_times();
    return std::move(result_);
  }

 private:
  SearchSpace fitted_space(ModelSource& model, const Resources& resources) const {
    fit_to_data(model, data_, resources);
    return ridgeline::open_space(model, resources, config_.batch);
  }
  std::unique_ptr<Controller> controller_of(const ModelSource& model, const Resources& resources,
                                            std::uint64_t total_steps) const {
    if (!config_.controller) return nullptr;
    if (!model.supernet() || !config_.quantize || config_.quantize->formats != by_genes) {
      throw ConfigError(Problem{"--controller", "", "a supernet trained through each candidate's own formats",
                                model.supernet() ? "one trained through the same formats, or none" : "one network",
                                "add --supernet --quantize genes"});
    }
    return std::make_unique<Controller>(model, resources, *config_.controller, config_.seed, total_steps);
  }
  static std::uint64_t parameters_hash(const TrainingState& state) {
    const std::vector<float>& all = state.averaged.empty() ? state.parameters : state.averaged;
    return Hasher()
        .add(std::string_view(reinterpret_cast<const char*>(all.data()), all.size() * sizeof(float)))
        .value();
  }
  std::optional<ModelCheckpoint> checkpoint_to_begin_with(const ModelSource& model, const Resources& resources) const {
    if (config_.from.empty()) return std::nullopt;
    const std::string path = resources.checkpoint(config_.from);
    ModelCheckpoint from = read_checkpoint(path);
    const auto refuse = [&](const std::string& what, const std::string& expected, const std::string& there) {
      throw ConfigError(Problem{path, what, expected, there, "begin with another checkpoint, or without --from"});
    };
    const auto kind = [](const ModelSource& source) { return source.supernet() ? "a supernet" : "one network"; };
    if (from.model.supernet() != model.supernet()) refuse("model", kind(model), kind(from.model));
    if (from.space_fingerprint != space_.fingerprint()) {
      refuse("space", fmt::format("space '{}' {}", space_.name(), hex64(space_.fingerprint())),
             fmt::format("space '{}' {}", from.model.space, hex64(from.space_fingerprint)));
    }
    if (!model.supernet()) {
      const std::uint64_t ours = structural_hash(with_batch(space_.decode(model.genome).network, 1));
      if (from.network_hash != ours) refuse("network", hex64(ours), hex64(from.network_hash));
    }
    return from;
  }
  bool stopped() const { return hooks_.stop != nullptr && hooks_.stop->load(); }
  std::size_t classes() const { return data_.class_names.size(); }

  BatchOptions batch_options() const {
    return {.size = static_cast<std::size_t>(config_.batch),
            .seed = config_.seed,
            .shuffle = true,
            .drop_last = true,
            .augment = config_.augment};
  }

  DescentOptions descent_options(std::size_t steps_an_epoch) const {
    DescentOptions options;
    options.optimizer = config_.optimizer;
    options.schedule.kind = config_.schedule;
    options.schedule.power = config_.schedule_power;
    options.schedule.warmup_steps =
        static_cast<std::uint64_t>(std::lround(config_.warmup_epochs * static_cast<double>(steps_an_epoch)));
    options.learning_rate = config_.learning_rate;
    options.total_steps = static_cast<std::uint64_t>(config_.epochs) * steps_an_epoch;
    options.clip_norm = config_.clip_norm;
    options.average_decay = config_.average_decay;
    return options;
  }

  void start_checkpoint(const ModelSource& model) {
    ModelCheckpoint& checkpoint = result_.checkpoint;
    checkpoint.model = model;
    checkpoint.space_fingerprint = space_.fingerprint();
    checkpoint.network_hash = learner_->network_hash();
    checkpoint.training = train_config_json(config_);
    if (controller_ && controller_->costs_fingerprint() != 0) {
      checkpoint.training["controller"]["device_fingerprint"] = hex64(controller_->costs_fingerprint());
    }
    checkpoint.data_name = data_.name;
    checkpoint.data_path = config_.data;
    checkpoint.data_fingerprint = data_.fingerprint;
    checkpoint.mean = data_.normalisation.mean;
    checkpoint.stddev = data_.normalisation.stddev;
    checkpoint.class_names = data_.class_names;
  }

  void resume() {
    if (!std::filesystem::exists(path_)) return;
    ModelCheckpoint found = read_checkpoint(path_);
    const ModelCheckpoint& ours = result_.checkpoint;
    const auto refuse = [&](const std::string& what, const std::string& expected, const std::string& there) {
      throw ConfigError(Problem{path_, what, expected, there,
                                "it is the checkpoint of another training; write to another file with --out"});
    };
    if (is_extracted(found)) refuse("training", "a training of its own", "a candidate taken out of a supernet");
    if (found.data_fingerprint != ours.data_fingerprint) {
      refuse("data", fmt::format("'{}' {}", ours.data_name, hex64(ours.data_fingerprint)),
             fmt::format("'{}' {}", found.data_name, hex64(found.data_fingerprint)));
    }
    for (const char* key : {"quantize", "from", "controller"}) {
      if (found.training.contains(key) && !ours.training.contains(key)) {
        refuse(fmt::format("training.{}", key), "none", found.training[key].dump());
      }
    }
    for (const auto& [key, value] : ours.training.items()) {
      const Json there = found.training.value(key, Json());
      if (there != value) refuse("training." + key, value.dump(), there.dump());
    }
    // Last: what is trained through other formats is another network too.
    if (found.network_hash != ours.network_hash) refuse("network", hex64(ours.network_hash), hex64(found.network_hash));
    try {
      if (found.epochs_done < config_.epochs) {
        learner_->load(found.state);
        if (controller_) controller_->load(found.controller);
      }
    } catch (const std::invalid_argument& problem) {
      refuse("sections", "a state of this network", problem.what());
    }
    result_.resumed_at = found.epochs_done;
    result_.checkpoint = std::move(found);
  }

  EpochRecord train_epoch(const ImageBatches& batches) {
    EpochRecord record;
    record.epoch = result_.checkpoint.epochs_done + 1;
    learner_->begin_epoch(record.epoch);
    const ImageEpoch epoch = batches.epoch(static_cast<std::uint64_t>(record.epoch));
    const Clock::time_point start = Clock::now();
    ImageBatch batch;
    double loss = 0;
    std::size_t right = 0, seen = 0;
    for (std::size_t i = 0; i < epoch.batches() && !stopped(); ++i) {
      epoch.fill(i, batch);
      const std::vector<float> targets = targets_of(batch, classes(), config_.label_smoothing);
      const LossTerm term{targets};
      const TrainingStep step = learner_->step(batch, {&term, 1});
      loss += step.loss;
      right += right_answers(learner_->logits(), batch.labels, classes());
      seen += batch.size;
      record.learning_rate = step.learning_rate;
      record.train_loss = loss / static_cast<double>(i + 1);
      record.train_accuracy = static_cast<double>(right) / static_cast<double>(seen);
      record.seconds = seconds_since(start);
      if (hooks_.progress) hooks_.progress(progress_of(record, i + 1, epoch.batches(), seen));
    }
    return record;
  }

  TrainProgress progress_of(const EpochRecord& record, std::size_t step, std::size_t steps, std::size_t seen) const {
    const double rate = static_cast<double>(seen) / std::max(record.seconds, 1e-9);
    const double left = static_cast<double>(steps - step) +
                        static_cast<double>(config_.epochs - record.epoch) * static_cast<double>(steps);
    return {record.epoch,      config_.epochs,        step, steps,
            record.train_loss, record.train_accuracy, rate, left * static_cast<double>(config_.batch) / rate};
  }

  void finish_epoch(const EpochRecord& record) {
    ModelCheckpoint& checkpoint = result_.checkpoint;
    checkpoint.epochs_done = record.epoch;
    checkpoint.history.push_back(record);
    checkpoint.state = record.epoch < config_.epochs ? learner_->save() : learner_->finished();
    if (controller_) {
      checkpoint.controller = controller_->save();
      if (record.epoch == config_.epochs) {
        checkpoint.controller["found"] = controller_->found([&](const Genome& one) { return learner_->accuracy(one); });
      }
    }
    write_checkpoint(path_, checkpoint);
    if (hooks_.epoch_done) hooks_.epoch_done(record);
  }

  const TrainConfig& config_;
  const std::string& path_;
  const TrainHooks& hooks_;
  Dataset data_;
  SearchSpace space_;
  std::unique_ptr<Controller> controller_;
  std::unique_ptr<Learner> learner_;
  TrainResult result_;
};

}  // namespace

std::size_t right_answers(std::span<const float> logits, std::span<const std::int32_t> labels, std::size_t classes) {
  std::size_t right = 0;
  for (std::size_t r = 0; r < labels.size(); ++r) {
    const auto row = logits.subspan(r * classes, classes);
    right += std::max_element(row.begin(), row.end()) - row.begin() == labels[r] ? 1 : 0;
  }
  return right;
}

Json controller_config_json(const ControllerConfig& config) {
  Json json{{"cost", config.cost},
            {"target", config.target},
            {"weight", config.weight},
            {"from", config.from},
            {"dims", config.all ? "all" : "precision"},
            {"learning_rate", config.learning_rate},
            {"entropy", config.entropy}};
  if (!config.device.empty()) json["device"] = config.device;
  return json;
}

Json supernet_config_json(const SupernetConfig& config) {
  Json phases = Json::array();
  for (const ShrinkPhase& phase : config.phases) {
    phases.push_back({{"epochs", phase.epochs}, {"open", phase.all_open ? Json("all") : Json(phase.open)}});
  }
  return {{"candidates", config.candidates},
          {"sandwich", config.sandwich},
          {"distillation", config.distillation},
          {"phases", std::move(phases)}};
}

Json train_config_json(const TrainConfig& config) {
  const OptimizerOptions& optimizer = config.optimizer;
  Json json{{"epochs", config.epochs},
            {"batch", config.batch},
            {"optimizer",
             {{"kind", optimizer.kind},
              {"momentum", optimizer.momentum},
              {"nesterov", optimizer.nesterov},
              {"beta1", optimizer.beta1},
              {"beta2", optimizer.beta2},
              {"weight_decay", optimizer.weight_decay}}},
            {"schedule", config.schedule},
            {"warmup_epochs", config.warmup_epochs},
            {"schedule_power", config.schedule_power},
            {"learning_rate", config.learning_rate},
            {"clip_norm", config.clip_norm},
            {"average_decay", config.average_decay},
            {"label_smoothing", config.label_smoothing},
            {"augment",
             {{"crop_padding", config.augment.crop_padding},
              {"flip", config.augment.flip},
              {"cutout", config.augment.cutout},
              {"mixup_alpha", config.augment.mixup_alpha}}},
            {"format", config.format.text()},
            {"threads", config.threads},
            {"seed", config.seed}};
  if (config.supernet) json["supernet"] = supernet_config_json(*config.supernet);
  if (config.quantize) {
    json["quantize"] = {{"formats", config.quantize->formats},
                        {"by", rounding_way_names()[static_cast<std::size_t>(config.quantize->way)]}};
  }
  if (config.controller) json["controller"] = controller_config_json(*config.controller);
  return json;
}

void fit_to_data(ModelSource& model, const Dataset& data, const Resources& resources) {
  const std::string text = read_whole_file(resources.space(model.space), {.kind = "space"});
  const Json space = Json::parse(text, nullptr, false, true);
  if (!space.is_object() || !space.contains("parameters")) return;
  const auto fill = [&](const char* name, std::int64_t value) {
    if (space["parameters"].contains(name)) model.parameters.try_emplace(name, value);
  };
  fill("classes", static_cast<std::int64_t>(data.class_names.size()));
  fill("channels", data.train.shape().channels);
  if (data.train.shape().height == data.train.shape().width) fill("resolution", data.train.shape().height);
}

TrainResult train_model(ModelSource model, const Resources& resources, const TrainConfig& config,
                        const std::string& path, const TrainHooks& hooks) {
  return Training(std::move(model), resources, config, path, hooks).run();
}

}  // namespace ridgeline
