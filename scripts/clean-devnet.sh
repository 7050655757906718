#!/usr/bin/env bash
# Forgets the devnet of this checkout. A running one is refused: its processes would write into what is being removed.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=${OPENLEDGER_DEVNET_DIR:-.devnet}

if [ ! -e "$dir" ]; then
    echo "nothing to forget: $dir does not exist"
    exit 0
fi
[ -f "$dir/devnet.lock" ] || { echo "error: $dir has no devnet.lock, so it is not a devnet; remove it by hand if you mean it" >&2; exit 1; }
exec 9<"$dir/devnet.lock"
flock --nonblock 9 || { echo "error: a devnet is running in $dir; stop it first (Ctrl-C where it runs)" >&2; exit 1; }
rm -rf "$dir"
echo "forgot $dir"
