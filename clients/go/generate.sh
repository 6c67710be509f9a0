#!/bin/sh
# Generates gen/ with protoc, protoc-gen-go, and protoc-gen-go-grpc of the PATH, for example Debian's. With Go modules, use `go generate`.
cd "$(dirname -- "$0")" || exit 1
rm -rf gen && mkdir gen || exit 1
exec protoc -I ../../protos --go_out=gen --go_opt=paths=source_relative --go-grpc_out=gen --go-grpc_opt=paths=source_relative ../../protos/embeddings/v1/*.proto
