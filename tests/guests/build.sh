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

# name | folder of the crate | target | where the .wasm goes | everything it is built from
GUESTS="
hello             | ../../examples/hello | wasm32-wasip2 | ../../examples/hello/hello.wasm | ../../examples/hello
hello-p2          | hello-p2      | wasm32-wasip2 | hello-p2.wasm          | hello-p2
probe-p2          | probe-p2      | wasm32-wasip2 | probe-p2.wasm          | probe-p2 probe-shared ../../wit/fermyon-spin-2.0.0
probe-p3          | probe-p3      | wasm32-wasip2 | probe-p3.wasm          | probe-p3 probe-shared ../../wit/spin-variables-3.0.0
greedy-p2         | greedy-p2     | wasm32-wasip2 | greedy-p2.wasm         | greedy-p2 greedy-shared
greedy-p3         | greedy-p3     | wasm32-wasip2 | greedy-p3.wasm         | greedy-p3 greedy-shared
inbound-probe     | inbound-probe | wasm32-wasip2 | inbound-probe.wasm     | inbound-probe greedy-shared probe-shared ../../wit/fermyon-spin
wagi-probe        | wagi-probe    | wasm32-wasip2 | wagi-probe.wasm        | wagi-probe greedy-shared probe-shared
wagi-probe-module | wagi-probe    | wasm32-wasip1 | wagi-probe-module.wasm | wagi-probe greedy-shared probe-shared
redis-probe       | redis-probe   | wasm32-wasip2 | redis-probe.wasm       | redis-probe redis-probe-shared ../../wit/fermyon-spin
redis-probe-p3    | redis-probe-p3 | wasm32-wasip2 | redis-probe-p3.wasm   | redis-probe-p3 redis-probe-shared ../../wit/spin-redis-3.0.0
trigger-probe     | trigger-probe | wasm32-wasip2 | trigger-probe.wasm     | trigger-probe
command-probe     | command-probe | wasm32-wasip2 | command-probe.wasm     | command-probe
host-probe        | host-probe    | wasm32-wasip2 | host-probe.wasm        | host-probe ../../wit/fermyon-spin ../../wit/fermyon-spin-2.0.0 ../../wit/spin-key-value-3.0.0 ../../wit/spin-mqtt-3.0.0 ../../wit/spin-mysql-3.0.0 ../../wit/spin-postgres-3.0.0 ../../wit/spin-postgres-4.2.0 ../../wit/spin-redis-3.0.0 ../../wit/spin-sqlite-3.1.0 ../../wit/wasi-keyvalue-0.2.0-draft2
host-probe-p2     | host-probe-p2 | wasm32-wasip2 | host-probe-p2.wasm     | host-probe-p2 host-probe ../../wit/fermyon-spin ../../wit/fermyon-spin-2.0.0 ../../wit/spin-key-value-3.0.0 ../../wit/spin-mqtt-3.0.0 ../../wit/spin-mysql-3.0.0 ../../wit/spin-postgres-3.0.0 ../../wit/spin-redis-3.0.0 ../../wit/wasi-keyvalue-0.2.0-draft2 wit
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

while IFS='|' read -r name crate target wasm sources; do
  name=${name// /}; crate=${crate// /}; target=${target// /}; wasm=${wasm// /}
  [ -n "$name" ] || continue
  echo "building $name" >&2
  (cd "$crate" && "$WASM_CARGO" build --quiet --locked --release --target "$target")
  # A library's file is named after the crate as Rust spells it, a program's as its package is.
  package=$(basename "$crate")
  [ -f "$crate/src/main.rs" ] && built=$package || built=${package//-/_}
  cp "$CARGO_TARGET_DIR/$target/release/$built.wasm" "$wasm"
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
