#!/usr/bin/env bash
# Release build: the programs that are handed out.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'TEXT'
scripts/build.sh [OUT]

Installs the Debian packages that are missing, builds a release, and leaves in OUT (default
build/bin, from the root of the sources):

  blobvm            the plugin, one static file
  blob-cli          the command line client
  blob-devnet       a local chain: plays the node to the plugin
  plugins/VM_ID     the plugin again under the name by which a node finds it, alone in its folder

Environment: JOBS, compilers at once (default: all cores).
TEXT
}

case ${1-} in
    -h | --help) usage && exit ;;
    -*) wrong_usage "unknown option $1" ;;
esac
(($# <= 1)) || wrong_usage "at most one argument"
out=$ROOT/build/bin
if (($#)); then out=$(user_path "$1"); fi

need_packages build
tree=build/release
# A tree that test.sh has used keeps its tests; they are not built from here.
fresh=()
[[ -f $tree/CMakeCache.txt ]] || fresh=(-DBLOBVM_TESTS=OFF -DBLOBVM_BENCH=OFF)
configure "$tree" -DCMAKE_BUILD_TYPE=RelWithDebInfo "${fresh[@]}"
build "$tree" blobvm blob-cli blob-devnet

# hand_out FROM TO: a stripped copy, put in place at once: the old one may be running.
hand_out() {
    strip -o "$2.new" "$1"
    chmod 755 "$2.new"
    mv -f "$2.new" "$2"
}

mkdir -p "$out/plugins"
for program in blobvm blob-cli blob-devnet; do
    if readelf -d "$tree/bin/$program" | grep -q NEEDED; then die "$program is not static"; fi
    hand_out "$tree/bin/$program" "$out/$program"
done
plugin=$out/plugins/$("$out/blobvm" vm-id)
cp "$out/blobvm" "$out/blobvm.new"
mv -f "$out/blobvm.new" "$plugin"

say "$("$out/blobvm" --version)"
for file in "$out/blobvm" "$out/blob-cli" "$out/blob-devnet" "$plugin"; do
    printf '%10d bytes  %s\n' "$(stat -c %s "$file")" "$file"
done
