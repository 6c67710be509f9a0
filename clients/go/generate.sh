#!/bin/sh
# Generates gen/ from the repository's protos. Requires protoc, protoc-gen-go, and protoc-gen-go-grpc.
cd "$(dirname -- "$0")" || exit 1
rm -rf gen && mkdir gen || exit 1
exec protoc -I ../../protos --go_out=gen --go_opt=paths=source_relative --go-grpc_out=gen --go-grpc_opt=paths=source_relative ../../protos/embeddings/v1/*.proto
