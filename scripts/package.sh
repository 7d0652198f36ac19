#!/usr/bin/env bash
# What is handed out: an archive for any Linux, and a Debian package.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'TEXT'
scripts/package.sh [--from BIN] [OUT]

Builds a release and leaves in OUT (default build/packages, from the root of the sources):

  blobvm-VERSION-linux-ARCH.tar.gz   programs, examples, licenses, "Run it as a validator"
  blobvm_VERSION_ARCH.deb            the same; the plugin lies where the node's packages keep plugins
  SHA256SUMS                         of both

  --from BIN   takes the programs from this folder instead of building them

Times in both are the commit's (or SOURCE_DATE_EPOCH's), so that the same programs give the same
packages. Both are unpacked again and looked at before they are put into OUT. Exit codes: 0 done, 1 failed,
2 wrong usage.
TEXT
}

# The node's own packages put the node at /usr/local/bin/avalanchego and its other plugin (subnet-evm)
# here: .github/packaging/nfpm/subnet-evm-deb.yml of github.com/ava-labs/avalanchego. They set no
# --plugin-dir: without that flag a node looks into ~/.avalanchego/plugins, where nothing of the
# system's packages can go; so the flag is in examples/node.json. (Their .rpm has it in
# /var/opt/avalanchego/plugins: .github/packaging/nfpm/subnet-evm.yml at v1.14.2.)
PLUGIN_FOLDER=/usr/local/lib/avalanchego/plugins

from=
out=
while (($#)); do
    case $1 in
        -h | --help) usage && exit ;;
        --from)
            [[ -n ${2-} ]] || wrong_usage "--from wants a folder"
            from=$(user_path "$2")
            shift
            ;;
        -?*) wrong_usage "unknown option $1" ;;
        *)
            [[ -z $out ]] || wrong_usage "one folder at a time"
            out=$(user_path "$1")
            ;;
    esac
    shift
done
out=${out:-$ROOT/build/packages}

need_packages build linked
if [[ -z $from ]]; then
    from=$ROOT/build/bin
    scripts/build.sh "$from"
fi
for program in blobvm blob-cli blob-devnet; do
    [[ -x $from/$program ]] || die "no $program in $from"
    if readelf -lW "$from/$program" | grep -qE 'INTERP|DYNAMIC'; then
        die "$from/$program is not static"
    fi
done

if [[ -z ${SOURCE_DATE_EPOCH-} ]]; then
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null) || SOURCE_DATE_EPOCH=$(stat -c %Y LICENSE)
fi
export SOURCE_DATE_EPOCH
version=$("$from/blobvm" --version)
version=${version#blobvm v}
vm_id=$("$from/blobvm" vm-id)
architecture=$(dpkg --print-architecture)

mkdir -p "$out"
work=$(mktemp -d "$out/.new-XXXXXX")
trap 'rm -rf -- "$work"' EXIT
umask 022

# documents FOLDER: what both carry beside the programs. What is linked in is other people's work: its
# licenses are those that Debian's packages of it carry.
documents() {
    local package
    mkdir -p "$1/examples" "$1/licenses"
    install -m 644 README.md compatibility.json cmd/blobvm/VALIDATOR.md "$1/"
    install -m 644 cmd/blobvm/examples/* "$1/examples/"
    for package in $(packages_of linked); do
        install -m 644 "/usr/share/doc/$package/copyright" "$1/licenses/$package" ||
            die "no license of $package on this system"
    done
}

# place FROM TO: a stripped program.
place() {
    strip -o "$2" "$1"
    chmod 755 "$2"
}

name=blobvm-v$version-linux-$architecture
mkdir -p "$work/$name/bin"
for program in blobvm blob-cli blob-devnet; do place "$from/$program" "$work/$name/bin/$program"; done
documents "$work/$name"
install -m 644 LICENSE "$work/$name/"

stage=$work/stage
document_folder=$stage/usr/share/doc/blobvm
mkdir -p "$stage/usr/bin" "$stage$PLUGIN_FOLDER"
install -m 755 "$work/$name/bin/blobvm" "$stage$PLUGIN_FOLDER/$vm_id"
ln -s "$PLUGIN_FOLDER/$vm_id" "$stage/usr/bin/blobvm"
install -m 755 "$work/$name/bin/blob-cli" "$work/$name/bin/blob-devnet" "$stage/usr/bin/"
documents "$document_folder"
install -m 644 LICENSE "$document_folder/copyright"
find "$work/$name" "$stage" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

tar --directory="$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
    --create "$name" | gzip -n >"$work/$name.tar.gz"
(cd "$work" && STAGE=$stage VERSION=$version ARCHITECTURE=$architecture PLUGIN_FOLDER=$PLUGIN_FOLDER \
    cpack --config "$ROOT/scripts/cmake/deb.cmake" -B "$work/cpack") >"$work/cpack.log" 2>&1 || { cat "$work/cpack.log" >&2 && die "cpack failed"; }
deb=blobvm_${version}_$architecture.deb
mv "$work/cpack/$deb" "$work/"
(cd "$work" && sha256sum "$name.tar.gz" "$deb" >SHA256SUMS)

# What has been packed, as the one who gets it finds it.
mkdir "$work/seen"
tar --directory="$work/seen" --extract --file="$work/$name.tar.gz"
dpkg-deb --extract "$work/$deb" "$work/seen/deb"
diff -r --no-dereference "$work/$name" "$work/seen/$name" >&2 || die "the archive is not what was packed"
diff -r --no-dereference "$stage" "$work/seen/deb" >&2 || die "the package is not what was packed"
for plugin in "$work/seen/$name/bin/blobvm" "$work/seen/deb$PLUGIN_FOLDER/$vm_id"; do
    [[ $(env -i "$plugin" --version) == "blobvm v$version" ]] || die "the packed plugin does not run"
done

mv -f "$work/$name.tar.gz" "$work/$deb" "$work/SHA256SUMS" "$out/"
for file in "$name.tar.gz" "$deb" SHA256SUMS; do
    printf '%10d bytes  %s\n' "$(stat -c %s "$out/$file")" "$out/$file"
done
