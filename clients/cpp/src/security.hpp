#pragma once

#include <string>

namespace embeddings {

/// TLS files and API key of a connection. The files are read when the connection is created.
struct Security {
  /// PEM file of the certificate authorities to trust instead of the default ones of gRPC. Requires an `https://` address.
  /// Default: none.
  std::string ca_file;
  /// PEM file of the client certificate, followed by its intermediate certificates, for servers that ask for one. Requires an
  /// `https://` address. Default: none.
  std::string client_certificate_file;
  /// PEM file of the key of `client_certificate_file`, not encrypted. Default: `client_certificate_file`.
  std::string client_key_file;
  /// API key sent with every call (`authorization: Bearer KEY`). Printable ASCII characters without spaces. Requires an
  /// `https://` address, except for this machine (localhost, 127.0.0.0/8, ::1). Default: none.
  std::string api_key;
};

/// Returns whether the host of `host:port` is localhost, in 127.0.0.0/8, or ::1. Other names are not resolved.
bool is_loopback(const std::string& target);

}  // namespace embeddings
