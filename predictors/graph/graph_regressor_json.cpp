// GraphRegressor as plain numbers: signature, what its features are, shape, and every vector.

#include <cmath>
#include <stdexcept>

#include "predictors/graph/graph_regressor.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

constexpr const char* signature = "graph_regressor/1";

// Changes with the meaning of any column.
std::string features_hash() {
  Hasher hasher;
  for (const std::string& name : graph_feature_names()) hasher.add(std::string_view(name));
  return hex64(hasher.value());
}

Json numbers(const Eigen::VectorXd& values) {
  return Json(std::vector<double>(values.data(), values.data() + values.size()));
}

Json row_numbers(const Eigen::RowVectorXd& values) { return numbers(Eigen::VectorXd(values.transpose())); }

[[noreturn]] void damaged(const std::string& path, const std::string& expected, const std::string& found) {
  throw ConfigError(Problem{"graph predictor", path, expected, found, "train it again"});
}

// A list of so many finite numbers.
Eigen::VectorXd read_numbers(const Json& state, const std::string& key, Eigen::Index size) {
  const auto found = state.find(key);
  const bool list = found != state.end() && found->is_array() && found->size() == static_cast<std::size_t>(size);
  if (!list) damaged(key, "a list of " + std::to_string(size) + " numbers", "another value");
  Eigen::VectorXd values(size);
  for (Eigen::Index i = 0; i < size; ++i) {
    const Json& one = (*found)[static_cast<std::size_t>(i)];
    if (!one.is_number() || !std::isfinite(one.get<double>())) damaged(key, "finite numbers", one.dump());
    values[i] = one.get<double>();
  }
  return values;
}

double read_number(const Json& state, const std::string& key, double least) {
  const auto found = state.find(key);
  if (found == state.end() || !found->is_number() || !std::isfinite(found->get<double>()) ||
      found->get<double>() < least) {
    damaged(key, "a finite number of at least " + std::to_string(least), found == state.end() ? "none" : found->dump());
  }
  return found->get<double>();
}

Eigen::Index read_count(const Json& state, const std::string& key, double least, double most) {
  const double number = read_number(state, key, least);
  if (number > most || number != std::floor(number)) {
    damaged(key, "a whole number up to " + std::to_string(static_cast<long>(most)), state.at(key).dump());
  }
  return static_cast<Eigen::Index>(number);
}

const Json& read_list(const Json& state, const std::string& key, std::size_t least) {
  const auto found = state.find(key);
  if (found == state.end() || !found->is_array() || found->size() < least) {
    damaged(key, "a list of at least " + std::to_string(least), "another value");
  }
  return *found;
}

EncoderScale read_scale(const Json& state) {
  const auto features = static_cast<Eigen::Index>(graph_feature_names().size());
  EncoderScale scale{read_numbers(state, "feature_centre", features).transpose(),
                     read_numbers(state, "feature_spread", features).transpose(), read_number(state, "nodes", 1)};
  if (scale.spread.minCoeff() <= 0) damaged("feature_spread", "numbers above 0", "others");
  return scale;
}

}  // namespace

Json GraphRegressor::save() const {
  if (!fitted_) throw std::logic_error("a graph regressor is saved after it was fitted");
  Json spaces = Json::array(), centres = Json::array(), members = Json::array();
  for (std::size_t s = 0; s < scales_.size(); ++s) {
    Json space{{"labelled", scales_[s].labelled}, {"mean", scales_[s].mean}, {"spread", scales_[s].spread}};
    if (pretrained_) {
      space["embedding_centre"] = row_numbers(alignments_[s].centre);
      space["embedding_spread"] = row_numbers(alignments_[s].spread);
    }
    spaces.push_back(std::move(space));
  }
  for (Eigen::Index k = 0; k < clusters_.centres().rows(); ++k) {
    centres.push_back(row_numbers(clusters_.centres().row(k)));
  }
  for (const Member& member : members_) {
    Json one{{"heads", numbers(member.heads)}};
    if (member.encoder.size() > 0) one["encoder"] = numbers(member.encoder);
    members.push_back(std::move(one));
  }
  Json state{{"signature", signature},
             {"features", features_hash()},
             {"width", options_.shape.width},
             {"rounds", options_.shape.rounds},
             {"embedding", options_.shape.embedding},
             {"pretrained", pretrained_},
             {"feature_centre", row_numbers(scale_.centre)},
             {"feature_spread", row_numbers(scale_.spread)},
             {"nodes", scale_.nodes},
             {"spaces", std::move(spaces)},
             {"first_labelled", first_labelled_},
             {"centres", std::move(centres)},
             {"members", std::move(members)},
             {"left_out_error", left_out_}};
  if (pretrained_) {
    state["encoder"] = numbers(parameters_);
    state["embedding_share"] = options_.embedding_share;
    state["statistics"] = statistics();
    state["statistics_bias"] = row_numbers(statistics_bias_);
    const Eigen::Map<const Eigen::VectorXd> head(statistics_head_.data(), statistics_head_.size());
    state["statistics_head"] = numbers(head);  // embedding x statistics, row by row
  }
  return state;
}

