// Any bytes are an ONNX model or a ConfigError, and so is any text of a model: mutations of the text reach operators
// and shapes that mutations of bytes seldom do. The first byte chooses: b bytes, t text.
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>
#include <onnx/onnx_pb.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "spaces/config_error.hpp"
#include "spaces/onnx/import.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

std::string model_bytes(std::string_view text) {
  class Quiet : public google::protobuf::io::ErrorCollector {
    void AddError(int, int, const std::string&) override {}
  } quiet;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&quiet);
  parser.SetRecursionLimit(100);
  onnx::ModelProto model;
  return parser.ParseFromString(std::string(text), &model) ? model.SerializeAsString() : "";
}

void use(const ridgeline::ImportedModel& model) {
  const ridgeline::Network& network = model.design.network;
  require(!network.outputs().empty() && model.design.weights->size() == network.size());
  require(network.shape(0)[0] == 1);
  ridgeline::structural_hash(network, model.design.precision);
  for (const ridgeline::NodeId node : network.live_nodes()) {
    const ridgeline::Op& op = network.op(node);
    if (op.kind != ridgeline::OpKind::conv2d && op.kind != ridgeline::OpKind::linear) continue;
    const ridgeline::Shape& input = network.shape(network.inputs(node)[0]);
    const std::int64_t taps =
        op.kind == ridgeline::OpKind::conv2d ? input[1] / op.groups * op.kernel[0] * op.kernel[1] : input.back();
    require(std::ssize((*model.design.weights)[node].kernel) == op.channels * taps);
    require(std::ssize((*model.design.weights)[node].bias) == (op.bias ? op.channels : 0));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || (data[0] != 'b' && data[0] != 't')) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    use(ridgeline::import_onnx(ridgeline::parse_onnx(data[0] == 't' ? model_bytes(rest) : std::string(rest), "x")));
  } catch (const ridgeline::ConfigError& error) {
    require(!error.problems().empty());
  }
  return 0;
}
