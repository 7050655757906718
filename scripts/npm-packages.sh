#!/usr/bin/env bash
# npm-packages.sh FOLDER: brings the npm packages that FOLDER's lock file names, by their hashes, and links them there as
# node_modules. They lie outside the checkout, once for each lock file; what was cut short is fetched again.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1
home=${OPENLEDGER_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/openledger}
lock=$folder/package-lock.json

fail() {
    printf 'error: %s\n       %s\n' "$1" "$2" >&2
    exit 1
}

[ -f "$lock" ] || fail "$lock is missing." "Restore it from git and run this again."
target=$home/npm/$(sha256sum "$lock" | cut -c1-16)
mkdir -p "$home/npm"
exec 8>"$home/npm/.lock"
flock 8
if [ ! -f "$target/.complete" ]; then
    rm -rf "$target.partial" && mkdir -p "$target.partial"
    cp "$folder/package.json" "$lock" "$folder/.npmrc" "$target.partial/"
    # No install scripts run: nothing here needs to be built.
    # Node trusts its own list of authorities only, everything else here the system's: a proxy that inspects is in the latter.
    export NODE_USE_SYSTEM_CA=${NODE_USE_SYSTEM_CA:-1}
    (cd "$target.partial" && PATH=$home/node/bin:$PATH npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) ||
        fail "npm could not fetch what $lock names." "Check the network and the disk, then run this again."
    touch "$target.partial/.complete"
    rm -rf "$target" && mv "$target.partial" "$target"
fi
if [ -d "$folder/node_modules" ] && [ ! -L "$folder/node_modules" ]; then
    echo "      $folder/node_modules is a folder of yours: left as it is"
else
    ln -sfn "$target/node_modules" "$folder/node_modules"
fi
