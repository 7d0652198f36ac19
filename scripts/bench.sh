#!/usr/bin/env bash
# Measures: builds a release, runs all benchmarks, leaves figures and a page with plots.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'TEXT'
scripts/bench.sh [--quick] [--soak] [OUT]

Installs the Debian packages that are missing, builds a release with its benchmarks, runs them,
prints one table of targets, and leaves in OUT (default build/bench-results, from the root of the
sources):

  results.json   the machine, every figure, all raw samples
  report.html    the table and plots; needs no other file
  modules/       what the suites of single modules say (Google Benchmark's JSON)

  --quick   less of everything: about three minutes after the build; a full run takes three
            quarters of an hour
  --soak    and half an hour of load (with --quick: three minutes), to see whether memory grows

The data goes to a fresh folder under TMPDIR (or /tmp): put that on the disk that you mean to
measure. Leave the machine alone meanwhile.

Environment: JOBS, compilers at once (default: all cores).
TEXT
}

quick=()
soak=()
out=
while (($#)); do
    case $1 in
        -h | --help) usage && exit ;;
        --quick) quick=(--quick) ;;
        --soak) soak=(--soak 1800) ;;
        -*) wrong_usage "unknown option $1" ;;
        *)
            [[ -z $out ]] || wrong_usage "at most one folder"
            out=$(user_path "$1")
            ;;
    esac
    shift
done
if ((${#quick[@]} && ${#soak[@]})); then soak=(--soak 180); fi
out=${out:-$ROOT/build/bench-results}

need_packages build tests
tree=build/release
configure "$tree" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DBLOBVM_TESTS=ON -DBLOBVM_BENCH=ON
suites=(chain_bench mempool_bench rules_bench store_bench)
build "$tree" blob-bench "${suites[@]}"

mkdir -p "$out/modules"
commit=unknown
if git rev-parse --git-dir >/dev/null 2>&1; then
    commit=$(git rev-parse --short=12 HEAD)
    git diff --quiet HEAD -- || commit+=" with changes"
fi

SECONDS=0
"$tree/bin/blob-bench" suite "${quick[@]}" "${soak[@]}" --commit "$commit" --json "$out/results.json" |
    tee "$out/targets.txt"

modules=()
for suite in "${suites[@]}"; do
    say "$suite"
    options=(--benchmark_out="$out/modules/$suite.json" --benchmark_out_format=json)
    if ((${#quick[@]})); then options+=(--benchmark_min_time=0.01); fi
    "$tree/bin/$suite" "${options[@]}" >"$out/modules/$suite.txt" 2>&1 ||
        die "$suite failed; see $out/modules/$suite.txt"
    modules+=("$out/modules/$suite.json")
done
"$tree/bin/blob-bench" report "$out/results.json" "$out/report.html" "${modules[@]}"
say "$SECONDS s; the report is $out/report.html"
