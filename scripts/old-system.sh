#!/usr/bin/env bash
# The packages on a system older than the one that they were built on.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'TEXT'
scripts/old-system.sh [--packages FOLDER] [SUITE]

Makes a minimal Debian of that suite (default bullseye, Debian 11, with C library 2.31), installs the .deb
of FOLDER (default build/packages, where package.sh leaves it) in it, and stores a file on a local
chain there and reads it back. Then runs the plugin of the .tar.gz beside nothing at all.

Wants root, and a network the first time: the system is kept in build/old-system/SUITE.
Environment: MIRROR, where Debian is taken from (default: debootstrap's).
Exit codes: 0 everything ran, 1 failed, 2 wrong usage.
TEXT
}

packages=$ROOT/build/packages
suite=
while (($#)); do
    case $1 in
        -h | --help) usage && exit ;;
        --packages)
            [[ -n ${2-} ]] || wrong_usage "--packages wants a folder"
            packages=$(user_path "$2")
            shift
            ;;
        -?*) wrong_usage "unknown option $1" ;;
        *)
            [[ -z $suite ]] || wrong_usage "one suite at a time"
            [[ $1 =~ ^[a-z]+$ ]] || wrong_usage "$1 is no suite of Debian"
            suite=$1
            ;;
    esac
    shift
done
suite=${suite:-bullseye}
((EUID == 0)) || die "this wants root: it changes the root folder"
debs=("$packages"/blobvm_*.deb)
archives=("$packages"/blobvm-*.tar.gz)
[[ -f ${debs[0]} && -f ${archives[0]} ]] || die "no packages in $packages: scripts/package.sh makes them"
((${#debs[@]} == 1 && ${#archives[@]} == 1)) || die "more than one release in $packages"

need_packages old-system
system=$ROOT/build/old-system/$suite
if [[ ! -e $system/made ]]; then
    say "making a minimal $suite in $system"
    rm -rf -- "$system"
    mkdir -p "$system"
    debootstrap --variant=minbase "$suite" "$system" ${MIRROR:+"$MIRROR"} >"$system.log" 2>&1 ||
        { tail -5 "$system.log" >&2 && die "debootstrap failed"; }
    touch "$system/made"
fi

empty=$(mktemp -d)
clean_up() {
    local status=$?
    trap - EXIT
    umount "$system/proc" 2>/dev/null || true
    rm -rf -- "$empty"
    exit "$status"
}
trap clean_up EXIT
umount "$system/proc" 2>/dev/null || true
mount -t proc proc "$system/proc"

cp "${debs[0]}" "$system/blobvm.deb"
cat >"$system/try.sh" <<'TEXT'
set -euo pipefail
echo "Debian $(cat /etc/debian_version), $(ldd --version | head -1)"
dpkg -i /blobvm.deb >/dev/null
blobvm --version
blob-cli --version
blob-devnet --version
folder=$(mktemp -d)
cd "$folder"
head -c 1000000 /dev/urandom >sent
address=$(blob-cli create --json | sed -E 's/.*"address":"([^"]*)".*/\1/')
blob-devnet --port 0 --fund "$address=1000000" >ready 2>log &
chain=$!
trap 'kill $chain; wait $chain || true; rm -rf "$folder"' EXIT
for ((i = 0; i < 300; ++i)); do
    [[ ! -s ready ]] || break
    kill -0 $chain || { cat log && exit 1; }
    sleep 0.1
done
endpoint=$(sed -E 's,.*"blockchain":"([^"]*)".*,\1,' ready)
stored=$(blob-cli --endpoint "$endpoint" set-file --json sent)
root=$(sed -E 's/.*"root":"([^"]*)".*/\1/' <<<"$stored")
blob-cli --endpoint "$endpoint" resolve-file "$root" back >/dev/null
cmp sent back
echo "a file of $(stat -c %s back) bytes came back equal from a chain on this system"
TEXT
chroot "$system" bash /try.sh || die "the package does not work on $suite"

tar --directory="$empty" --extract --file="${archives[0]}" --wildcards --strip-components=2 '*/bin/blobvm'
printf 'beside no other file: %s\n' "$(chroot "$empty" /blobvm --version)" ||
    die "the plugin does not run alone"
