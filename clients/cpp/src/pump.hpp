#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "options.hpp"

namespace embeddings {

/// Reads a source on a thread of its own, packs its requests into the messages of one stream after another, and keeps the
/// unanswered ones. The other functions are called on one thread.
template <typename Request>
class Pump {
 public:
  using Clock = std::chrono::steady_clock;

  Pump(std::function<std::optional<Request>()> next, const Options& options)
      : next_(std::move(next)),
        max_in_flight_(options.max_in_flight),
        // Several messages are in flight, so that the server always has one to work on.
        max_items_(std::min(options.max_items_per_message, std::max<std::size_t>(1, options.max_in_flight / 4))),
        max_bytes_(options.max_bytes_per_message),
        delay_(options.batch_delay),
        reader_([this] { read_all(); }) {}

  /// Waits for a call of `next` in progress.
  ~Pump() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
    reader_.join();
  }

  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;

  /// Waits for a request to send and returns whether there is one. Used between streams.
  bool has_work() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return !unanswered_.empty() || done_; });
    return !unanswered_.empty();
  }

  /// Makes all unanswered requests wait for the messages of a new stream. The reader calls `ready` when a message may be
  /// complete, at most once until `heard` is called.
  void connect(std::function<void()> ready) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ready_ = std::move(ready);
    signalled_ = false;
    for (; sent_ > 0; --sent_) {
      waiting_bytes_ += unanswered_[sent_ - 1].bytes;
    }
  }

  /// After this, `ready` is not called any more.
  void disconnect() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ready_ = nullptr;
  }

  void heard() {
    const std::lock_guard<std::mutex> lock(mutex_);
    signalled_ = false;
  }

  /// Takes the requests of the next message; none if it is not complete. They are valid until they are answered.
  std::vector<Request*> message() {
    std::vector<Request*> requests;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (failure_ || !is_complete()) {
      return requests;
    }
    std::size_t bytes = 0;
    while (sent_ < unanswered_.size() && requests.size() < max_items_) {
      Item& item = unanswered_[sent_];
      if (!requests.empty() && bytes + item.bytes > max_bytes_) {
        break;
      }
      requests.push_back(&item.request);
      bytes += item.bytes;
      ++sent_;
    }
    waiting_bytes_ -= bytes;
    since_ = Clock::now();
    changed_.notify_all();
    return requests;
  }

  /// Returns when the waiting requests are sent at the latest, if there are any.
  std::optional<Clock::time_point> due() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return sent_ < unanswered_.size() ? std::optional<Clock::time_point>(since_ + delay_) : std::nullopt;
  }

  /// Removes the oldest unanswered request and returns it; none if it was not sent or has another id.
  std::optional<Request> take(const std::string& item_id) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (sent_ == 0 || unanswered_.front().request.item_id() != item_id) {
      return std::nullopt;
    }
    std::optional<Request> request(std::move(unanswered_.front().request));
    unanswered_.pop_front();
    --sent_;
    changed_.notify_all();
    return request;
  }

  std::size_t unanswered() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return unanswered_.size();
  }

  /// Whether the source has ended.
  bool is_done() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return done_;
  }

  /// Whether all requests of the source have been sent on the current stream.
  bool is_sent() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return done_ && !failure_ && sent_ == unanswered_.size();
  }

  /// The exception of the source.
  std::exception_ptr failure() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return failure_;
  }

 private:
  struct Item {
    Request request;
    std::size_t bytes;
  };

  bool is_complete() const {
    const std::size_t waiting = unanswered_.size() - sent_;
    return waiting > 0 &&
           // As in Nagle's algorithm: while requests are unanswered, a response will come in any case.
           (sent_ == 0 || waiting >= max_items_ || waiting_bytes_ >= max_bytes_ || unanswered_.size() >= max_in_flight_ || done_ ||
            Clock::now() - since_ >= delay_);
  }

  // At most one message is read ahead, so that a slow server slows down the source.
  bool has_room() const { return unanswered_.size() < max_in_flight_ && unanswered_.size() - sent_ < max_items_ && waiting_bytes_ < max_bytes_; }

  void read_all() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return closed_ || has_room(); });
      if (closed_) {
        return;
      }
      lock.unlock();
      std::optional<Request> request;
      std::exception_ptr failure;
      try {
        request = next_();
      } catch (...) {
        failure = std::current_exception();
      }
      const std::size_t bytes = request ? request->ByteSizeLong() : 0;
      lock.lock();
      if (!request) {
        failure_ = failure;
        done_ = true;
        signal();
        return;
      }
      if (sent_ == unanswered_.size()) {
        since_ = Clock::now();
      }
      unanswered_.push_back({std::move(*request), bytes});
      waiting_bytes_ += bytes;
      // The first request starts the delay.
      if (unanswered_.size() - sent_ == 1 || is_complete()) {
        signal();
      }
    }
  }

  void signal() {
    changed_.notify_all();
    if (ready_ && !signalled_) {
      signalled_ = true;
      ready_();
    }
  }

  std::function<std::optional<Request>()> next_;
  const std::size_t max_in_flight_;
  const std::size_t max_items_;
  const std::size_t max_bytes_;
  const std::chrono::milliseconds delay_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> ready_;
  bool signalled_ = false;
  // Unanswered requests. The first `sent_` of them have been sent on this stream; the others wait for their message, the first of
  // them since `since_`.
  std::deque<Item> unanswered_;
  std::size_t sent_ = 0;
  std::size_t waiting_bytes_ = 0;
  Clock::time_point since_;
  bool done_ = false;
  bool closed_ = false;
  std::exception_ptr failure_;

  // Last, because it uses all of the above.
  std::thread reader_;
};

}  // namespace embeddings
