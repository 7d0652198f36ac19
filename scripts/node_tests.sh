#!/usr/bin/env bash
# Runs the Go tests that put the plugin under the node's own code.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

readonly SKIPPED=77 # what ctest takes for a skipped test

usage() {
    cat <<'TEXT'
scripts/node_tests.sh BIN SUITE

Runs tests of tests/node on the programs in the folder BIN. scripts/test.sh calls it through ctest.

  client    the node's client, runtime and proposervm drive the plugin
  network   one whole node, built from the published packages, runs the chain
  all       both at full length: each loss of writes that is worth a try, other versions of the
            node, five nodes

It needs Go 1.25 or newer, a C compiler, and the node's modules, from the Go module proxy the first
time. Where they cannot be had it says so and exits with 77.
TEXT
}

[[ ${1-} != -h && ${1-} != --help ]] || { usage && exit; }
(($# == 2)) || wrong_usage "want BIN and SUITE"
bin=$(cd -- "$(user_path "$1")" && pwd -P) || die "no folder $1"
case $2 in
    client) arguments=(-short .) ;;
    network) arguments=(-short ./network) ;;
    all) arguments=(. ./network) ;;
    *) wrong_usage "unknown suite $2" ;;
esac

skip() {
    printf 'SKIPPED: tests/node %s did not run: %s\n' "$suite" "$*"
    exit $SKIPPED
}
suite=$2

command -v go >/dev/null || skip "there is no go; it wants 1.25 or newer"
version=$(go env GOVERSION)
[[ $version =~ ^go1\.([0-9]+) ]] || skip "go has a strange version: $version"
((BASH_REMATCH[1] >= 25)) || skip "$version is too old; it wants 1.25 or newer"
cd tests/node
reason=$(go mod download 2>&1) || skip "its modules cannot be had: ${reason:0:500}"

export BLOBVM_PLUGIN=$bin/blobvm BLOBVM_CLI=$bin/blob-cli
if [[ $suite != client ]]; then
    export BLOBVM_NODE=$bin/avalanchego
    go build -o "$BLOBVM_NODE" github.com/ava-labs/avalanchego/main
fi
# -count=1: Go takes a test for unchanged when only the plugin has changed.
go test -count=1 -v -timeout 60m "${arguments[@]}"
