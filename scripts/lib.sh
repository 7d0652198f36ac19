# What the scripts share. Source it; it changes to the root of the sources and sets ROOT.
# shellcheck shell=bash

set -euo pipefail
ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
STARTED_IN=$PWD
cd "$ROOT"
PROGRAM=$(basename -- "$0")
JOBS=${JOBS:-$(nproc)}

# Two copies of the sources share what the compiler made of the same text.
export CCACHE_BASEDIR=$ROOT CCACHE_NOHASHDIR=1

say() { printf '%s: %s\n' "$PROGRAM" "$*" >&2; }

die() {
    say "$*"
    exit 1
}

wrong_usage() {
    say "$* (--help tells more)"
    exit 2
}

# A path that the user gave, seen from where the script was started.
user_path() {
    case $1 in
        /*) printf '%s\n' "$1" ;;
        *) printf '%s\n' "$STARTED_IN/$1" ;;
    esac
}

# packages_of SECTION...: the names in these sections of packages.txt.
packages_of() {
    awk -v wanted=" $* " '
        /^#/ || /^$/ { next }
        /^\[/ { section = substr($0, 2, length($0) - 2); next }
        index(wanted, " " section " ") { print }' scripts/packages.txt | sort -u
}

# need_packages SECTION...: installs what is missing; does nothing, and asks nobody, if nothing is.
need_packages() {
    local package missing=()
    for package in $(packages_of "$@"); do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
            missing+=("$package")
    done
    ((${#missing[@]})) || return 0

    command -v apt-get >/dev/null ||
        die "this system has no apt-get; please install what is named so on Debian 12: ${missing[*]}"
    local as_root=()
    if ((EUID != 0)); then
        command -v sudo >/dev/null ||
            die "neither root nor sudo here; please install: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    say "installing ${#missing[@]} missing packages${as_root[0]:+ through sudo}: ${missing[*]}"
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q
        -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
    "${apt[@]}" update || die "apt-get update failed: is there a network?"
    "${apt[@]}" install -y --no-install-recommends "${missing[@]}" ||
        die "apt-get install failed; its reason stands above"
}

# configure FOLDER CMAKE-OPTION...: makes or renews a build folder, quietly if all is well.
configure() {
    local folder=$1 log
    shift
    mkdir -p "$folder"
    log=$folder/configure.log
    if ! cmake -G Ninja -S . -B "$folder" "$@" >"$log" 2>&1; then
        cat "$log" >&2
        die "CMake could not configure $folder"
    fi
}

# build FOLDER TARGET...
build() {
    local folder=$1
    shift
    cmake --build "$folder" -j "$JOBS" --target "$@" >&2 || die "the build in $folder failed"
}
