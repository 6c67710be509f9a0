#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/async_stream.h>

#include "error.hpp"

namespace embeddings {

/// Options of a stream.
struct Options {
  /// Maximum time to wait for the next response while requests are unanswered. Default: 30 s.
  std::chrono::milliseconds timeout = std::chrono::seconds(30);
  /// Maximum number of requests in flight. Default: 512.
  std::size_t max_in_flight = 512;
  /// Maximum number of consecutive connections that break without a response. Default: 5.
  int attempts = 5;
};

/// Sends the requests that `next` returns until it returns no value, and calls `handle` with each request and its
/// response, in order.
///
/// Everything runs on the caller's thread with a completion queue, which reads and writes concurrently. `next` is called
/// only when the previous write has completed; flow control delays writes if the server is busy. If the connection breaks,
/// unanswered requests are resent on a new one, which is safe because points are replaced by id. Every end that the server
/// did not state itself is a broken connection.
template <typename Request, typename Response>
class Exchange {
 public:
  using Stream = grpc::ClientAsyncReaderWriter<Request, Response>;
  /// `PrepareAsync...` method of a generated stub.
  using Open = std::function<std::unique_ptr<Stream>(grpc::ClientContext*, grpc::CompletionQueue*)>;
  using Next = std::function<std::optional<Request>()>;
  using Handle = std::function<void(const Request&, const Response&)>;

  Exchange(Open open, Next next, Handle handle, Options options = {})
      : open_(std::move(open)), next_(std::move(next)), handle_(std::move(handle)), options_(options) {}

  /// Returns when all requests are answered. Throws `Error` if the whole stream fails, and any exception that `next` or
  /// `handle` throws.
  void run() {
    int attempt = 1;
    // A stream is opened only when there is something to send: a slow source does not cost attempts.
    while (has_work()) {
      answered_ = false;
      const grpc::Status status = run_once();
      if (failure_) {
        std::rethrow_exception(failure_);
      }
      if (overdue_) {
        throw Error(grpc::StatusCode::DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "",
                    "The server sent no response within " + std::to_string(options_.timeout.count()) + " ms.");
      }
      if (status.ok()) {
        if (!unanswered_.empty() || !exhausted_) {
          throw Error(grpc::StatusCode::INTERNAL, "INTERNAL", "",
                      "The server ended the stream with " + std::to_string(unanswered_.size()) + " items unanswered.");
        }
        return;
      }
      const Error error = Error::from_stream(status);
      if (!error.retryable()) {
        throw error;
      }
      attempt = answered_ ? 1 : attempt;
      if (unanswered_.empty()) {
        continue;
      }
      if (attempt >= options_.attempts) {
        throw error;
      }
      const std::chrono::milliseconds pause(std::min(100 << attempt, 5000));
      std::this_thread::sleep_for(std::max(pause, error.retry_after()));
      ++attempt;
    }
  }

 private:
  enum Tag : std::intptr_t { kStart = 1, kRead, kWrite, kWritesDone, kFinish };

  static void* tag(Tag value) { return reinterpret_cast<void*>(static_cast<std::intptr_t>(value)); }

  // State machine of one connection. The queue returns every operation that was started; the connection ends when all
  // have been returned.
  grpc::Status run_once() {
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    grpc::Status status;
    context_ = &context;
    stream_ = open_(&context, &queue);
    resent_ = 0;
    writing_ = done_writing_ = finishing_ = overdue_ = false;
    pending_ = 1;
    stream_->StartCall(tag(kStart));
    auto since = std::chrono::steady_clock::now();
    while (pending_ > 0) {
      void* what = nullptr;
      bool ok = false;
      const auto wake = std::chrono::system_clock::now() + std::min(options_.timeout, std::chrono::milliseconds(1000));
      if (queue.AsyncNext(&what, &ok, wake) == grpc::CompletionQueue::TIMEOUT) {
        if (!overdue_ && std::chrono::steady_clock::now() - since > options_.timeout) {
          overdue_ = true;
          context.TryCancel();
        }
        continue;
      }
      --pending_;
      switch (static_cast<Tag>(reinterpret_cast<std::intptr_t>(what))) {
        case kStart:
          if (ok) {
            read();
            write();
          } else {
            finish(&status);
          }
          break;
        case kRead:
          if (!ok) {
            // The server has sent its last response. Finish returns the status.
            finish(&status);
          } else if (guarded([this] { take(); })) {
            read();
            write();
          } else {
            finish(&status);
          }
          break;
        case kWrite:
          writing_ = false;
          if (ok) {
            write();
          }
          break;
        case kWritesDone:
        case kFinish:
          break;
      }
      // Only now: time in which the source or the handler is slow does not count.
      since = std::chrono::steady_clock::now();
    }
    queue.Shutdown();
    void* rest = nullptr;
    bool ok = false;
    while (queue.Next(&rest, &ok)) {
    }
    stream_.reset();
    return status;
  }

  // Waits for a request to send and returns whether there is one. Used between streams.
  bool has_work() {
    if (unanswered_.empty() && !exhausted_) {
      take_next(next_());
    }
    return !unanswered_.empty();
  }

  void take_next(std::optional<Request> request) {
    if (request) {
      unanswered_.push_back(std::move(*request));
    } else {
      exhausted_ = true;
    }
  }

  void read() {
    ++pending_;
    stream_->Read(&answer_, tag(kRead));
  }

  void write() {
    if (writing_ || done_writing_ || finishing_) {
      return;
    }
    if (resent_ == unanswered_.size() && !exhausted_) {
      if (unanswered_.size() >= options_.max_in_flight) {
        return;
      }
      if (!guarded([this] { take_next(next_()); })) {
        return;
      }
    }
    ++pending_;
    if (resent_ < unanswered_.size()) {
      writing_ = true;
      // gRPC has serialized the request when this returns. The request is kept in case it must be resent.
      stream_->Write(unanswered_[resent_++], tag(kWrite));
    } else {
      done_writing_ = true;
      stream_->WritesDone(tag(kWritesDone));
    }
  }

  void finish(grpc::Status* status) {
    if (!finishing_) {
      finishing_ = true;
      ++pending_;
      stream_->Finish(status, tag(kFinish));
    }
  }

  void take() {
    if (unanswered_.empty() || unanswered_.front().item_id() != answer_.item_id()) {
      throw Error(grpc::StatusCode::INTERNAL, "INTERNAL", "item_id",
                  "The response for item '" + answer_.item_id() + "' is out of order.");
    }
    const Request request = std::move(unanswered_.front());
    unanswered_.pop_front();
    --resent_;
    answered_ = true;
    handle_(request, answer_);
  }

  // An exception of a callback ends the exchange, but only after the queue is empty.
  template <typename Callback>
  bool guarded(Callback callback) {
    try {
      callback();
      return true;
    } catch (...) {
      failure_ = std::current_exception();
      context_->TryCancel();
      return false;
    }
  }

  Open open_;
  Next next_;
  Handle handle_;
  Options options_;

  // Unanswered requests. The first `resent_` of them have been sent on this connection.
  std::deque<Request> unanswered_;
  std::size_t resent_ = 0;
  bool exhausted_ = false;
  bool answered_ = false;
  std::exception_ptr failure_;

  grpc::ClientContext* context_ = nullptr;
  std::unique_ptr<Stream> stream_;
  Response answer_;
  int pending_ = 0;
  bool writing_ = false;
  bool done_writing_ = false;
  bool finishing_ = false;
  bool overdue_ = false;
};

}  // namespace embeddings
