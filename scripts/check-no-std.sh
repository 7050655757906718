#!/usr/bin/env bash
# Builds floors 1 and 2 (protocol and execution), the trie and the witness for a bare 64-bit RISC-V machine: no operating
# system, no std. The fault-proof program is made of these crates, so they must not come to need more than core and alloc.
#
# The target's own core and alloc come from rustup where it can fetch them; otherwise they are built from the standard
# library's sources, which Debian packages for the same compiler. Once there, nothing is fetched again.
set -euo pipefail
cd "$(dirname "$0")/.."

target=riscv64imac-unknown-none-elf
crates=(openledger-primitives openledger-attribution openledger-batch openledger-evm openledger-stf openledger-trie openledger-witness)
home=${OPENLEDGER_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/openledger}
sysroot=$(rustc --print sysroot)
version=$(rustc --version | awk '{print $2}')
sources=$home/rust-src-$version

note() { printf '      %s\n' "$1"; }
fail() {
    printf 'error: %s\n' "$1" >&2
    shift
    for line in "$@"; do printf '       %s\n' "$line" >&2; done
    exit 1
}
installed() { [ -d "$sysroot/lib/rustlib/$target/lib" ]; }
have_sources() { [ -f "$(library)/core/Cargo.toml" ]; }
library() {
    local folder
    for folder in "$sysroot/lib/rustlib/src/rust/library" "/usr/src/rustc-$version/library"; do
        [ ! -f "$folder/core/Cargo.toml" ] || { echo "$folder"; return; }
    done
    echo "$sources/usr/src/rustc-$version/library"
}

# Asks rustup for the target. It retries for minutes where its server cannot be reached, so it gets one.
from_rustup() {
    command -v rustup >/dev/null || return 1
    note "asking rustup for $target"
    timeout 60 rustup target add "$target" >/dev/null 2>&1 && installed
}

# The mirrors of Debian that this machine already uses.
debian_mirrors() {
    apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | sed 's:/*$::' | grep '/debian$' | sort -u
}

# Fetches the sources of the standard library from a suite of Debian that has this compiler. A list of sources of its own
# is used, with Debian's keys: the machine's own packages are not touched.
from_debian() {
    local keys=/usr/share/keyrings/debian-archive-keyring.gpg mirror suite package
    command -v apt-get >/dev/null && [ -f "$keys" ] || return 1
    local work=$home/downloads/.apt
    for mirror in $(debian_mirrors); do
        for suite in trixie-backports testing sid; do
            rm -rf "$work" && mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
            echo "deb [signed-by=$keys] $mirror $suite main" >"$work/sources.list"
            local apt=(-q -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$work/lists"
                -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root)
            note "looking for rust-src $version in Debian $suite"
            apt-get "${apt[@]}" update >/dev/null 2>&1 || continue
            package=$(apt-cache "${apt[@]}" madison rust-src | awk '{print $3}' | grep "^$version[+-]" | head -n1) || true
            [ -n "$package" ] || continue
            note "fetching rust-src $package"
            (cd "$work" && apt-get "${apt[@]}" download "rust-src=$package" >/dev/null 2>&1) || continue
            rm -rf "$sources.partial"
            dpkg -x "$work"/rust-src_*.deb "$sources.partial"
            mv "$sources.partial" "$sources"
            rm -rf "$work"
            have_sources && return 0
        done
    done
    return 1
}

std=()
if installed; then
    note "core and alloc for $target are installed"
elif have_sources || { ! from_rustup && from_debian; }; then
    note "core and alloc are built from $(library)"
    std=(-Zbuild-std=core,alloc -Zbuild-std-features=compiler-builtins-mem)
    # Only a nightly toolchain may build the standard library, unless told otherwise.
    export RUSTC_BOOTSTRAP=1
    export __CARGO_TESTS_ONLY_SRC_ROOT
    __CARGO_TESTS_ONLY_SRC_ROOT=$(library)
elif ! installed; then
    fail "the standard library for $target could not be found." \
        "Run \`rustup target add $target\` where rustup reaches its server," \
        "or install Debian's rust-src for Rust $version, then run this again."
fi

# Without the compressed instructions, as the proof machine reads them. getrandom has no source of randomness here, and
# nothing here may ask for one.
export RUSTFLAGS="${RUSTFLAGS:-} -Ctarget-feature=-c --cfg getrandom_backend=\"custom\""
packages=()
for crate in "${crates[@]}"; do packages+=(--package "$crate"); done
cargo build --lib --no-default-features --target "$target" --target-dir "$home/target-riscv" "${std[@]}" "${packages[@]}"
note "${crates[*]} need nothing but core and alloc"
