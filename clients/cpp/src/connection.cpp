#include "connection.hpp"

#include <stdexcept>

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

namespace embeddings {
namespace {

constexpr int kMaxMessage = 64 * 1024 * 1024;

constexpr char kServiceConfig[] = R"({"methodConfig": [
  {"name": [{}], "retryPolicy":
    {"maxAttempts": 4, "initialBackoff": "0.2s", "maxBackoff": "2s", "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}},
  {"name": [{"service": "embeddings.v1.VectorStoreService", "method": "DeleteVectors"},
            {"service": "embeddings.v1.VectorStoreService", "method": "DeleteByJobId"}]}]})";

}  // namespace

std::shared_ptr<grpc::Channel> connect(const std::string& address) {
  const std::string scheme = "http://";
  const std::string target = address.compare(0, scheme.size(), scheme) == 0 ? address.substr(scheme.size()) : address;
  if (target.empty() || target.find('/') != std::string::npos) {
    throw std::invalid_argument("address must be of the form host:port or http://host:port; got '" + address + "'.");
  }
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(kServiceConfig);
  arguments.SetMaxReceiveMessageSize(kMaxMessage);
  arguments.SetMaxSendMessageSize(kMaxMessage);
  // Reconnect soon after the server is available again.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5000);
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
}

std::unique_ptr<grpc::ClientContext> within(std::chrono::milliseconds timeout) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + timeout);
  return context;
}

}  // namespace embeddings
