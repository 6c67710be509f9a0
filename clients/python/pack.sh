#!/bin/sh
# Makes the wheel: pack.sh FOLDER. It is pure Python and contains the stubs, so that it installs without a compiler.
# PYTHON_WHEELS is a folder with the packages that the build needs; otherwise pip fetches them.
set -e
mkdir -p "$1"
target=$(cd "$1" && pwd)
cd "$(dirname -- "$0")"
# Leftovers of another build would get into the wheel.
rm -rf build/lib build/bdist.* ./*.egg-info
exec "${PYTHON:-python3}" -m pip wheel --quiet --disable-pip-version-check --no-deps ${PYTHON_WHEELS:+--no-index --find-links "$PYTHON_WHEELS"} --wheel-dir "$target" .
