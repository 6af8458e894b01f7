#!/bin/sh
# Installs Carrel from this folder, without network and without root: install.sh [--to DIR] [--bin DIR]
#   --to DIR   where it lies, made or replaced; by default ~/.local/share/carrel, for root /opt/carrel
#   --bin DIR  where the command is linked to; by default ~/.local/bin, for root /usr/local/bin
# Needs Python 3.11, 3.12, 3.13 or 3.14 (with its venv module); takes the newest that is there, or $PYTHON.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ "$(id -u)" = 0 ]; then to=/opt/carrel bin=/usr/local/bin; else to=${HOME:-}/.local/share/carrel bin=${HOME:-}/.local/bin; fi

fail() { echo "install.sh: $1" >&2; exit 1; }
while [ $# -gt 0 ]; do
    case $1 in
        --to) [ $# -ge 2 ] || fail "--to: name a folder"; to=$2; shift 2 ;;
        --bin) [ $# -ge 2 ] || fail "--bin: name a folder"; bin=$2; shift 2 ;;
        *) fail "$1: not an option; those are --to DIR and --bin DIR" ;;
    esac
done
case $to in /*) ;; *) to=$PWD/$to ;; esac
[ ! -e "$to" ] || [ -f "$to/.carrel-install" ] || fail "$to: is there and was not made by this script; choose another with --to"

python=
for name in ${PYTHON:-python3.14 python3.13 python3.12 python3.11 python3}; do
    if "$name" -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; then python=$name; break; fi
done
[ -n "$python" ] || fail "needs Python 3.11 to 3.14 with its venv module (Debian: apt-get install python3 python3-venv), or PYTHON=/path/to/python"
(cd "$here" && sha256sum --quiet -c WHEELS) || fail "a file of this folder is damaged or missing; copy the folder again"

rm -rf "$to"
mkdir -p "$(dirname "$to")" "$bin" || fail "choose folders that can be written with --to and --bin"
"$python" -m venv --without-pip "$to" && touch "$to/.carrel-install" || fail "$to: no environment can be made there"
set -- "$here"/wheels/pip-*.whl
"$to/bin/python" "$1/pip" install --quiet --disable-pip-version-check --no-cache-dir --no-index --no-deps \
    --find-links "$here/wheels" -r "$here/requirements.txt" || fail "see the message above"
mkdir -p "$to/share/tessdata"
cp "$here"/tessdata/*.traineddata "$to/share/tessdata/"
ln -sf "$to/bin/carrel" "$bin/carrel"
"$to/bin/carrel" --version >/dev/null || fail "$to/bin/carrel does not run"
echo "installed in $to; the command is $bin/carrel" >&2
case ":$PATH:" in *":$bin:"*) ;; *) echo "$bin is not in PATH: export PATH=\"$bin:\$PATH\"" >&2 ;; esac
