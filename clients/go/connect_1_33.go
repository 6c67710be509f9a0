//go:build grpc_1_33

package embeddings

import "google.golang.org/grpc"

// Debian 12 has grpc 1.33, which has neither NewClient nor credentials/insecure.
func connect(target string, options []grpc.DialOption) (*grpc.ClientConn, error) {
	return grpc.Dial(target, options...)
}

func withoutTLS() grpc.DialOption { return grpc.WithInsecure() }
