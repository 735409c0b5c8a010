#!/usr/bin/env bash
# Installs the compiler that the guests in this folder are built with, on Debian (amd64).
# It needs no more than Debian's packages, crates.io and the npm registry.
#
#   toolchain.sh [--prefix DIR] [--targets "T ..."] [--force]
#
# The bytes of the guests depend on it. To build a guest for yourself, any Rust with the
# target wasm32-wasip2 will do: rustup target add wasm32-wasip2
#
# What it does, all under one prefix (default /opt/wasm-guest), no system package replaced:
#   1. unpacks (dpkg -x) Debian's rustc-web + its std for the host + LLVM + lld,
#   2. takes wasi-libc (crt1-*.o, libc.a) from the npm package @yowasp/clang,
#   3. builds Rust's std from rust-web-src (exactly the compiler's version) for each wasm
#      target and puts it in the unpacked compiler's sysroot,
#   4. writes bin/wasm-cargo, bin/wasm-rustc, bin/wasm-ld.
# The machine's own cargo drives the build (rustup's if there); it stays the default.
#
# A second run finds the stamp and returns at once; --force does it all again.
set -euo pipefail

PREFIX=/opt/wasm-guest
TARGETS="wasm32-wasip1 wasm32-wasip2"
FORCE=0
YOWASP_CLANG=${YOWASP_CLANG:-22.0.0-git20542-10}      # the npm package with wasi-libc
while [ $# -gt 0 ]; do
  case $1 in
    --prefix) PREFIX=$2; shift;;
    --targets) TARGETS=$2; shift;;
    --force) FORCE=1;;
    -h|--help) sed -n '2,17p' "$0"; exit 0;;
    *) echo "toolchain.sh: unknown option $1" >&2; exit 2;;
  esac; shift
done
PREFIX=$(realpath -m "$PREFIX")
CACHE=${WASM_GUEST_CACHE:-$PREFIX/.cache}             # downloaded .deb and .tgz files
say() { printf '\033[1m[wasm-guest +%ss]\033[0m %s\n' "$SECONDS" "$*" >&2; }
die() { echo "toolchain.sh: $*" >&2; exit 1; }
[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || die "needs Debian on amd64"

# ---- the cargo that drives builds: the real binary, so that a crate's rust-toolchain.toml
# can't make rustup look for a toolchain to download
CARGO_BIN=${WASM_GUEST_CARGO:-}
if [ -z "$CARGO_BIN" ] && command -v rustup >/dev/null; then
  CARGO_BIN=$(cd / && { rustup which --toolchain stable cargo 2>/dev/null || rustup which cargo; })
fi
[ -n "$CARGO_BIN" ] || CARGO_BIN=$(command -v cargo) || die "no cargo found"

# ---- Debian packages -----------------------------------------------------------------
need_apt_update=0
apt-cache show rustc-web >/dev/null 2>&1 || need_apt_update=1
[ -n "$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -mmin -1440 2>/dev/null | head -1)" ] || need_apt_update=1
if [ $need_apt_update = 1 ]; then say "apt-get update"; apt-get update -qq; fi
cand() { apt-cache policy "$1" | awk '/Candidate:/{print $2}'; }
depof() { apt-cache show "$1=$2" | awk -F': ' '/^Depends:/{print $2}' | tr ',' '\n' | sed 's/^ *//;s/ .*//' | grep -E "$3" | head -1; }

RV=$(cand rustc-web); [ -n "$RV" ] && [ "$RV" != "(none)" ] || die "Debian's rustc-web is not available"
STD=$(depof libstd-rust-web-dev "$RV" '^libstd-rust-web-[0-9]')
LLVM=$(depof "$STD" "$RV" '^libllvm[0-9]+$'); L=${LLVM#libllvm}
LV=$(cand "$LLVM")
STAMP="rustc-web=$RV llvm=$LV wasi-libc=@yowasp/clang@$YOWASP_CLANG targets=$TARGETS script=1"
if [ $FORCE = 0 ] && [ -f "$PREFIX/.stamp" ] && [ "$(cat "$PREFIX/.stamp")" = "$STAMP" ]; then
  DONE=1; say "already installed in $PREFIX ($STAMP)"
else DONE=0; fi

TC=$PREFIX/toolchain
if [ $DONE = 0 ]; then
  say "installing in $PREFIX: $STAMP"
  rm -rf "$PREFIX/.stamp" "$TC" "$PREFIX/wasi-sysroot" "$PREFIX/.build"
  mkdir -p "$PREFIX/bin" "$CACHE" "$TC" "$PREFIX/.build"
  PKGS="rustc-web=$RV libstd-rust-web-dev=$RV $STD=$RV rust-web-src=$RV rust-web-llvm=$RV $LLVM=$LV lld-$L=$LV"
  for p in $PKGS; do
    n=${p%%=*}; v=${p#*=}; f=$(printf '%s_%s_' "$n" "${v//:/%3a}")
    have() { ls "$CACHE/$f"*.deb 2>/dev/null | head -1; }
    if [ -z "$(have)" ]; then say "downloading $n $v"; (cd "$CACHE" && apt-get download -qq "$p" 2>&1 | grep -v unsandboxed >&2 || true); fi
    deb=$(have); [ -n "$deb" ] || die "could not download $p"
    case $n in
      rust-web-src)   # only the library's source, 50 MB of 340
        dpkg --fsys-tarfile "$deb" | tar -x -C "$PREFIX/.build" --wildcards './usr/src/rustc-*/library/*' ;;
      *) dpkg -x "$deb" "$TC" ;;
    esac
  done
  # what those libraries need from the system
  missing() { LD_LIBRARY_PATH=$TC/usr/lib/x86_64-linux-gnu ldd "$TC"/usr/lib/x86_64-linux-gnu/librustc_driver*.so "$TC"/usr/lib/llvm-$L/bin/lld | grep 'not found' || true; }
  if [ -n "$(missing)" ]; then
    say "installing LLVM's system libraries"
    apt-get install -y -qq --no-install-recommends libedit2 libffi8 libxml2 libz3-4 libzstd1 zlib1g libstdc++6 >/dev/null
    [ -z "$(missing)" ] || die "still missing: $(missing)"
  fi
  command -v cc >/dev/null || apt-get install -y -qq --no-install-recommends gcc libc6-dev >/dev/null
  HOSTBIN=$TC/usr/lib/rustlib/x86_64-unknown-linux-gnu/bin
  mkdir -p "$HOSTBIN/gcc-ld"
  ln -sfn ../../../llvm-$L/bin/lld "$HOSTBIN/rust-lld"
  ln -sfn ../../../../llvm-$L/bin/lld "$HOSTBIN/gcc-ld/wasm-ld"

  # ---- wrappers ----------------------------------------------------------------------
  cat > "$PREFIX/bin/wasm-rustc" <<W
#!/bin/sh
# Debian's rustc-web, unpacked under $TC, with std for: $TARGETS
LD_LIBRARY_PATH=$TC/usr/lib/x86_64-linux-gnu\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}; export LD_LIBRARY_PATH
exec $TC/usr/bin/rustc "\$@"
W
  cat > "$PREFIX/bin/wasm-ld" <<W
