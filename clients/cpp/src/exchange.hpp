#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <grpcpp/alarm.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/async_stream.h>

#include "error.hpp"
#include "options.hpp"
#include "pump.hpp"

namespace embeddings {

/// Sends the requests that `next` returns until it returns no value, and calls `handle` with each request and its
/// response, in order.
///
/// `handle` runs on the caller's thread, with a completion queue, which reads and writes concurrently. `next` runs on another
/// thread, at most one message ahead of what flow control allows to send. Requests are sent in messages of several (`Options`). If
/// the connection breaks, unanswered requests are resent on a new one, which is safe because points are replaced by id. Every end
/// that the server did not state itself is a broken connection.
template <typename Request, typename Response>
class Exchange {
 public:
  using Stream = grpc::ClientAsyncReaderWriter<Request, Response>;
  /// `PrepareAsync...` method of a generated stub.
  using Open = std::function<std::unique_ptr<Stream>(grpc::ClientContext*, grpc::CompletionQueue*)>;
  using Next = std::function<std::optional<Request>()>;
  using Handle = std::function<void(const Request&, const Response&)>;

  /// Throws std::invalid_argument if an option is out of range.
  Exchange(Open open, Next next, Handle handle, Options options = {})
      : open_(std::move(open)), next_(std::move(next)), handle_(std::move(handle)), options_(options) {
    check(options);
  }

  /// Returns when all requests are answered. Throws `Error` if the whole stream fails, and any exception that `next` or
  /// `handle` throws; a call of `next` in progress is waited for. Can be called only once.
  void run() {
    Pump<Request> pump(next_, options_);
    pump_ = &pump;
    int attempt = 1;
    // A stream is opened only when there is something to send: a slow source does not cost attempts.
    while (pump.has_work()) {
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
        if (pump.unanswered() > 0 || !pump.is_done()) {
          throw Error(grpc::StatusCode::INTERNAL, "INTERNAL", "",
                      "The server ended the stream with " + std::to_string(pump.unanswered()) + " items unanswered.");
        }
        return;
      }
      const Error error = Error::from_stream(status);
      if (!error.retryable()) {
        throw error;
      }
      attempt = answered_ ? 1 : attempt;
      if (pump.unanswered() == 0) {
        continue;
      }
      if (attempt >= options_.attempts) {
        throw error;
      }
      const std::chrono::milliseconds pause(std::min(100 << attempt, 5000));
      std::this_thread::sleep_for(std::max(pause, error.retry_after()));
      ++attempt;
    }
    if (pump.failure()) {
      std::rethrow_exception(pump.failure());
    }
  }

  /// Number of messages sent, of one item or several, on all connections.
  std::size_t messages_sent() const { return messages_sent_; }

 private:
  using Clock = std::chrono::steady_clock;

  enum Tag : std::intptr_t { kStart = 1, kRead, kWrite, kWritesDone, kFinish, kReady };

  static void* tag(Tag value) { return reinterpret_cast<void*>(static_cast<std::intptr_t>(value)); }

  // State machine of one connection. The queue returns every operation that was started; the connection ends when all
  // have been returned.
  grpc::Status run_once() {
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    grpc::Status status;
    std::optional<grpc::Alarm> alarm;
    context_ = &context;
    stream_ = open_(&context, &queue);
    writing_ = done_writing_ = finishing_ = overdue_ = false;
    pending_ = 1;
    stream_->StartCall(tag(kStart));
    // Called on the thread that reads the source. The previous alarm has been returned by then.
    pump_->connect([&alarm, &queue] { alarm.emplace().Set(&queue, std::chrono::system_clock::now(), tag(kReady)); });
    auto since = Clock::now();
    while (pending_ > 0) {
      const bool owed = pump_->unanswered() > 0;
      void* what = nullptr;
      bool ok = false;
      const auto event = queue.AsyncNext(&what, &ok, std::chrono::system_clock::now() + patience());
      if (!owed) {
        // Time in which there is nothing to answer does not count.
        since = Clock::now();
      }
      if (event == grpc::CompletionQueue::TIMEOUT) {
        if (!overdue_ && Clock::now() - since > options_.timeout) {
          overdue_ = true;
          context.TryCancel();
        }
        write();
        continue;
      }
      const Tag which = static_cast<Tag>(reinterpret_cast<std::intptr_t>(what));
      pending_ -= which == kReady ? 0 : 1;
      switch (which) {
        case kStart:
          if (ok) {
            started_ = true;
            read();
            write();
            since = Clock::now();
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
          // Only now: time in which the handler is slow does not count.
          since = Clock::now();
          break;
        case kWrite:
          writing_ = false;
          if (ok) {
            write();
          }
          break;
        case kReady:
          pump_->heard();
          write();
          break;
        case kWritesDone:
        case kFinish:
          break;
      }
    }
    pump_->disconnect();
    started_ = false;
    queue.Shutdown();
    void* rest = nullptr;
    bool ok = false;
    while (queue.Next(&rest, &ok)) {
    }
    stream_.reset();
    return status;
  }

  // Time to wait for an event: until the waiting requests are sent at the latest, if they can be.
  Clock::duration patience() {
    const Clock::duration most = std::min(options_.timeout, std::chrono::milliseconds(1000));
    const auto due = can_write() ? pump_->due() : std::nullopt;
    return due ? std::clamp(*due - Clock::now(), Clock::duration::zero(), most) : most;
  }

  void read() {
    ++pending_;
    stream_->Read(&answer_, tag(kRead));
  }

  bool can_write() const { return started_ && !writing_ && !done_writing_ && !finishing_; }

  void write() {
    if (!can_write()) {
      return;
    }
    if (const auto requests = pump_->message(); !requests.empty()) {
      ++pending_;
      ++messages_sent_;
      writing_ = true;
      // gRPC has serialized the message when this returns. The requests are kept in case they must be resent.
      if (requests.size() == 1) {
        // Servers of an earlier version also understand this form.
        stream_->Write(*requests.front(), tag(kWrite));
        return;
      }
      // The message borrows the requests.
      Request message;
      for (Request* request : requests) {
        message.mutable_items()->UnsafeArenaAddAllocated(request);
      }
      stream_->Write(message, tag(kWrite));
      while (message.items_size() > 0) {
        static_cast<void>(message.mutable_items()->UnsafeArenaReleaseLast());
      }
    } else if (pump_->failure()) {
      if (!failure_) {
        failure_ = pump_->failure();
        context_->TryCancel();
      }
    } else if (pump_->is_sent()) {
      ++pending_;
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
    if (answer_.items().empty()) {
      take(answer_);
    }
    for (const Response& result : answer_.items()) {
      take(result);
    }
  }

  void take(const Response& result) {
    const std::optional<Request> request = pump_->take(result.item_id());
    if (!request) {
      throw Error(grpc::StatusCode::INTERNAL, "INTERNAL", "item_id", "The response for item '" + result.item_id() + "' is out of order.");
    }
    answered_ = true;
    handle_(*request, result);
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

  Pump<Request>* pump_ = nullptr;
  std::size_t messages_sent_ = 0;
  bool answered_ = false;
  std::exception_ptr failure_;

  grpc::ClientContext* context_ = nullptr;
  std::unique_ptr<Stream> stream_;
  Response answer_;
  int pending_ = 0;
  bool started_ = false;
  bool writing_ = false;
  bool done_writing_ = false;
  bool finishing_ = false;
  bool overdue_ = false;
};

}  // namespace embeddings
