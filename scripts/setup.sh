#!/usr/bin/env bash
# Installs what building, running and testing Ridgeline needs, from Debian 12's own packages. Does nothing where all is
# there already.
#   ./scripts/setup.sh           what the program and its tests need
#   ./scripts/setup.sh build     what the program alone needs, with the fonts
#   ./scripts/setup.sh fonts     the fonts alone
set -euo pipefail

build=(build-essential cmake ninja-build ccache libboost-graph-dev libeigen3-dev libcli11-dev libsqlite3-dev
       nlohmann-json3-dev libdnnl-dev libfmt-dev zlib1g-dev libjs-vega pkg-config libfreetype-dev libpng-dev
       libturbojpeg0-dev libzip-dev libonnx-dev libprotobuf-dev coinor-libcbc-dev libxgboost-dev)
# What the data set `glyphs` is drawn from: the packages named in experiments/data/font_catalogue.cpp.
fonts=(fonts-dejavu-core fonts-dejavu-extra fonts-liberation fonts-urw-base35 fonts-texgyre fonts-lato
       fonts-roboto-unhinted fonts-roboto-slab fonts-open-sans fonts-cantarell fonts-comfortaa fonts-crosextra-carlito
       fonts-crosextra-caladea fonts-freefont-ttf fonts-inconsolata fonts-hack fonts-linuxlibertine fonts-sil-gentium
       fonts-sil-charis fonts-sil-andika fonts-ebgaramond fonts-cabin fonts-oldstandard fonts-quattrocento fonts-play
       fonts-jura fonts-karla fonts-mononoki fonts-gfs-artemisia fonts-gfs-didot fonts-paratype fonts-quicksand
       fonts-courier-prime fonts-dosis fonts-adf-accanthis fonts-adf-universalis fonts-adf-berenis fonts-adf-gillius
       fonts-adf-libris fonts-adf-romande fonts-adf-switzera fonts-adf-verana fonts-adf-tribun fonts-opendyslexic
       fonts-yanone-kaffeesatz fonts-sora fonts-b612 fonts-comic-neue fonts-stix fonts-fanwood fonts-prociono
       fonts-clear-sans fonts-firacode fonts-jetbrains-mono fonts-vollkorn fonts-manrope)
test=(libgtest-dev libgmock-dev libbenchmark-dev clang clang-format clang-tidy libclang-rt-14-dev libomp-14-dev sqlite3 git)

case "${1:-all}" in
  build) packages=("${build[@]}" "${fonts[@]}") ;;
  fonts) packages=("${fonts[@]}") ;;
  all) packages=("${build[@]}" "${fonts[@]}" "${test[@]}") ;;
  *) echo "setup.sh: unknown argument '$1'; use 'build', 'fonts' or nothing" >&2; exit 2 ;;
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
