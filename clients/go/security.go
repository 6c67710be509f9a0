package embeddings

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// Security has the TLS files and the API key of a connection. The zero value selects the defaults.
type Security struct {
	// CAFile is the PEM file of the certificate authorities to trust instead of the system's. Requires an https:// address.
	CAFile string
	// ClientCertificateFile is the PEM file of the client certificate, followed by its intermediate certificates, for servers
	// that ask for one. Requires an https:// address.
	ClientCertificateFile string
	// ClientKeyFile is the PEM file of the key of ClientCertificateFile, not encrypted. Default: ClientCertificateFile.
	ClientKeyFile string
	// APIKey is the API key sent with every call (authorization: Bearer KEY). Printable ASCII characters without spaces.
	// Requires an https:// address, except for this machine (localhost, 127.0.0.0/8, ::1).
	APIKey string
}

// dialOptions returns the options of a connection to host, or what is wrong with s. Errors do not contain the key.
func (s Security) dialOptions(host string, secure bool) ([]grpc.DialOption, error) {
	options := []grpc.DialOption{withoutTLS()}
	if secure {
		config, err := s.tlsConfig()
		if err != nil {
			return nil, err
		}
		options[0] = grpc.WithTransportCredentials(credentials.NewTLS(config))
	} else if s.CAFile != "" || s.ClientCertificateFile != "" || s.ClientKeyFile != "" {
		return nil, fmt.Errorf("CAFile, ClientCertificateFile, and ClientKeyFile require an address that starts with https://; the address is that of %q without TLS", host)
	}
	if s.APIKey == "" {
		return options, nil
	}
	for _, letter := range s.APIKey {
		if letter <= ' ' || letter > '~' {
			return nil, errors.New("APIKey must consist of printable ASCII characters, without spaces")
		}
	}
	if !secure && !isLoopback(host) {
		return nil, fmt.Errorf("APIKey requires an address that starts with https://, because a key without TLS can be read in transit, "+
			"except to this machine (localhost, 127.0.0.1, ::1); got %q without TLS", host)
	}
	if !secure {
		// The connection itself must be to this machine, too.
		options = append(options, grpc.WithNoProxy())
	}
	return append(options, grpc.WithPerRPCCredentials(apiKey{s.APIKey, secure})), nil
}

func (s Security) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.CAFile != "" {
		authorities, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, fmt.Errorf("CAFile cannot be read: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(authorities) {
			return nil, fmt.Errorf("CAFile must contain a certificate in PEM (-----BEGIN CERTIFICATE-----); %q has none", s.CAFile)
		}
	}
	if s.ClientCertificateFile == "" {
		if s.ClientKeyFile != "" {
			return nil, errors.New("ClientKeyFile requires ClientCertificateFile, the file of its certificate")
		}
		return config, nil
	}
	keyFile := s.ClientKeyFile
	if keyFile == "" {
		keyFile = s.ClientCertificateFile
	}
	certificate, err := tls.LoadX509KeyPair(s.ClientCertificateFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("ClientCertificateFile %q with the key of %q cannot be used: %w", s.ClientCertificateFile, keyFile, err)
	}
	config.Certificates = []tls.Certificate{certificate}
	return config, nil
}

// isLoopback returns whether a name or address is localhost, in 127.0.0.0/8, or ::1. Other names are not resolved.
func isLoopback(host string) bool {
	address := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || (address != nil && address.IsLoopback())
}

// apiKey sends a key with all calls.
type apiKey struct {
	key    string
	secure bool
}

func (k apiKey) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + k.key}, nil
}

// RequireTransportSecurity makes gRPC refuse to send the key if the connection has no TLS.
func (k apiKey) RequireTransportSecurity() bool { return k.secure }
