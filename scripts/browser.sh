#!/usr/bin/env bash
# Brings the browser that the wallets' tests drive: the one that CHROME names, or a Chromium or Chrome that is installed, or
# Debian's package. Prints its path.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    printf 'error: %s\n       %s\n' "$1" "$2" >&2
    exit 1
}
installed() {
    local program
    for program in chromium google-chrome google-chrome-stable; do
        command -v "$program" && return 0
    done
    return 1
}

if [ -n "${CHROME:-}" ]; then
    [ -x "$CHROME" ] || fail "CHROME is $CHROME, and that is no program." "Set it to a Chromium or Chrome, or unset it."
    echo "$CHROME"
    exit 0
fi
installed && exit 0
# Ubuntu's package of this name is a door to a snap, which does not run everywhere.
grep -qx 'ID=debian' /etc/os-release || fail "the wallets' tests drive a browser, and there is no Chromium or Chrome." \
    "Install one, or set CHROME to its program, and run this again."
scripts/apt-install.sh chromium >&2
installed || fail "chromium is installed, and is not on the PATH." "Set CHROME to its program and run this again."
