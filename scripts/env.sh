# Sourced by the Makefile, and by you before running cargo or forge by hand: `. scripts/env.sh`.
# Says where everything that is not in this checkout lives. Each value can be set beforehand.
_root=$(cd "$(dirname "${BASH_SOURCE[0]:-scripts/env.sh}")/.." && pwd)

export OPENLEDGER_HOME=${OPENLEDGER_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/openledger}
export LIBTORCH=${LIBTORCH:-$OPENLEDGER_HOME/libtorch}

for _bin in "$OPENLEDGER_HOME/tools/bin" "$OPENLEDGER_HOME/node/bin" "$_root/contracts/node_modules/.bin"; do
    case ":$PATH:" in *":$_bin:"*) ;; *) PATH=$_bin:$PATH ;; esac
done
export PATH

case ":${LD_LIBRARY_PATH:-}:" in
    *":$LIBTORCH/lib:"*) ;;
    *) export LD_LIBRARY_PATH=$LIBTORCH/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} ;;
esac
unset _root _bin
