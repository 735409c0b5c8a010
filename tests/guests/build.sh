#!/usr/bin/env bash
# Rebuilds every guest from its source, puts the .wasm beside it and rewrites guests.lock.
#
# Needs the compiler that toolchain.sh installs; WASM_CARGO names its cargo if it is elsewhere.
# Guests build outside the workspace, in CARGO_TARGET_DIR (default: a folder in the temp directory).
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")"

WASM_CARGO=${WASM_CARGO:-/opt/wasm-guest/bin/wasm-cargo}
WASM_RUSTC=${WASM_RUSTC:-$(dirname "$WASM_CARGO")/wasm-rustc}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-${TMPDIR:-/tmp}/spin-guests}
[ -x "$WASM_CARGO" ] || { echo "build.sh: $WASM_CARGO is missing; run tests/guests/toolchain.sh" >&2; exit 1; }

# name | folder of the crate | where the .wasm goes | everything it is built from
GUESTS="
hello       | ../../examples/hello | ../../examples/hello/hello.wasm | ../../examples/hello
probe-p2    | probe-p2    | probe-p2.wasm    | probe-p2 probe-shared ../../wit/fermyon-spin-2.0.0
probe-p3    | probe-p3    | probe-p3.wasm    | probe-p3 probe-shared ../../wit/spin-variables-3.0.0
redis-probe | redis-probe | redis-probe.wasm | redis-probe ../../wit/fermyon-spin
"

# Paths of this machine in panic messages would change the bytes from one machine to the next.
root=$(cd ../.. && pwd -P)
RUSTFLAGS="--remap-path-prefix=$root=spin"
for registry in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
  RUSTFLAGS="$RUSTFLAGS --remap-path-prefix=$registry=crates"
done
export RUSTFLAGS

# The canonical digest of a set of folders: SHA-256 of the lines `<sha256>  <path>`, sorted by path,
# of the files that a build reads: sources, WIT, Cargo.toml and Cargo.lock. tests/tests/guests.rs does the same.
source_files() {
  find "$@" -name target -prune -o -type f \( -name '*.rs' -o -name '*.wit' -o -name 'Cargo.*' \) -print | sort
}
digest() { source_files "$@" | while read -r file; do sha256sum "$file"; done | sha256sum | cut -d' ' -f1; }

lock=$(mktemp)
trap 'rm -f "$lock"' EXIT
{
  echo "# Written by build.sh and checked by tests/tests/guests.rs: do not edit."
  echo "toolchain = \"$("$WASM_RUSTC" --version)\""
} > "$lock"

while IFS='|' read -r name crate wasm sources; do
  name=${name// /}; crate=${crate// /}; wasm=${wasm// /}
  [ -n "$name" ] || continue
  echo "building $name" >&2
  (cd "$crate" && "$WASM_CARGO" build --quiet --locked --release --target wasm32-wasip2)
  cp "$CARGO_TARGET_DIR/wasm32-wasip2/release/${name//-/_}.wasm" "$wasm"
  # Not an executable of this machine, whatever the linker thinks.
  chmod 0644 "$wasm"
  list=; for source in $sources; do list="$list${list:+, }\"$source\""; done
  # shellcheck disable=SC2086 # the list of folders is split on purpose
  {
    echo
    echo "[guest.$name]"
    echo "wasm = \"$wasm\""
    echo "sources = [$list]"
    echo "source-digest = \"$(digest $sources)\""
    echo "wasm-sha256 = \"$(sha256sum "$wasm" | cut -d' ' -f1)\""
  } >> "$lock"
done <<< "$GUESTS"

cp "$lock" guests.lock
chmod 0644 guests.lock
