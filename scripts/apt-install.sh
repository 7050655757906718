#!/usr/bin/env bash
# apt-install.sh PACKAGES...: installs packages of Debian or Ubuntu, as root or by sudo.
set -euo pipefail

fail() {
    printf 'error: %s\n' "$1" >&2
    shift
    for line in "$@"; do printf '       %s\n' "$line" >&2; done
    exit 1
}

command -v apt-get >/dev/null || fail "missing: $*, and this system has no apt-get." \
    "Install their equivalents with your package manager and run this again."
as_root=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "missing: $*; this needs root, and there is no sudo." \
        "As root, run: apt-get install -y $*" "Then run this again."
    as_root=(sudo)
    printf '      sudo is used to install: %s\n' "$*"
fi
printf '      installing %s\n' "$*"
"${as_root[@]}" apt-get update -q || fail "the package lists could not be fetched." "Check the network, then run this again."
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" ||
    fail "apt-get could not install $*; its own messages are above." \
        "If they say that names could not be resolved or files not fetched, check the network. Then run this again."
