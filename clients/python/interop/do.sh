#!/bin/sh
# Interop commands for Python: have, build, test ADDRESS, run ADDRESS JPEG VECTORS, secure ADDRESS FOLDER.
cd "$(dirname -- "$0")/.." || exit 1
# Debian installs its modules for /usr/bin/python3, which may not be the first Python on the PATH.
python=${PYTHON:-/usr/bin/python3}
[ -x "$python" ] || python=python3
export PYTHONPATH=. PYTHONDONTWRITEBYTECODE=1 PATH="$PATH:/usr/sbin"

verb=$1
shift
case $verb in
  have)
    "$python" -c 'import google.protobuf, grpc, numpy, PIL' || exit 1
    for tool in mypy haproxy; do
      command -v $tool >/dev/null || { echo "$tool is missing"; exit 1; }
    done
    command -v protoc >/dev/null && command -v grpc_python_plugin >/dev/null && exit 0
    "$python" -c 'import grpc_tools' || { echo "protoc with grpc_python_plugin, or grpc_tools, is missing"; exit 1; }
    ;;
  build) "$python" generate.py && mypy --strict --python-executable "$python" --cache-dir build/mypy embeddings_client examples interop/program.py ;;
  test)
    export EMBEDDINGS_URL="http://$1"
    "$python" -m unittest discover -t . -s tests || exit 1
    for demo in image_embedding face_embedding image_store face_store; do
      "$python" -m "embeddings_client.demos.$demo" || exit 1
    done
    ;;
  run) "$python" interop/scenario.py "$@" ;;
  secure) "$python" interop/secure.py "$@" ;;
esac
