#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include "security.hpp"

namespace embeddings {

/// Creates a channel to `host:port`, `http://host:port`, or `https://host:port` (TLS). It connects on the first call and
/// reconnects if the connection breaks. Unary calls that cannot reach the server are retried, except deletions: their number of
/// deleted points would be wrong. Throws std::invalid_argument if the address has another form, a file of `security` cannot be
/// used, or its API key would be sent without TLS to another machine; nothing is sent.
std::shared_ptr<grpc::Channel> connect(const std::string& address, const Security& security = {});

/// Creates a context with a deadline, for one unary call.
std::unique_ptr<grpc::ClientContext> within(std::chrono::milliseconds timeout = std::chrono::seconds(30));

}  // namespace embeddings
