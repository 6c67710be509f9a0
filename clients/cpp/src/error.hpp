#pragma once

#include <chrono>
#include <stdexcept>
#include <string>

#include <grpcpp/support/status.h>

#include "embeddings/v1/embedding.pb.h"

namespace embeddings {

/// The error of a failed call or item.
class Error : public std::runtime_error {
 public:
  Error(grpc::StatusCode code, std::string reason, std::string field, const std::string& message,
        std::chrono::milliseconds retry_after = std::chrono::milliseconds::zero());

  /// Converts the status of a failed call.
  static Error from_call(const grpc::Status& status);

  /// Converts the status of a failed stream. An end that the server did not state itself is a broken connection, whatever
  /// its code: a proxy that ends a stream after a time limit, for example, leaves INTERNAL or CANCELLED without a reason. It
  /// becomes UNAVAILABLE, which is retryable.
  static Error from_stream(const grpc::Status& status);

  /// Converts the error of a stream item.
  static Error from_item(const embeddings::v1::ItemError& error);

  /// gRPC status code.
  grpc::StatusCode code() const { return code_; }
  /// Machine-readable reason in UPPER_SNAKE_CASE (docs/errors.md). Empty if the server gave none.
  const std::string& reason() const { return reason_; }
  /// Path of the invalid field, for example `image.encoded`. Empty if the error does not concern a field.
  const std::string& field() const { return field_; }
  /// Delay before a retry as requested by the server, or zero.
  std::chrono::milliseconds retry_after() const { return retry_after_; }
  /// Whether a retry may succeed: the server was unavailable, or overloaded and requested a retry.
  bool retryable() const;

 private:
  grpc::StatusCode code_;
  std::string reason_;
  std::string field_;
  std::chrono::milliseconds retry_after_;
};

/// Throws `Error` if the call failed.
inline void check(const grpc::Status& status) {
  if (!status.ok()) {
    throw Error::from_call(status);
  }
}

}  // namespace embeddings
