#!/usr/bin/env bash
# Installs what building, running and testing Ridgeline needs, from Debian 12's own packages. Does nothing where all is
# there already.
#   ./scripts/setup.sh           what the program and its tests need
#   ./scripts/setup.sh build     what the program alone needs
set -euo pipefail

build=(build-essential cmake ninja-build ccache libboost-graph-dev libeigen3-dev libcli11-dev libsqlite3-dev
       nlohmann-json3-dev libdnnl-dev libfmt-dev zlib1g-dev libjs-vega)
test=(libgtest-dev libgmock-dev libbenchmark-dev clang clang-format clang-tidy libclang-rt-14-dev libomp-14-dev sqlite3 git)

case "${1:-all}" in
  build) packages=("${build[@]}") ;;
  all) packages=("${build[@]}" "${test[@]}") ;;
  *) echo "setup.sh: unknown argument '$1'; use 'build' or nothing" >&2; exit 2 ;;
esac

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: every package is installed"
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "setup: not root and no sudo; install by hand: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
echo "setup: installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "setup: done"
