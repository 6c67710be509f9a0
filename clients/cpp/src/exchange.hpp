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

/// How a stream behaves.
struct Options {
  /// How long to wait for an answer that is due.
  std::chrono::milliseconds timeout = std::chrono::seconds(30);
  /// Requests without an answer at most.
  std::size_t max_in_flight = 512;
  /// Connections in a row that may break before any answer comes.
  int attempts = 5;
};

/// Sends what `next` gives until it is empty, and calls `handle` with each request and its answer, in order.
///
/// One thread, the caller's, does it on a completion queue: reading and writing go on at the same time, and `next` is asked only when the write before has
/// gone out, which flow control delays where the server is busy. Where the connection breaks, what has no answer is sent again on a new one; point ids make
/// that safe.
template <typename Request, typename Response>
class Exchange {
 public:
  using Stream = grpc::ClientAsyncReaderWriter<Request, Response>;
  /// A stub's `PrepareAsync...`.
  using Open = std::function<std::unique_ptr<Stream>(grpc::ClientContext*, grpc::CompletionQueue*)>;
  using Next = std::function<std::optional<Request>()>;
  using Handle = std::function<void(const Request&, const Response&)>;

  Exchange(Open open, Next next, Handle handle, Options options = {})
      : open_(std::move(open)), next_(std::move(next)), handle_(std::move(handle)), options_(options) {}

  /// Returns when all is answered. Throws `Error` where the stream fails as a whole, and what `next` and `handle` throw.
  void run() {
    for (int attempt = 1;; ++attempt) {
      answered_ = false;
      const grpc::Status status = run_once();
      if (failure_) {
        std::rethrow_exception(failure_);
      }
      if (overdue_) {
        throw Error(grpc::StatusCode::DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "", "no answer within " + std::to_string(options_.timeout.count()) + " ms");
      }
      if (status.ok()) {
        if (!unanswered_.empty() || !exhausted_) {
          throw Error(grpc::StatusCode::INTERNAL, "INTERNAL", "", "the stream ended with " + std::to_string(unanswered_.size()) + " items unanswered");
        }
        return;
      }
      const Error error = Error::from_call(status);
      attempt = answered_ ? 1 : attempt;
      if (!error.retryable() || attempt >= options_.attempts) {
        throw error;
      }
      const std::chrono::milliseconds pause(std::min(100 << attempt, 5000));
      std::this_thread::sleep_for(std::max(pause, error.retry_after()));
    }
  }

 private:
  enum Tag : std::intptr_t { kStart = 1, kRead, kWrite, kWritesDone, kFinish };

  static void* tag(Tag value) { return reinterpret_cast<void*>(static_cast<std::intptr_t>(value)); }

  // The state machine of one connection: every operation that was begun comes back from the queue, so it ends when all have.
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
            // The server has said all; why, Finish tells.
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
      // Not before: a slow source or a slow reader is not the server's fault.
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
      std::optional<Request> request;
      if (!guarded([&] { request = next_(); })) {
        return;
      }
      if (request) {
        unanswered_.push_back(std::move(*request));
      } else {
        exhausted_ = true;
      }
    }
    ++pending_;
    if (resent_ < unanswered_.size()) {
      writing_ = true;
      // gRPC has serialized it when this returns; the request itself stays for the case that it must go again.
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
      throw Error(grpc::StatusCode::INTERNAL, "INTERNAL", "item_id", "the answer for item '" + answer_.item_id() + "' is out of turn");
    }
    const Request request = std::move(unanswered_.front());
    unanswered_.pop_front();
    --resent_;
    answered_ = true;
    handle_(request, answer_);
  }

  // What a callback throws ends the exchange, but only after the queue is empty.
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

  // Requests without an answer; the first `resent_` of them went out on this connection.
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
