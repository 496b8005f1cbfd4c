#include "experiments/other_costs.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "experiments/device_costs.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t pool_size = 300;

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    if (end > begin) words.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

}  // namespace

std::string OtherCostSource::text() const {
  return fmt::format("{}{}{}", table, table.empty() ? "" : ":", fmt::join(names, ","));
}

// A path may hold a colon, a value's name does not.
OtherCostSource OtherCostSource::parse(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return {"", words_of(text)};
  return {text.substr(0, colon), words_of(text.substr(colon + 1))};
}

OtherCosts::OtherCosts(const SearchSpace& space, const Resources& resources, OtherCostSource source,
                       std::optional<std::string> precision)
    : space_(&space), source_(std::move(source)), precision_(std::move(precision)) {
  if (source_.names.empty()) {
    throw ConfigError({"--from", "",
                       "devices, or a table's values: pixel_6,raspberry_pi_4, nasbench201:latency_s_pixel3",
                       "'" + source_.text() + "'", "ridgeline device list shows devices"});
  }
  Hasher hash;
  if (!source_.table.empty()) {
    table_ = Table::load(resources.table(source_.table), resources, space.whole());
    for (const std::string& name : source_.names) {
      columns_.push_back(table_->column(name));
      hash.add(table_->fingerprint(columns_.back()));
    }
    if (!(pool().minCoeff() > 0)) {
      throw ConfigError({"--from", "", "values that are positive", source_.text(), "name costs alone"});
    }
  } else {
    DeviceCosts files;
    for (const std::string& name : source_.names) {
      const std::string path = resources.device(name);
      models_.push_back(load_device(path));
      hash.add(files.fingerprint(path));
    }
  }
  fingerprint_ = hash.value();
}

std::optional<double> OtherCosts::cost(const Genome& genome, const Design* design, std::size_t k) const {
  if (table_) return table_->value(space_->in_whole(genome), columns_[k]);
  const Cost cost = models_[k]->estimate(*design);
  if (!cost.problem().empty() || !(cost.latency_s > 0)) return std::nullopt;
  return cost.latency_s;
}

Eigen::MatrixXd OtherCosts::rows(std::span<const Genome> genomes) const {
  Eigen::MatrixXd rows(static_cast<Eigen::Index>(genomes.size()), static_cast<Eigen::Index>(source_.names.size()));
  for (std::size_t i = 0; i < genomes.size(); ++i) {
    auto row = rows.row(static_cast<Eigen::Index>(i));
    row.setConstant(std::numeric_limits<double>::quiet_NaN());
    std::optional<Design> design;
    try {
      if (!table_) design = space_->decode(genomes[i]);
      if (design && precision_) design->precision = PrecisionPlan::uniform(design->network, *precision_);
    } catch (const ConfigError&) {  // the study will find the same, and say why
      continue;
    }
    Eigen::RowVectorXd known(row.size());
    bool all = true;
    for (std::size_t k = 0; k < source_.names.size() && all; ++k) {
      const std::optional<double> one = cost(genomes[i], design ? &*design : nullptr, k);
      all = one.has_value();
      known[static_cast<Eigen::Index>(k)] = one.value_or(0.0);
    }
    if (all) row = known;
  }
  return rows;
}

Eigen::MatrixXd OtherCosts::pool() const {
  Eigen::MatrixXd all;
  if (table_) {
    const std::vector<Genome> genomes = table_->genomes();  // of the whole space
    all.resize(static_cast<Eigen::Index>(genomes.size()), static_cast<Eigen::Index>(columns_.size()));
    for (std::size_t i = 0; i < genomes.size(); ++i) {
      for (std::size_t k = 0; k < columns_.size(); ++k) {
        all(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(k)) =
            table_->value(genomes[i], columns_[k]).value();
      }
    }
    return all;
  }
  std::vector<Genome> genomes;
  Rng rng(1, "costs on other devices");
  while (genomes.size() < pool_size) genomes.push_back(space_->sample(rng));
  all = rows(genomes);
  std::vector<Eigen::Index> known;
  for (Eigen::Index i = 0; i < all.rows(); ++i) {
    if (all.row(i).allFinite()) known.push_back(i);
  }
  return all(known, Eigen::all);
}

}  // namespace ridgeline
