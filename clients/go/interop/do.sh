#!/bin/sh
# Interop commands for Go: have, build, test ADDRESS, run ADDRESS JPEG VECTORS, secure ADDRESS FOLDER.
# Builds offline with Debian's packages, which Go finds on the GOPATH, not with go.mod (see README.md).
cd "$(dirname -- "$0")/.." || exit 1
work=$PWD/build
debian=/usr/share/gocode
export GO111MODULE=off GOPATH="$work/gopath:$debian" GOFLAGS= GOCACHE="$work/cache"

verb=$1
shift
case $verb in
  have)
    for tool in go protoc protoc-gen-go protoc-gen-go-grpc; do
      command -v $tool >/dev/null || { echo "$tool is missing"; exit 1; }
    done
    # Debian also has an older version, which does not support the current message API.
    [ -f $debian/src/github.com/golang/protobuf/proto/proto.go ] || { echo "Debian's golang-github-golang-protobuf-1-5-dev is missing"; exit 1; }
    [ -d $debian/src/google.golang.org/grpc ] || { echo "Debian's golang-google-grpc-dev is missing"; exit 1; }
    ;;
  build)
    sh generate.sh || exit 1
    # Go does not follow symbolic links when it builds.
    package=$work/gopath/src/embeddings/client
    rm -rf "$package" && mkdir -p "$package" || exit 1
    cp -R ./*.go cmd gen "$package" && cd "$package" && go build -tags grpc_1_33 -o "$work/" ./cmd/... && go vet -tags grpc_1_33 ./...
    ;;
  test) cd "$work/gopath/src/embeddings/client" && go test -tags grpc_1_33 -timeout 120s . && "$work/bulkingest" "$OLDPWD/../testdata" "http://$1" ;;
  run) "$work/interop" "$@" ;;
  secure) "$work/interop" secure "$@" ;;
esac
