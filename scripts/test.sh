#!/usr/bin/env bash
# Builds and runs the tests.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'TEXT'
scripts/test.sh [VARIANT] [-- CTEST_ARGUMENT...]

Installs the Debian packages that are missing, builds, and runs all tests through ctest. The tests
under the node's own code (label node) want Go 1.25 or newer beside that, and are skipped without.

  (no variant)     release build, all tests but the longest
  --all            release build, the longest too: five whole nodes, other versions of the node
  --asan           address and undefined behaviour sanitizers, all tests
  --tsan           thread sanitizer, all tests but the corpus
  --unit           with any of these: build and run only what starts none of our programs
  --clang          clang with thread-safety analysis: builds everything, runs the unit tests
  --fuzz SECONDS   libFuzzer with both sanitizers of --asan, SECONDS for each target

Examples:
  scripts/test.sh
  scripts/test.sh -- -R Mempool
  scripts/test.sh --asan -- -L unit
  BLOBVM_CORPUS=/path/to/corpus scripts/test.sh -- -L corpus

Environment: JOBS, compilers at once (default: all cores); BLOBVM_CORPUS, another golden corpus.
TEXT
}

variant=release
longest=false
goal=all
seconds=0
while (($#)); do
    case $1 in
        -h | --help) usage && exit ;;
        --asan | --tsan | --clang) variant=${1#--} ;;
        --all) longest=true ;;
        --unit) goal=unit_tests ;;
        --fuzz)
            variant=fuzz
            [[ ${2-} =~ ^[1-9][0-9]*$ ]] || wrong_usage "--fuzz wants a number of seconds"
            seconds=$2
            shift
            ;;
        --)
            shift
            break
            ;;
        *) wrong_usage "unknown argument $1" ;;
    esac
    shift
done

tree=build/$variant
options=(-DCMAKE_BUILD_TYPE=RelWithDebInfo -DBLOBVM_TESTS=ON)
clang=(-DCMAKE_C_COMPILER=clang-14 -DCMAKE_CXX_COMPILER=clang++-14)
sections=(build tests)
labels=
case $variant in
    release) options+=(-DBLOBVM_BENCH=ON) ;;
    asan) options+=(-DBLOBVM_BENCH=OFF "-DBLOBVM_SANITIZE=address,undefined") ;;
    tsan)
        options+=(-DBLOBVM_BENCH=OFF -DBLOBVM_SANITIZE=thread)
        labels='unit|integration'
        ;;
    clang)
        options+=(-DBLOBVM_BENCH=ON "${clang[@]}")
        sections+=(checks)
        labels=unit
        ;;
    fuzz)
        options+=(-DBLOBVM_BENCH=OFF "${clang[@]}" -DBLOBVM_FUZZ=ON
            "-DBLOBVM_SANITIZE=address,undefined")
        sections+=(fuzz)
        ;;
esac
if [[ $goal == unit_tests ]]; then
    labels=${labels:-unit|corpus}
    labels=${labels%|integration}
fi
chosen=(${labels:+-L "$labels"})
$longest && chosen+=(-LE node) || chosen+=(-LE long) # each of the longest includes a shorter one
(($#)) && chosen=("$@")

case $variant in
    asan | tsan) export BLOBVM_TEST_SLACK=${BLOBVM_TEST_SLACK:-60} ;;
esac

SECONDS=0
need_packages "${sections[@]}"
configure "$tree" "${options[@]}"

if [[ $variant == fuzz ]]; then
    mapfile -t targets < <(ninja -C "$tree" -t targets all |
        sed -nE 's,^(bin/fuzz_[a-z0-9_]+): .*,\1,p' | sort -u)
    ((${#targets[@]})) || die "there are no fuzz targets"
    build "$tree" "${targets[@]}"
    for target in "${targets[@]}"; do
        name=${target#bin/}
        found=$tree/found/$name
        mkdir -p "$found"
        say "$name for $seconds s"
        "$tree/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
            -print_final_stats=1 -artifact_prefix="$found/" "$found" "tests/fuzz/corpus/$name" \
            >"$found.log" 2>&1 ||
            { tail -40 "$found.log" >&2 && die "$name found something: $found"; }
        grep -E "stat::number_of_executed_units" "$found.log" >&2 || true
    done
    say "${#targets[@]} fuzz targets, $seconds s each: nothing found, $SECONDS s in all"
    exit
fi

build "$tree" "$goal"
log=$tree/test.log
if ctest --test-dir "$tree" --output-on-failure --no-tests=error -j "$JOBS" "${chosen[@]}" \
    2>&1 | tee "$log"; then
    result=passed
else
    result=FAILED
fi
count=$(sed -nE 's/.*tests failed out of ([0-9]+)/\1/p' "$log" | tail -1)
while read -r line; do say "$line"; done < <(grep '^SKIPPED' "$tree/Testing/Temporary/LastTest.log")
say "$variant: ${count:-no} tests, $result, $SECONDS s with the build"
[[ $result == passed ]]
