#include "experiments/training/controller_report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/report/report_markup.hpp"

namespace ridgeline {
namespace {

double target_of(const ModelCheckpoint& checkpoint) { return checkpoint.training.at("controller").at("target"); }

std::string cost_name(const ModelCheckpoint& checkpoint) {
  const Json& config = checkpoint.training.at("controller");
  const std::string name = config.at("cost");
  return config.contains("device") ? fmt::format("{} on {}", name, config["device"].get<std::string>()) : name;
}

const Json* found_of(const ModelCheckpoint& checkpoint) {
  const auto found = checkpoint.controller.find("found");
  return found == checkpoint.controller.end() ? nullptr : &*found;
}

std::string target_text(const ModelCheckpoint& checkpoint) {
  return fmt::format("{} near {:.6g}", cost_name(checkpoint), target_of(checkpoint));
}

// The policy is uniform until it learns.
std::string entropy_text(const ModelCheckpoint& checkpoint) {
  const std::optional<double> last =
      checkpoint.history.empty() ? std::nullopt : checkpoint.history.back().policy_entropy;
  return fmt::format("100 % at first, {} after {} epochs", percent(last.value_or(1.0), 1), checkpoint.epochs_done);
}

std::string front_text(const Json& found) {
  if (found.at("uniform").empty()) return "no format is a choice of every layer";
  const std::string better = dominating_choice(found);
  return better.empty() ? "no format everywhere is as cheap and as accurate"
                        : fmt::format("{} everywhere is as cheap and as accurate, or better", better);
}

std::string layer_text(const Json& layer) {
  const std::string weights = layer.at("weights"), activations = layer.at("activations");
  return weights == activations ? weights : fmt::format("{}/{}", weights, activations);
}

std::string candidate_text(const Json& one, double target) {
  const double cost = one.at("cost");
  return fmt::format("cost {:.6g} ({} of the target), validation accuracy {}", cost, percent(cost / target, 1),
                     percent(one.at("accuracy").get<double>(), 2));
}

std::string candidates_table(const Json& found, const std::string& cost, double target, const TextStyle& style) {
  TextTable table({{"formats", false}, {cost, true}, {"of the target", true}, {"validation accuracy", true}});
  const auto add = [&](const std::string& name, const Json& one) {
    const double value = one.at("cost");
    table.add(
        {name, fmt::format("{:.6g}", value), percent(value / target, 1), percent(one.at("accuracy").get<double>(), 2)});
  };
  add("most likely", found.at("most_likely"));
  for (const Json& one : found.at("uniform")) add(fmt::format("{} everywhere", choice_text(one.at("choice"))), one);
  return table.text(style);
}

}  // namespace

std::string dominating_choice(const Json& found) {
  const double cost = found.at("most_likely").at("cost"), accuracy = found.at("most_likely").at("accuracy");
  for (const Json& one : found.at("uniform")) {
    const double its_cost = one.at("cost"), its_accuracy = one.at("accuracy");
    const bool as_good = its_cost <= cost && its_accuracy >= accuracy;
    if (as_good && (its_cost < cost || its_accuracy > accuracy)) return choice_text(one.at("choice"));
  }
  return "";
}

std::string controller_extract_command(const ModelCheckpoint& checkpoint, const std::string& path) {
  const Json* found = found_of(checkpoint);
  if (found == nullptr) return "";
  const std::string& data = checkpoint.data_path.empty() ? checkpoint.data_name : checkpoint.data_path;
  return fmt::format("ridgeline extract {} --genome {} --data {} --out candidate.ckpt", shell_quoted(path),
                     shell_quoted(found->at("most_likely").at("genes").dump()), shell_quoted(data));
}

std::string controller_text(const ModelCheckpoint& checkpoint, const std::string& path, const TextStyle& style) {
  if (checkpoint.controller.is_null()) return "";
  std::string text =
      fmt::format("controller: {}; entropy of its policy {}\n", target_text(checkpoint), entropy_text(checkpoint));
  const Json* found = found_of(checkpoint);
  if (found == nullptr) return text + "what it has found is said when the training has ended\n";
  text += fmt::format("\n{}", candidates_table(*found, cost_name(checkpoint), target_of(checkpoint), style));
  text += front_text(*found) + "\n\n";
  TextTable layers({{"layer", false}, {"weights", false}, {"activations", false}});
  for (const Json& layer : found->at("most_likely").at("layers")) {
    const auto text_of = [&](const char* key) { return layer.at(key).get<std::string>(); };
    layers.add({text_of("layer"), text_of("weights"), text_of("activations")});
  }
  text += layers.text(style);
  return text + "\nthe most likely candidate as a checkpoint of its own\n  " +
         controller_extract_command(checkpoint, path) + "\n";
}

Facts controller_facts(const ModelCheckpoint& checkpoint, const std::string& path) {
  if (checkpoint.controller.is_null()) return {};
  Facts facts{{"cost", target_text(checkpoint)}, {"entropy of the policy", entropy_text(checkpoint)}};
  const Json* found = found_of(checkpoint);
  if (found == nullptr) return facts;
  const double target = target_of(checkpoint);
  facts.emplace_back("most likely candidate", candidate_text(found->at("most_likely"), target));
  for (const Json& one : found->at("uniform")) {
    facts.emplace_back(fmt::format("{} everywhere", choice_text(one.at("choice"))), candidate_text(one, target));
  }
  facts.emplace_back("beside them", front_text(*found));
  std::string layers;
  for (const Json& layer : found->at("most_likely").at("layers")) {
    layers +=
        fmt::format("{}{} {}", layers.empty() ? "" : ", ", layer.at("layer").get<std::string>(), layer_text(layer));
  }
  facts.emplace_back("its layers", layers);
  facts.emplace_back("taken out by", controller_extract_command(checkpoint, path));
  return facts;
}

Json controller_json(const ModelCheckpoint& checkpoint, const std::string& path) {
  if (checkpoint.controller.is_null()) return nullptr;
  Json json{{"cost", checkpoint.training.at("controller").at("cost")},
            {"device", checkpoint.training.at("controller").value("device", Json())},
            {"target", target_of(checkpoint)}};
  Json entropy = Json::array({1.0});
  for (const EpochRecord& one : checkpoint.history) entropy.push_back(one.policy_entropy.value_or(1.0));
  json["policy_entropy"] = std::move(entropy);
  const Json* found = found_of(checkpoint);
  if (found == nullptr) return json;
  json["most_likely"] = found->at("most_likely");
  json["uniform"] = found->at("uniform");
  const std::string better = dominating_choice(*found);
  json["dominated_by"] = better.empty() ? Json() : Json(better);
  json["extract"] = controller_extract_command(checkpoint, path);
  return json;
}

}  // namespace ridgeline
