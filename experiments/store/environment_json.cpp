#include "experiments/store/environment_json.hpp"

namespace ridgeline {

Json environment_json(const Environment& environment) {
  Json caches = Json::array();
  for (const CacheLevel& cache : environment.caches) {
    caches.push_back({{"level", cache.level}, {"bytes", cache.bytes}, {"shared_by", cache.shared_by}});
  }
  return {{"fingerprint", environment.fingerprint()},
          {"cpu_model", environment.cpu_model},
          {"isa", environment.isa},
          {"logical_cpus", environment.logical_cpus},
          {"caches", caches},
          {"governor", environment.governor},
          {"os", environment.os},
          {"onednn_version", environment.onednn_version},
          {"compiler", environment.compiler}};
}

}  // namespace ridgeline