void GraphRegressor::load(const Json& state) {
  if (!state.is_object() || state.value("signature", Json()) != signature) {
    const Json found = state.is_object() ? state.value("signature", Json()) : Json();
    damaged("signature", signature, found.is_null() ? "none" : found.dump());
  }
  if (state.value("features", Json()) != features_hash()) {
    damaged("features", features_hash() + ", this version's", state.value("features", Json()).dump());
  }
  GraphRegressorOptions options = options_;
  options.shape.width = read_count(state, "width", 1, 4096);
  options.shape.rounds = static_cast<int>(read_count(state, "rounds", 0, 64));
  options.shape.embedding = read_count(state, "embedding", 1, 4096);
  GraphRegressor other(options);
  const Eigen::Index size = options.shape.embedding;
  const Json pretrained = state.value("pretrained", Json());
  if (!pretrained.is_boolean()) damaged("pretrained", "true or false", pretrained.dump());
  other.pretrained_ = pretrained.get<bool>();
  other.scale_ = read_scale(state);
  Eigen::Index statistics = 0;
  if (other.pretrained_) {
    other.parameters_ = read_numbers(state, "encoder", other.encoder_.parameters());
    other.options_.embedding_share = read_number(state, "embedding_share", 0);
    statistics = read_count(state, "statistics", 1, 4096);
    other.statistics_bias_ = read_numbers(state, "statistics_bias", statistics).transpose();
    const Eigen::VectorXd head = read_numbers(state, "statistics_head", size * statistics);
    other.statistics_head_ = Eigen::Map<const RowMatrix>(head.data(), size, statistics);
  }
  for (const Json& space : read_list(state, "spaces", 1)) {
    const Json labelled = space.is_object() ? space.value("labelled", Json()) : Json();
    if (!labelled.is_boolean()) damaged("spaces", "\"labelled\": true or false", labelled.dump());
    other.scales_.push_back(
        {labelled.get<bool>(), read_number(space, "mean", -1e300), read_number(space, "spread", 0)});
    if (!other.pretrained_) continue;
    other.alignments_.push_back({read_numbers(space, "embedding_centre", statistics + size).transpose(),
                                 read_numbers(space, "embedding_spread", statistics + size).transpose()});
    if (other.alignments_.back().spread.minCoeff() <= 0) damaged("embedding_spread", "numbers above 0", "others");
  }
  other.first_labelled_ =
      static_cast<std::size_t>(read_count(state, "first_labelled", 0, static_cast<double>(other.scales_.size()) - 1));
  const Json& centres = read_list(state, "centres", 0);
  const Eigen::Index shared = other.shared();
  RowMatrix rows(static_cast<Eigen::Index>(centres.size()), shared);
  for (std::size_t k = 0; k < centres.size(); ++k) {
    rows.row(static_cast<Eigen::Index>(k)) = read_numbers({{"centres", centres[k]}}, "centres", shared).transpose();
  }
  other.clusters_ = FuzzyClusters(std::move(rows));
  for (const Json& member : read_list(state, "members", 1)) {
    if (!member.is_object()) damaged("members", "objects", member.dump());
    Member one;
    const auto adapters = static_cast<Eigen::Index>(other.alignments_.size()) * size;
    one.heads = read_numbers(member, "heads", other.clusters_.count() * (shared + 1) + adapters);
    if (member.contains("encoder") || !other.pretrained_) {
      one.encoder = read_numbers(member, "encoder", other.encoder_.parameters());
    }
    other.members_.push_back(std::move(one));
  }
  other.left_out_ = read_number(state, "left_out_error", 0);
  other.fitted_ = true;
  *this = std::move(other);
}

}  // namespace ridgeline
