#include "kernels/environment.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace ridgeline {
namespace {

TEST(Environment, DescribesThisMachine) {
  const Environment environment = this_environment();
  EXPECT_FALSE(environment.cpu_model.empty());
  EXPECT_EQ(environment.logical_cpus, static_cast<int>(std::thread::hardware_concurrency()));
  EXPECT_EQ(environment.onednn_version.rfind("2.", 0), 0U) << environment.onednn_version;
  EXPECT_NE(environment.isa, "");
  for (const CacheLevel& cache : environment.caches) {
    EXPECT_GE(cache.level, 1);
    EXPECT_GT(cache.bytes, 0);
    EXPECT_GE(cache.shared_by, 1);
  }
}

TEST(Environment, FingerprintSeesWhatChangesTimings) {
  const Environment here = this_environment();
  EXPECT_EQ(here.fingerprint(), this_environment().fingerprint());
  EXPECT_EQ(here.fingerprint().size(), 16U);
  Environment other = here;
  other.logical_cpus += 1;
  EXPECT_NE(here.fingerprint(), other.fingerprint());
  other = here;
  other.onednn_version += "1";
  EXPECT_NE(here.fingerprint(), other.fingerprint());
  other = here;
  other.caches.push_back({4, 1 << 30, 2});
  EXPECT_NE(here.fingerprint(), other.fingerprint());
  other = here;
  other.os = "another release";
  EXPECT_EQ(here.fingerprint(), other.fingerprint());
}

}  // namespace
}  // namespace ridgeline
