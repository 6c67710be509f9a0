#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

namespace embeddings {

/// A channel to `host:port` or `http://host:port`, without TLS. It connects at the first call and again whenever the connection breaks; single calls that
/// find no server are tried again, all but deletions, whose count would be wrong. Throws std::invalid_argument for anything else.
std::shared_ptr<grpc::Channel> connect(const std::string& address);

/// A context for one single call, with a deadline.
std::unique_ptr<grpc::ClientContext> within(std::chrono::milliseconds timeout = std::chrono::seconds(30));

}  // namespace embeddings
