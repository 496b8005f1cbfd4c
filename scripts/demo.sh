#!/usr/bin/env bash
# The main job on this machine: installs what is missing, builds, and runs the study `demo`: draws a data set of
# characters, learns how fast this CPU is, searches architecture and number formats together for accuracy against
# measured latency, prints the front and how far predictions were off, tests the winners on typefaces never seen, and
# writes them as ONNX. Everything lands in the current folder: glyphs/, host.json, ridgeline.db, report.html, winners/.
# Run again, it resumes and adds nothing twice.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
ridgeline="$here/build/release/bin/ridgeline"

step() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }

step "setup"
"$here/scripts/setup.sh" build
step "build"
(cd "$here" && cmake --preset release -DRIDGELINE_TESTS=OFF >/dev/null && cmake --build --preset release -j "$(nproc)" --target ridgeline)
step "search: data, device, joint search, winners"
"$ridgeline" search demo --db ridgeline.db --report report.html
step "done: $PWD/ridgeline.db, $PWD/report.html and $PWD/winners"
