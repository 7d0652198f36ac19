#!/usr/bin/env bash
# A real file through a real chain, and back.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'TEXT'
scripts/run.sh [--once] [FILE]

Installs the Debian packages that are missing, builds, starts a local chain (blob-devnet with one
plugin process), makes a key with money, stores FILE on the chain, reads it back and compares.
Without FILE it makes one of 5 MiB. Then the chain stays up until Ctrl-C.

  --once   stop the chain and remove its data; exit 0 if the file came back equal

The chain listens on 127.0.0.1:9650, or on a free port where that one is taken.
TEXT
}

once=
file=
while (($#)); do
    case $1 in
        -h | --help) usage && exit ;;
        --once) once=yes ;;
        -?*) wrong_usage "unknown option $1" ;;
        *)
            [[ -z $file ]] || wrong_usage "one file at a time"
            file=$(user_path "$1")
            ;;
    esac
    shift
done
[[ -z $file || (-f $file && -r $file) ]] || die "$file is not a file that can be read"

need_packages build run
scripts/build.sh
bin=$ROOT/build/bin
plugin=$bin/plugins/$("$bin/blobvm" vm-id)

mkdir -p build/run
folder=$(mktemp -d "$ROOT/build/run/XXXXXX")
log=$folder/devnet.log
devnet=

stop_chain() {
    [[ -n $devnet ]] || return 0
    kill -TERM "$devnet" 2>/dev/null || true
    # It stops the plugin in order; what takes longer than 30 s is stuck.
    for ((i = 0; i < 300; ++i)); do
        kill -0 "$devnet" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$devnet" 2>/dev/null && say "the chain had to be killed"
    wait "$devnet" 2>/dev/null || true
    devnet=
}

clean_up() {
    local status=$?
    trap - EXIT INT TERM
    stop_chain
    if ((status != 0)); then
        [[ ! -s $log ]] || { say "the last lines of $log:" && tail -15 "$log" >&2; }
    elif [[ -n $once ]]; then
        rm -rf -- "$folder"
    fi
    exit "$status"
}
trap clean_up EXIT
up=
trap '[[ -z $up ]] || { say "stopping the chain" && exit 0; }; exit 130' INT
trap '[[ -z $up ]] || { say "stopping the chain" && exit 0; }; exit 143' TERM

if [[ -z $file ]]; then
    file=$folder/sample.bin
    head -c $((5 * 1024 * 1024)) /dev/urandom >"$file"
    say "made a file of 5 MiB of random bytes"
fi

cli() { "$bin/blob-cli" --private-key-file "$folder/key" "$@"; }

address=$(cli create --json | jq -er .address) || die "no key could be made"
say "made a key for $address"

port=9650
if [[ -n $once ]]; then
    port=0
elif (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    say "port $port is taken: using a free one"
    port=0
fi
"$bin/blob-devnet" --data-dir "$folder/chain" --port "$port" --plugin "$plugin" \
    --fund "$address=1000000000000" </dev/null >"$folder/ready" 2>"$log" &
devnet=$!
for ((i = 0; i < 600; ++i)); do
    [[ ! -s $folder/ready ]] || break
    kill -0 "$devnet" 2>/dev/null || { devnet= && die "the chain did not start"; }
    sleep 0.1
done
endpoint=$(head -1 "$folder/ready" |
    jq -er '[.. | strings | select(contains("/ext/bc/"))][0] | sub("/ext/bc/.*"; "/ext/bc/blobvm")') ||
    die "the chain did not say where it is"
say "a local chain is up at $endpoint"

cli() { "$bin/blob-cli" --private-key-file "$folder/key" --endpoint "$endpoint" "$@"; }

stored=$(cli set-file --json -- "$file") || die "the file could not be stored"
root=$(jq -er .root <<<"$stored")
jq -r '"stored   \(.size) bytes as \(.root)",
       "         \(.newBlobs) blobs, cost \(.cost) BLB, \(.seconds) s, " +
       "\(.size / 1e4 / ([.seconds, 1e-6] | max) | round / 100) MB/s"' <<<"$stored"

fetched=$(cli resolve-file --json -- "$root" "$folder/back") || die "the file could not be read back"
jq -r '"fetched  \(.size) bytes, \(.seconds) s, " +
       "\(.size / 1e4 / ([.seconds, 1e-6] | max) | round / 100) MB/s"' <<<"$fetched"

sent=$(sha256sum <"$file")
back=$(sha256sum <"$folder/back")
[[ $sent == "$back" ]] || die "what came back is not what was stored: $sent, $back"
printf 'equal    SHA-256 %s\n' "${sent%% *}"
rm -f -- "$folder/back"

if [[ -n $once ]]; then
    stop_chain
    exit 0
fi

at=
[[ $endpoint == http://127.0.0.1:9650/ext/bc/blobvm ]] || at=" --endpoint $endpoint"
cat <<TEXT

The chain stays up until Ctrl-C. In another terminal:

  cd $bin
  ./blob-cli$at --private-key-file $folder/key balance
  ./blob-cli$at --private-key-file $folder/key set "hello world"
  ./blob-cli$at activity
  ./blob-cli$at resolve-file $root copy.bin

Its data is in $folder/chain; its log is $log.
TEXT
up=yes
status=0
wait "$devnet" || status=$?
devnet=
((status == 0)) || die "the chain has stopped by itself, with status $status"
say "the chain has stopped"
