#include "error.hpp"

#include <utility>

#include "embeddings_status.pb.h"

namespace embeddings {
namespace {

std::string describe(const std::string& reason, const std::string& field, const std::string& message) {
  std::string text;
  for (const std::string* part : {&reason, &field, &message}) {
    if (!part->empty()) {
      text += (text.empty() ? "" : ": ") + *part;
    }
  }
  return text;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

Error::Error(grpc::StatusCode code, std::string reason, std::string field, const std::string& message, std::chrono::milliseconds retry_after)
    : std::runtime_error(describe(reason, field, message)), code_(code), reason_(std::move(reason)), field_(std::move(field)), retry_after_(retry_after) {}

Error Error::from_call(const grpc::Status& status) {
  std::string reason, field;
  std::chrono::milliseconds retry_after{0};
  client::Status details;
  if (details.ParseFromString(status.error_details())) {
    for (const auto& detail : details.details()) {
      client::ErrorInfo info;
      client::BadRequest bad;
      client::RetryInfo retry;
      if (ends_with(detail.type_url(), ".ErrorInfo") && info.ParseFromString(detail.value())) {
        reason = info.reason();
      } else if (ends_with(detail.type_url(), ".BadRequest") && bad.ParseFromString(detail.value()) && bad.field_violations_size() > 0) {
        field = bad.field_violations(0).field();
      } else if (ends_with(detail.type_url(), ".RetryInfo") && retry.ParseFromString(detail.value())) {
        retry_after = std::chrono::milliseconds(retry.retry_delay().seconds() * 1000 + retry.retry_delay().nanos() / 1000000);
      }
    }
  }
  return Error(status.error_code(), reason, field, status.error_message(), retry_after);
}

Error Error::from_stream(const grpc::Status& status) {
  const Error error = from_call(status);
  const grpc::StatusCode code = error.code();
  const bool broken = code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::CANCELLED || code == grpc::StatusCode::INTERNAL ||
                      code == grpc::StatusCode::UNKNOWN;
  if (!error.reason().empty() || !broken) {
    return error;
  }
  return Error(grpc::StatusCode::UNAVAILABLE, "", "", "The connection broke: " + status.error_message());
}

Error Error::from_item(const embeddings::v1::ItemError& error) {
  return Error(static_cast<grpc::StatusCode>(error.code()), error.reason(), error.field(), error.message());
}

bool Error::retryable() const {
  return code_ == grpc::StatusCode::UNAVAILABLE || (code_ == grpc::StatusCode::RESOURCE_EXHAUSTED && retry_after_.count() > 0);
}

}  // namespace embeddings
