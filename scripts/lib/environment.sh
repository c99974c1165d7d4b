# Sourced by the scripts beside this folder: makes the project's own Python environment and keeps it current.
# Needs a Python 3.11 to 3.13 and nothing else. SEALTRAIL_VENV names another place than .venv; PYTHON another Python.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
VENV=${SEALTRAIL_VENV:-$ROOT/.venv}

say() { printf '%s\n' "$*" >&2; }

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3 python; do
        if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c '
import sys, venv, ensurepip
sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    say "No Python 3.11, 3.12 or 3.13 with the modules venv and ensurepip was found."
    say "Install one (on Debian: apt-get install python3 python3-venv), or name one: PYTHON=/path/to/python $0"
    return 2
}

# ensure_environment EXTRAS: install the project, editable, with these extras ("" for none),
# unless that was done for this pyproject.toml.
ensure_environment() {
    local extras=$1 python stamp wanted
    stamp="$VENV/.sealtrail-${extras:-plain}"
    wanted=$(cksum <"$ROOT/pyproject.toml")
    if [ -x "$VENV/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        return 0
    fi
    if [ ! -x "$VENV/bin/python" ]; then
        python=$(find_python) || return 2
        say "Making an environment in $VENV ($("$python" --version)) …"
        "$python" -m venv "$VENV" || return 2
    fi
    say "Installing the project and what it needs${extras:+ ($extras)}; about a minute the first time …"
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --editable "$ROOT${extras:+[$extras]}" || {
        say "The installation failed; the messages above say why. It needs a Python package index (pip's own settings apply)."
        return 3
    }
    printf '%s\n' "$wanted" >"$stamp"
}
