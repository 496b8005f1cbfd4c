#!/usr/bin/env bash
# The main job on this machine: installs what is missing, builds, searches the elastic MobileNet space for this CPU, prints
# the front, and writes ridgeline.db and report.html into the current folder. Run again, it resumes and adds nothing twice.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)

echo "== setup"
"$here/scripts/setup.sh" build
echo "== build"
(cd "$here" && cmake --preset release -DRIDGELINE_TESTS=OFF >/dev/null && cmake --build --preset release -j "$(nproc)" --target ridgeline)
echo "== search"
"$here/build/release/bin/ridgeline" search demo --db ridgeline.db --report report.html
echo "== done: $PWD/ridgeline.db and $PWD/report.html"
