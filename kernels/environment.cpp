#include "kernels/environment.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <dnnl.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

std::string first_line(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string cpu_model_name() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("model name", 0) != 0) continue;
    const std::size_t colon = line.find(':');
    if (colon != std::string::npos) return line.substr(std::min(line.size(), colon + 2));
  }
  return "unknown";
}

std::string isa_name() {
  using Isa = dnnl::cpu_isa;
  switch (dnnl::get_effective_cpu_isa()) {
    case Isa::sse41:
      return "sse41";
    case Isa::avx:
      return "avx";
    case Isa::avx2:
      return "avx2";
    case Isa::avx2_vnni:
      return "avx2_vnni";
    case Isa::avx512_mic:
    case Isa::avx512_mic_4ops:
      return "avx512_mic";
    case Isa::avx512_core:
      return "avx512_core";
    case Isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case Isa::avx512_core_bf16:
      return "avx512_core_bf16";
    case Isa::avx512_core_amx:
      return "avx512_core_amx";
    default:
      return "any";
  }
}

// "0-3,8" names five processors.
int count_processors(const std::string& list) {
  int count = 0;
  std::size_t at = 0;
  while (at < list.size() && std::isdigit(static_cast<unsigned char>(list[at])) != 0) {
    std::size_t used = 0;
    const int first = std::stoi(list.substr(at), &used);
    at += used;
    int last = first;
    if (at < list.size() && list[at] == '-') {
      last = std::stoi(list.substr(at + 1), &used);
      at += used + 1;
    }
    count += last - first + 1;
    if (at < list.size() && list[at] == ',') ++at;
  }
  return std::max(count, 1);
}

long long size_in_bytes(const std::string& text) {  // "48K"
  if (text.empty() || std::isdigit(static_cast<unsigned char>(text[0])) == 0) return 0;
  std::size_t used = 0;
  const long long number = std::stoll(text, &used);
  const char unit = used < text.size() ? text[used] : ' ';
  return unit == 'K' ? number * 1024 : unit == 'M' ? number * 1024 * 1024 : number;
}

std::vector<CacheLevel> data_caches() {
  std::vector<CacheLevel> levels;
  for (int index = 0; index < 16; ++index) {
    const std::filesystem::path folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index);
    const std::string kind = first_line(folder / "type");
    if (kind.empty()) break;
    if (kind == "Instruction") continue;
    levels.push_back({static_cast<int>(size_in_bytes(first_line(folder / "level"))),
                      size_in_bytes(first_line(folder / "size")),
                      count_processors(first_line(folder / "shared_cpu_list"))});
  }
  return levels;
}

}  // namespace

Environment this_environment() {
  Environment environment;
  environment.cpu_model = cpu_model_name();
  environment.isa = isa_name();
  environment.logical_cpus = static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  environment.caches = data_caches();
  environment.governor = first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  if (environment.governor.empty()) environment.governor = "unknown";
  utsname name{};
  environment.os = uname(&name) == 0 ? std::string(name.sysname) + " " + name.release : "unknown";
  const dnnl_version_t* version = dnnl_version();
  environment.onednn_version =
      std::to_string(version->major) + "." + std::to_string(version->minor) + "." + std::to_string(version->patch);
  environment.compiler = "gcc " + std::string(__VERSION__);
  return environment;
}

std::string Environment::fingerprint() const {
  Hasher hash;
  hash.add(std::string_view(cpu_model)).add(std::string_view(isa)).add(logical_cpus);
  for (const CacheLevel& cache : caches) {
    hash.add(cache.level).add(static_cast<std::int64_t>(cache.bytes)).add(cache.shared_by);
  }
  hash.add(std::string_view(governor)).add(std::string_view(onednn_version)).add(std::string_view(compiler));
  return hex64(hash.value());
}

}  // namespace ridgeline
