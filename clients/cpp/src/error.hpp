#pragma once

#include <chrono>
#include <stdexcept>
#include <string>

#include <grpcpp/support/status.h>

#include "embeddings/v1/embedding.pb.h"

namespace embeddings {

/// A call or an item that failed.
class Error : public std::runtime_error {
 public:
  Error(grpc::StatusCode code, std::string reason, std::string field, const std::string& message,
        std::chrono::milliseconds retry_after = std::chrono::milliseconds::zero());

  /// What a failed call says.
  static Error from_call(const grpc::Status& status);

  /// What one item of a stream failed of.
  static Error from_item(const embeddings::v1::ItemError& error);

  /// The gRPC status code.
  grpc::StatusCode code() const { return code_; }
  /// UPPER_SNAKE word to switch on (docs/errors.md); empty where no server gave one.
  const std::string& reason() const { return reason_; }
  /// Path of the field at fault, for example `image.encoded`; empty where no field is.
  const std::string& field() const { return field_; }
  /// How long the server asks to wait; zero where it does not.
  std::chrono::milliseconds retry_after() const { return retry_after_; }
  /// Whether the same may succeed later: the server was away, or full and said when to come again.
  bool retryable() const;

 private:
  grpc::StatusCode code_;
  std::string reason_;
  std::string field_;
  std::chrono::milliseconds retry_after_;
};

/// Throws what a call says where it failed.
inline void check(const grpc::Status& status) {
  if (!status.ok()) {
    throw Error::from_call(status);
  }
}

}  // namespace embeddings
