#pragma once

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>

namespace embeddings {

/// Options of a stream. Streams send several items in one message, which costs less per item; `next` and `handle` get single items.
struct Options {
  /// Maximum time to wait for the next response while requests are unanswered. Default: 30 s.
  std::chrono::milliseconds timeout = std::chrono::seconds(30);
  /// Maximum number of unanswered requests, which are kept in memory. At least 1. Default: 512.
  std::size_t max_in_flight = 512;
  /// Maximum number of consecutive connections that break without a response. Default: 5.
  int attempts = 5;
  /// Maximum number of items in one message, 1 to 1,000. At most a quarter of `max_in_flight` is used. 1 turns messages with several
  /// items off: required by servers of an earlier version, with which a stream otherwise fails with INTERNAL ("out of order").
  /// Default: 64.
  std::size_t max_items_per_message = 64;
  /// Maximum size of the items in one message, in bytes, 1 to 67,108,864. A larger item is sent alone. Default: 524,288.
  std::size_t max_bytes_per_message = 524288;
  /// Maximum time that an item waits for others, 0 to 1 s. An item waits only while earlier items are unanswered. Default: 2 ms.
  std::chrono::milliseconds batch_delay = std::chrono::milliseconds(2);
};

/// Throws std::invalid_argument if an option is out of range.
inline void check(const Options& options) {
  auto in = [](const char* name, long long value, long long least, long long most, const char* unit) {
    if (value < least || value > most) {
      throw std::invalid_argument(std::string(name) + " must be between " + std::to_string(least) + " and " + std::to_string(most) + unit + "; got " +
                                  std::to_string(value) + ".");
    }
  };
  in("max_in_flight", static_cast<long long>(options.max_in_flight), 1, 1000000000, "");
  in("max_items_per_message", static_cast<long long>(options.max_items_per_message), 1, 1000, "");
  in("max_bytes_per_message", static_cast<long long>(options.max_bytes_per_message), 1, 64 << 20, "");
  in("batch_delay", options.batch_delay.count(), 0, 1000, " ms");
}

}  // namespace embeddings
