#!/usr/bin/env bash
# Installs what is missing, builds with warnings as errors, and runs every check.
#   ./scripts/test.sh                  format, and all tests, fuzz targets on their corpora among them
#   ./scripts/test.sh asan-ubsan       all tests under AddressSanitizer and UndefinedBehaviorSanitizer
#   ./scripts/test.sh tsan             the threaded tests under ThreadSanitizer
#   ./scripts/test.sh fuzz             one minute of libFuzzer on each fuzz target, in a build of its own
#   ./scripts/test.sh naming           names, by clang-tidy
#   ./scripts/test.sh lint             every check of .clang-tidy
#   ./scripts/test.sh full             the first, naming and fuzz: before something large is merged
# Tests that need the published tables look in RIDGELINE_DATA (default ../shared/data) and are skipped without them.
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-all}
export CTEST_OUTPUT_ON_FAILURE=1
RIDGELINE_DATA=${RIDGELINE_DATA:-$(realpath -m ../shared/data)}
export RIDGELINE_DATA
jobs=$(nproc)

step() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }

sources() { git ls-files '*.cpp' '*.hpp'; }

format() {
  step "clang-format"
  sources | xargs clang-format --dry-run --Werror
}

lint() {  # arguments for clang-tidy
  step "clang-tidy $*"
  cmake --preset ci >/dev/null
  # On the project's own sources; tests are left to the compiler's warnings, programs beside peers need the peers.
  sources | grep '\.cpp$' | grep -v -e '^tests/' -e '^experiments/peers/' | xargs -P "$jobs" -n 4 clang-tidy -p build/ci --quiet "$@" 2>/dev/null
}

naming() { lint --checks='-*,readability-identifier-naming'; }

build_and_test() {  # preset, then arguments for ctest
  local preset=$1
  shift
  step "build ($preset)"
  cmake --preset "$preset" -DRIDGELINE_PRECOMPILE=ON >/dev/null
  cmake --build --preset "$preset" -j "$jobs"
  step "tests ($preset)"
  ctest --preset "$preset" -j "$jobs" "$@"
}

fuzz() {
  step "fuzz targets, ${RIDGELINE_FUZZ_SECONDS:=60} s each"
  cmake -S . -B build/fuzz -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DRIDGELINE_FUZZ=ON -DRIDGELINE_FUZZ_SECONDS="$RIDGELINE_FUZZ_SECONDS" \
        -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O1 -DRIDGELINE_PRECOMPILE=ON >/dev/null
  cmake --build build/fuzz -j "$jobs" --target fuzzers
  ctest --test-dir build/fuzz -L fuzz -j 8 --output-on-failure
}

step "setup"
./scripts/setup.sh
case "$what" in
  lint) lint ;;
  naming) naming ;;
  fuzz) fuzz ;;
  asan-ubsan) build_and_test asan-ubsan ;;
  tsan) build_and_test tsan -R Thread ;;
  all | full)
    format
    build_and_test ci
    if [ "$what" = full ]; then
      naming
      fuzz
    fi
    ;;
  *) echo "test.sh: unknown argument '$what'; see the head of the file" >&2; exit 2 ;;
esac
step "all passed"
