// Reading and writing a calibrated device: host.json.
#include "hwmodels/table_model.hpp"

namespace ridgeline {

TableDevice read_table_device(JsonDocument& document) {
  TableDevice device;
  JsonReader root = document.root();
  root.integer("ridgeline_device", {.least = 1, .most = 1});
  root.string("model");
  root.string("name", "");
  root.string("about", "");
  device.threads = static_cast<int>(root.integer("threads", {.least = 1, .most = 65536}));
  if (std::optional<JsonReader> environment = root.object("environment", false)) {
    device.environment = environment->string("fingerprint");
    device.environment_json = environment->value();
  }
  if (std::optional<JsonReader> roofline = root.object("roofline")) {
    device.roofline = read_roofline(*roofline, false);
    roofline->finish();
  }
  for (const auto& [format, value] : root.members("reference_s", false)) {
    if (value.value().is_number() && value.value().get<double>() > 0) {
      device.reference_s[format] = value.value().get<double>();
    } else {
      root.note("reference_s", "a positive number for '" + format + "'", describe(value.value()));
    }
  }
  for (auto& [format, value] : root.members("footprint", false)) {
    FootprintCurve& curve = device.footprint[format];
    curve.knots_bytes = value.numbers("knots_bytes");
    curve.slopes_s_per_byte = value.numbers("slopes_s_per_byte");
    curve.least_bytes = value.number("least_bytes", {.least = 0.0});
    curve.most_bytes = value.number("most_bytes", {.least = curve.least_bytes});
    curve.constant_s = value.number("constant_s", {.fallback = 0.0});
    value.finish();
    if (curve.knots_bytes.size() == curve.slopes_s_per_byte.size()) continue;
    value.note("slopes_s_per_byte", "one slope a knot", std::to_string(curve.slopes_s_per_byte.size()));
    curve = {};
  }
  if (const Json* calibration = root.any("calibration")) device.about_calibration = *calibration;
  for (JsonReader& row : root.array("anchors", false)) {
    Anchor anchor{row.string("space"), row.string("space_fingerprint"), row.string("format"), {}};
    for (const double gene : row.numbers("genes")) {
      if (!(gene >= 0 && gene <= 65535))
        row.note("genes", "indices of choices", std::to_string(gene));
      else
        anchor.genes.push_back(static_cast<std::uint16_t>(gene));
    }
    row.finish();
    device.anchors.push_back(std::move(anchor));
  }
  for (JsonReader& row : root.array("layers")) {
    TableEntry entry;
    const std::string text = row.string("layer");
    try {
      if (!text.empty()) entry.key = LayerKey::parse(text);
    } catch (const ConfigError& problem) {
      row.note("layer", problem.problems().front().expected, '"' + text + '"');
    }
    entry.latency_s = row.number("latency_s", {.least = 0.0});
    entry.measured_s = row.number("measured_s", {.fallback = entry.latency_s, .least = 0.0});
    entry.mad_s = row.number("mad_s", {.fallback = 0.0, .least = 0.0});
    entry.samples = row.integer("samples", {.fallback = 0, .least = 0});
    row.finish();
    device.layers.push_back(entry);
  }
  if (device.layers.empty()) root.note("layers", "at least one layer", "none", "calibrate again");
  root.finish();
  return device;
}

Json write_table_device(const TableDevice& device) {
  Json json{{"ridgeline_device", 1},
            {"model", "table"},
            {"name", device.roofline.name},
            {"about", device.roofline.about},
            {"threads", device.threads},
            {"environment", device.environment_json},
            {"reference_s", device.reference_s},
            {"roofline", write_roofline(device.roofline)},
            {"calibration", device.about_calibration}};
  json["environment"]["fingerprint"] = device.environment;
  json["footprint"] = Json::object();
  for (const auto& [format, curve] : device.footprint) {
    json["footprint"][format] = {{"knots_bytes", curve.knots_bytes},
                                 {"slopes_s_per_byte", curve.slopes_s_per_byte},
                                 {"least_bytes", curve.least_bytes},
                                 {"most_bytes", curve.most_bytes},
                                 {"constant_s", curve.constant_s}};
  }
  json["anchors"] = Json::array();
  for (const Anchor& anchor : device.anchors) {
    json["anchors"].push_back({{"space", anchor.space},
                               {"space_fingerprint", anchor.space_fingerprint},
                               {"format", anchor.format},
                               {"genes", anchor.genes}});
  }
  json["layers"] = Json::array();
  for (const TableEntry& entry : device.layers) {
    json["layers"].push_back({{"layer", entry.key.text()},
                              {"latency_s", entry.latency_s},
                              {"measured_s", entry.measured_s},
                              {"mad_s", entry.mad_s},
                              {"samples", entry.samples}});
  }
  return json;
}

std::unique_ptr<HardwareModel> TableModel::make(JsonDocument document) {
  TableDevice device = read_table_device(document);
  document.raise();
  return std::make_unique<TableModel>(std::move(device));
}

}  // namespace ridgeline
