#include "connection.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <stdexcept>
#include <utility>
#include <vector>

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/client_interceptor.h>

namespace embeddings {
namespace {

constexpr int kMaxMessage = 64 * 1024 * 1024;

constexpr char kServiceConfig[] = R"({"methodConfig": [
  {"name": [{}], "retryPolicy":
    {"maxAttempts": 4, "initialBackoff": "0.2s", "maxBackoff": "2s", "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}},
  {"name": [{"service": "embeddings.v1.VectorStoreService", "method": "DeleteVectors"},
            {"service": "embeddings.v1.VectorStoreService", "method": "DeleteByJobId"}]}]})";

// Sends the API key with all calls. gRPC refuses call credentials without TLS, so that the key is metadata.
class KeyInterceptor final : public grpc::experimental::Interceptor {
 public:
  explicit KeyInterceptor(const std::string& value) : value_(value) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(grpc::experimental::InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->insert({"authorization", value_});
    }
    methods->Proceed();
  }

 private:
  const std::string value_;
};

class KeyInterceptors final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit KeyInterceptors(const std::string& api_key) : value_("Bearer " + api_key) {}

  grpc::experimental::Interceptor* CreateClientInterceptor(grpc::experimental::ClientRpcInfo*) override { return new KeyInterceptor(value_); }

 private:
  const std::string value_;
};

// Removes `scheme` from the front of `text` and returns whether it was there.
bool skip(const std::string& scheme, std::string* text) {
  const bool found = text->compare(0, scheme.size(), scheme) == 0;
  if (found) {
    text->erase(0, scheme.size());
  }
  return found;
}

std::string read(const std::string& name, const std::string& file, const std::string& marker) {
  std::ifstream input(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(input), {}};
  if (!input.is_open() || input.bad()) {
    throw std::invalid_argument(name + " '" + file + "' cannot be read.");
  }
  // gRPC would report a wrong file as a connection that fails.
  if (text.find(marker) == std::string::npos) {
    throw std::invalid_argument(name + " must contain '" + marker + "' in PEM; '" + file + "' does not.");
  }
  return text;
}

std::shared_ptr<grpc::ChannelCredentials> tls(const Security& security) {
  const std::string certificate = "BEGIN CERTIFICATE-----";
  grpc::SslCredentialsOptions options;
  if (!security.ca_file.empty()) {
    options.pem_root_certs = read("ca_file", security.ca_file, certificate);
  }
  if (!security.client_certificate_file.empty()) {
    const bool own = !security.client_key_file.empty();
    options.pem_cert_chain = read("client_certificate_file", security.client_certificate_file, certificate);
    options.pem_private_key = read(own ? "client_key_file" : "client_certificate_file without client_key_file",
                                   own ? security.client_key_file : security.client_certificate_file, "PRIVATE KEY-----");
  } else if (!security.client_key_file.empty()) {
    throw std::invalid_argument("client_key_file requires client_certificate_file, the file of its certificate.");
  }
  return grpc::SslCredentials(options);
}

// Errors do not contain the key.
void check_key(const std::string& api_key, const std::string& target, bool secure) {
  if (!std::all_of(api_key.begin(), api_key.end(), [](char letter) { return letter > ' ' && letter <= '~'; })) {
    throw std::invalid_argument("api_key must consist of printable ASCII characters, without spaces.");
  }
  if (!secure && !is_loopback(target)) {
    throw std::invalid_argument(
        "api_key requires an address that starts with https://, because a key without TLS can be read in transit, except to this machine "
        "(localhost, 127.0.0.1, ::1); got " +
        target + " without TLS.");
  }
}

}  // namespace

bool is_loopback(const std::string& target) {
  static const std::string octet = R"((25[0-5]|2[0-4]\d|1?\d?\d))";
  static const std::regex loopback(R"((localhost|127\.)" + octet + R"(\.)" + octet + R"(\.)" + octet + R"(|\[::1\])(:\d+)?)", std::regex::icase);
  return std::regex_match(target, loopback);
}

std::shared_ptr<grpc::Channel> connect(const std::string& address, const Security& security) {
  std::string target = address;
  const bool secure = skip("https://", &target);
  if (!secure) {
    skip("http://", &target);
  }
  if (target.empty() || target.find('/') != std::string::npos) {
    throw std::invalid_argument("address must be of the form host:port, http://host:port, or https://host:port; got '" + address + "'.");
  }
  if (!secure && !(security.ca_file + security.client_certificate_file + security.client_key_file).empty()) {
    throw std::invalid_argument(
        "ca_file, client_certificate_file, and client_key_file require an address that starts with https://; the address is " + target +
        " without TLS.");
  }
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(kServiceConfig);
  arguments.SetMaxReceiveMessageSize(kMaxMessage);
  arguments.SetMaxSendMessageSize(kMaxMessage);
  // Reconnect soon after the server is available again.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5000);
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> interceptors;
  if (!security.api_key.empty()) {
    check_key(security.api_key, target, secure);
    interceptors.push_back(std::make_unique<KeyInterceptors>(security.api_key));
    if (!secure) {
      // A key without TLS must not go to a proxy.
      arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    }
  }
  const auto credentials = secure ? tls(security) : grpc::InsecureChannelCredentials();
  return grpc::experimental::CreateCustomChannelWithInterceptors(target, credentials, arguments, std::move(interceptors));
}

std::unique_ptr<grpc::ClientContext> within(std::chrono::milliseconds timeout) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + timeout);
  return context;
}

}  // namespace embeddings
