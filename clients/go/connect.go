//go:build !grpc_1_33

package embeddings

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func connect(target string, options []grpc.DialOption) (*grpc.ClientConn, error) {
	return grpc.NewClient(target, options...)
}

func withoutTLS() grpc.DialOption { return grpc.WithTransportCredentials(insecure.NewCredentials()) }
