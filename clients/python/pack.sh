#!/bin/sh
# Makes the wheel: pack.sh FOLDER. It is pure Python and contains the stubs, so that it installs without a compiler.
# The build needs setuptools, wheel, protobuf, and grpcio-tools (or protoc with grpc_python_plugin). They come from the folder
# PYTHON_WHEELS if it is set, else from a Python that has them, else pip fetches them.
set -e
mkdir -p "$1"
target=$(cd "$1" && pwd)
cd "$(dirname -- "$0")"

python=${PYTHON:-python3}
options=
if [ -z "${PYTHON_WHEELS:-}" ]; then
  for candidate in "$python" /usr/bin/python3; do
    "$candidate" -c 'import setuptools, wheel, google.protobuf, generate; generate.compiler()' 2>/dev/null || continue
    python=$candidate options=--no-build-isolation
    break
  done
fi

# Leftovers of another build would get into the wheel.
rm -rf build/lib build/bdist.* ./*.egg-info
exec "$python" -m pip wheel --quiet --disable-pip-version-check --no-deps $options ${PYTHON_WHEELS:+--no-index --find-links "$PYTHON_WHEELS"} --wheel-dir "$target" .
