#!/bin/sh
# Interop commands for C++: have, build, test ADDRESS, run ADDRESS JPEG VECTORS, secure ADDRESS FOLDER.
cd "$(dirname -- "$0")/.." || exit 1
export PATH="$PATH:/usr/sbin"

verb=$1
shift
case $verb in
  have)
    for tool in c++ cmake make pkg-config protoc grpc_cpp_plugin haproxy; do
      command -v $tool >/dev/null || { echo "$tool is missing"; exit 1; }
    done
    pkg-config --exists grpc++ protobuf || { echo "gRPC's C++ library is missing"; exit 1; }
    ;;
  build) cmake -S . -B build && cmake --build build --target interop --target bulk_ingest --target exchange_test --target proxy_test --target security_test -j "${EMBEDDINGS_JOBS:-2}" ;;
  test) build/security_test && build/exchange_test && build/proxy_test && build/bulk_ingest ../testdata "$1" ;;
  run) build/interop "$@" ;;
  secure) build/interop secure "$@" ;;
esac