#!/bin/sh
LD_LIBRARY_PATH=$TC/usr/lib/x86_64-linux-gnu\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}; export LD_LIBRARY_PATH
exec $TC/usr/lib/llvm-$L/bin/wasm-ld "\$@"
W
  cat > "$PREFIX/bin/wasm-cargo" <<W
#!/bin/sh
# cargo with the wasm-guest compiler:  wasm-cargo build --release --target wasm32-wasip1
RUSTC=$PREFIX/bin/wasm-rustc; export RUSTC
W
  cat >> "$PREFIX/bin/wasm-cargo" <<W
unset RUSTUP_TOOLCHAIN RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER
exec "\${WASM_GUEST_CARGO:-$CARGO_BIN}" "\$@"
W
  chmod +x "$PREFIX"/bin/*
  "$PREFIX/bin/wasm-rustc" -V >&2

  # ---- wasi-libc ---------------------------------------------------------------------
  tgz=$CACHE/yowasp-clang-$YOWASP_CLANG.tgz
  if [ ! -f "$tgz" ]; then say "downloading @yowasp/clang@$YOWASP_CLANG (npm)"; (cd "$CACHE" && npm pack --silent "@yowasp/clang@$YOWASP_CLANG" >/dev/null); fi
  say "unpacking wasi-libc"
  mkdir -p "$PREFIX/.build/y"
  tar -xzf "$tgz" -C "$PREFIX/.build/y" package/gen/llvm-resources.tar
  tar -xf "$PREFIX/.build/y/package/gen/llvm-resources.tar" -C "$PREFIX/.build/y" lib
  mkdir -p "$PREFIX/wasi-sysroot/lib"
  cp -r "$PREFIX/.build/y/lib/wasm32-wasip1" "$PREFIX/wasi-sysroot/lib/"
  WL=$PREFIX/wasi-sysroot/lib/wasm32-wasip1
  for f in crt1-command.o crt1-reactor.o libc.a; do [ -s "$WL/$f" ] || die "wasi-libc lacks $f"; done

  # ---- std for each target -----------------------------------------------------------
  LIB=$(ls -d "$PREFIX"/.build/usr/src/rustc-*/library)
  say "building std ($(basename "$(dirname "$LIB")")) for $TARGETS"
  targs=; for t in $TARGETS; do targs="$targs --target $t"; done
  ( cd "$LIB"
    export RUSTC=$PREFIX/bin/wasm-rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$PREFIX/.build/target
    export RUSTFLAGS="-Zforce-unstable-if-unmarked -Cembed-bitcode=yes"
    export CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1
    unset RUSTUP_TOOLCHAIN RUSTC_WRAPPER CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET
    "$CARGO_BIN" build --locked --release $targs --features "panic-unwind backtrace" --manifest-path sysroot/Cargo.toml 2>&1 | grep -vE '^ *(Compiling|Downloaded|Downloading)|dropping unsupported|^$|generated 1 warning' >&2
    exit "${PIPESTATUS[0]}" )
  for t in $TARGETS; do
    d=$TC/usr/lib/rustlib/$t/lib; mkdir -p "$d"
    cp "$PREFIX/.build/target/$t/release/deps/"*.rlib "$d/"; rm -f "$d"/libsysroot-*.rlib
    case $t in *-wasi*)
      mkdir -p "$d/self-contained"; cp "$WL/crt1-command.o" "$WL/crt1-reactor.o" "$WL/libc.a" "$d/self-contained/";;
    esac
  done

  # std's wasm32-wasip2 port wants the socket functions that only a preview-2 wasi-libc has.
  # Ours is preview 1 (wasm-component-ld puts its adapter in), so they answer ENOTSUP;
  # a guest that wants sockets uses wasi:sockets by bindings.
  d=$TC/usr/lib/rustlib/wasm32-wasip2/lib/self-contained
  if [ -d "$d" ]; then
    cat > "$PREFIX/.build/stub.rs" <<'R'
