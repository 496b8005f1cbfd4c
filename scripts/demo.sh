#!/usr/bin/env bash
# The main job on this machine: installs what is missing, builds, draws a data set of characters, learns how fast this
# CPU is, searches an elastic MobileNet for accuracy against measured latency, prints the front and how far predictions
# were off, tests the winners on typefaces never seen, and writes them as ONNX. Everything lands in the current folder:
# glyphs/, host.json, ridgeline.db, report.html, winners/. Run again, it resumes and adds nothing twice.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
ridgeline="$here/build/release/bin/ridgeline"

step() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }

step "setup"
"$here/scripts/setup.sh" build
step "build"
(cd "$here" && cmake --preset release -DRIDGELINE_TESTS=OFF >/dev/null && cmake --build --preset release -j "$(nproc)" --target ridgeline)
step "data: characters in typefaces that are disjoint between train, validation and test"
[ -f glyphs/dataset.json ] || "$ridgeline" data make glyphs --out glyphs
step "device: how long the layers of this space take here"
[ -f host.json ] || "$ridgeline" device calibrate --space mobilenet_small --format f32 --budget 60 --out host.json
step "search: accuracy against latency measured here"
"$ridgeline" search demo --db ridgeline.db --report report.html
step "winners: on the test split"
"$ridgeline" winners demo --db ridgeline.db --out winners
for checkpoint in winners/*.ckpt; do
  "$ridgeline" export "$checkpoint" --out "${checkpoint%.ckpt}.onnx"
done
step "done: $PWD/ridgeline.db, $PWD/report.html and $PWD/winners"
