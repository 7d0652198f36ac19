#!/usr/bin/env bash
# The layout of all C++ files, checked or made.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'TEXT'
scripts/format.sh [--fix]

Checks that every C++ file is laid out as clang-format-14 lays it out with .clang-format; with
--fix, lays them out so. Looks at what git tracks, or at all sources where there is no git.
TEXT
}

mode=(--dry-run -Werror)
case ${1-} in
    -h | --help) usage && exit ;;
    --fix) mode=(-i) ;;
    '') ;;
    *) wrong_usage "unknown argument $1" ;;
esac

need_packages checks
if git rev-parse --git-dir >/dev/null 2>&1; then
    mapfile -t files < <(git ls-files '*.cpp' '*.hpp')
else
    mapfile -t files < <(find bench chain client cmd mempool proto tests tree vm \
        -name '*.cpp' -o -name '*.hpp')
fi
((${#files[@]})) || die "no sources found"
clang-format-14 "${mode[@]}" "${files[@]}" || die "some files are laid out otherwise (--fix mends that)"
say "${#files[@]} files are laid out as agreed"