#![no_std]
#![allow(non_camel_case_types)]
type c_int = i32;
type ptr = *mut u8;
#[link(name = "c", kind = "static", modifiers = "+bundle")]
extern "C" { fn __errno_location() -> *mut c_int; }
unsafe fn fail() -> c_int { *__errno_location() = 58 /* ENOTSUP */; -1 }
macro_rules! stubs { ($($n:ident($($t:ty),*);)*) => { $(#[no_mangle] pub unsafe extern "C" fn $n($(_: $t),*) -> c_int { fail() })* } }
stubs! {
  socket(c_int, c_int, c_int);
  connect(c_int, ptr, u32);
  bind(c_int, ptr, u32);
  listen(c_int, c_int);
  getsockname(c_int, ptr, ptr);
  getpeername(c_int, ptr, ptr);
  sendto(c_int, ptr, usize, c_int, ptr, u32);
  recvfrom(c_int, ptr, usize, c_int, ptr, ptr);
  setsockopt(c_int, c_int, c_int, ptr, u32);
}
#[no_mangle] pub unsafe extern "C" fn getaddrinfo(_: ptr, _: ptr, _: ptr, _: ptr) -> c_int { -4 /* EAI_FAIL */ }
#[no_mangle] pub unsafe extern "C" fn freeaddrinfo(_: ptr) {}
#[no_mangle] pub unsafe extern "C" fn gai_strerror(_: c_int) -> *const u8 { b"sockets are not supported by this libc\0".as_ptr() }
R
    "$PREFIX/bin/wasm-rustc" --target wasm32-wasip2 --crate-type rlib --crate-name wasip2_libc -O -Cpanic=abort \
      -Ccodegen-units=1 -L "native=$WL" "$PREFIX/.build/stub.rs" -o "$PREFIX/.build/libc.a"
    cp "$PREFIX/.build/libc.a" "$d/libc.a"
  fi
  rm -rf "$PREFIX/.build"

  # ---- check: a program for each target ----------------------------------------------
  say "checking"
  chk=$(mktemp -d); trap 'rm -rf "$chk"' EXIT
  mkdir -p "$chk/src"; printf '[package]\nname="chk"\nversion="0.1.0"\nedition="2021"\n[profile.release]\nlto=true\n' > "$chk/Cargo.toml"
  printf 'fn main(){ println!("hello from {}", std::env::args().count()); }\n' > "$chk/src/main.rs"
  for t in $TARGETS; do
    (cd "$chk" && "$PREFIX/bin/wasm-cargo" build -q --release --target "$t") || die "the check program does not build for $t"
    head -c 8 "$chk/target/$t/release/chk.wasm" | od -An -tx1 | grep -q '00 61 73 6d' || die "no wasm for $t"
  done
  echo "$STAMP" > "$PREFIX/.stamp"
fi

say "done: $PREFIX/bin/wasm-cargo build --release --target wasm32-wasip2"
