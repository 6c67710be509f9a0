// Tests of the messages of a stream, against a server with scripted responses.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <iostream>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <grpcpp/create_channel.h>
#include <grpcpp/server_builder.h>

#include "embeddings/v1/ingest_service.grpc.pb.h"
#include "exchange.hpp"
#include "vectors.hpp"

namespace v1 = embeddings::v1;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

using Stream = grpc::ServerReaderWriter<v1::StreamIngestResponse, v1::StreamIngestRequest>;

void expect(bool holds, const std::string& otherwise) {
  if (!holds) {
    throw std::runtime_error(otherwise);
  }
}

/// Something that happens once.
class Event {
 public:
  void set() {
    const std::lock_guard<std::mutex> lock(mutex_);
    happened_ = true;
    changed_.notify_all();
  }

  bool wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, seconds(30), [this] { return happened_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool happened_ = false;
};

std::vector<v1::StreamIngestRequest> items_of(const v1::StreamIngestRequest& message) {
  return message.items().empty() ? std::vector<v1::StreamIngestRequest>{message}
                                 : std::vector<v1::StreamIngestRequest>(message.items().begin(), message.items().end());
}

v1::StreamIngestResponse ack(const std::string& id) {
  v1::StreamIngestResponse response;
  response.set_item_id(id);
  response.mutable_ack()->set_point_id(id);
  return response;
}

v1::StreamIngestResponse ack_all(const v1::StreamIngestRequest& message) {
  if (message.items().empty()) {
    return ack(message.item_id());
  }
  v1::StreamIngestResponse response;
  for (const auto& item : message.items()) {
    *response.add_items() = ack(item.item_id());
  }
  return response;
}

/// Answers a message; returns false to break the connection.
using Script = std::function<bool(const v1::StreamIngestRequest&, Stream*, int call)>;

bool echo(const v1::StreamIngestRequest& message, Stream* stream, int) {
  stream->Write(ack_all(message));
  return true;
}

class Service final : public v1::IngestService::Service {
 public:
  explicit Service(Script script) : script_(std::move(script)) {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    stub = v1::IngestService::NewStub(grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials()));
  }

  ~Service() override { server_->Shutdown(std::chrono::system_clock::now()); }

  grpc::Status StreamIngest(grpc::ServerContext*, Stream* stream) override {
    const int call = ++calls;
    v1::StreamIngestRequest message;
    while (stream->Read(&message)) {
      sizes.push_back(message.items_size());
      if (!script_(message, stream, call)) {
        return grpc::Status(grpc::StatusCode::UNAVAILABLE, "away");
      }
    }
    return grpc::Status::OK;
  }

  int most() const { return sizes.empty() ? 0 : *std::max_element(sizes.begin(), sizes.end()); }

  std::unique_ptr<v1::IngestService::Stub> stub;
  std::vector<int> sizes;
  std::atomic<int> calls = 0;

 private:
  Script script_;
  std::unique_ptr<grpc::Server> server_;
};

using Exchange = embeddings::Exchange<v1::StreamIngestRequest, v1::StreamIngestResponse>;

v1::StreamIngestRequest item(int number, std::size_t size) {
  v1::StreamIngestRequest request;
  request.set_item_id(std::to_string(number));
  request.mutable_image()->mutable_image()->set_encoded(std::string(size, 'x'));
  return request;
}

Exchange::Next source(int count, std::size_t size, std::function<void(int)> before = [](int) {}) {
  return [at = 0, count, size, before]() mutable -> std::optional<v1::StreamIngestRequest> {
    before(at);
    return at == count ? std::nullopt : std::optional(item(at++, size));
  };
}

embeddings::Options slow() {
  embeddings::Options options;
  options.batch_delay = seconds(1);
  return options;
}

Exchange exchange(Service* service, Exchange::Next next, Exchange::Handle handle, embeddings::Options options) {
  auto open = [service](grpc::ClientContext* context, grpc::CompletionQueue* queue) { return service->stub->PrepareAsyncStreamIngest(context, queue); };
  return Exchange(open, std::move(next), std::move(handle), options);
}

/// Sends items and checks that each is answered once, in order.
void send(Service* service, int count, std::size_t size, embeddings::Options options, std::function<void(int)> before = [](int) {}) {
  int answered = 0;
  auto handle = [&answered](const v1::StreamIngestRequest& request, const v1::StreamIngestResponse& response) {
    expect(request.item_id() == std::to_string(answered) && response.item_id() == request.item_id(), "item " + response.item_id() + " was answered");
    expect(request.has_image(), "the request is not the one that was sent");
    ++answered;
  };
  Exchange sending = exchange(service, source(count, size, std::move(before)), handle, options);
  sending.run();
  expect(answered == count, std::to_string(answered) + " items were answered");
  if (service->calls == 1) {
    expect(sending.messages_sent() == service->sizes.size(), std::to_string(sending.messages_sent()) + " messages were counted");
  }
}

void expect_error(Service* service, int count, grpc::StatusCode code, const std::string& message, embeddings::Options options = {}) {
  try {
    send(service, count, 10, options);
  } catch (const embeddings::Error& error) {
    expect(error.code() == code && std::string(error.what()).find(message) != std::string::npos, std::string("got ") + error.what());
    return;
  }
  throw std::runtime_error("no error");
}

void items_that_wait_are_sent_in_one_message() {
  Service service(echo);
  send(&service, 1000, 10, slow());
  expect(service.most() == 64, "the largest message has " + std::to_string(service.most()) + " items");
  expect(service.sizes.size() < 100, std::to_string(service.sizes.size()) + " messages");
}

void a_single_item_is_sent_in_the_single_form() {
  Service service(echo);
  std::mutex mutex;
  std::condition_variable changed;
  int answered = 0;
  auto before = [&](int at) {
    std::unique_lock<std::mutex> lock(mutex);
    expect(changed.wait_for(lock, seconds(30), [&] { return answered >= at; }), "no answer");
  };
  auto handle = [&](const v1::StreamIngestRequest&, const v1::StreamIngestResponse&) {
    const std::lock_guard<std::mutex> lock(mutex);
    ++answered;
    changed.notify_all();
  };
  exchange(&service, source(5, 10, before), handle, slow()).run();
  expect(service.sizes == std::vector<int>(5, 0), std::to_string(service.sizes.size()) + " messages");
}

void messages_keep_their_bounds() {
  {
    Service service(echo);
    auto options = slow();
    options.max_items_per_message = 1000;
    options.max_bytes_per_message = 15800;
    // 15 items of about 1,020 bytes.
    send(&service, 100, 1000, options);
    expect(service.most() == 15, "the largest message has " + std::to_string(service.most()) + " items");
  }
  {
    Service service(echo);
    auto options = slow();
    options.max_bytes_per_message = 10000;
    send(&service, 5, 20000, options);
    expect(service.sizes == std::vector<int>(5, 0), "items that are larger were not sent alone");
  }
  {
    Service service(echo);
    auto options = slow();
    options.max_in_flight = 40;
    send(&service, 200, 10, options);
    // A quarter of the window, so that several messages are in flight.
    expect(service.most() == 10, "the largest message has " + std::to_string(service.most()) + " items");
  }
  {
    Service service(echo);
    auto options = slow();
    options.max_items_per_message = 1;
    send(&service, 200, 10, options);
    expect(service.sizes == std::vector<int>(200, 0), std::to_string(service.sizes.size()) + " messages");
  }
}

void an_item_waits_no_longer_than_the_delay() {
  Event second;
  std::vector<std::string> unanswered;
  Service service([&](const v1::StreamIngestRequest& message, Stream* stream, int) {
    for (const auto& received : items_of(message)) {
      unanswered.push_back(received.item_id());
    }
    if (unanswered.size() == 2) {
      second.set();
      for (const auto& id : unanswered) {
        stream->Write(ack(id));
      }
    }
    return true;
  });
  send(&service, 2, 10, {}, [&](int at) {
    // No further item pushes the second one.
    expect(at < 2 || second.wait(), "the second item was not sent");
  });
}

void results_can_come_in_several_messages_with_errors_in_their_place() {
  Service service([](const v1::StreamIngestRequest& message, Stream* stream, int) {
    v1::StreamIngestResponse response;
    for (const auto& received : items_of(message)) {
      auto* result = response.add_items();
      *result = ack(received.item_id());
      if (received.item_id() == "150") {
        result->mutable_error()->set_reason("IMAGE_EMPTY");
      }
      if (response.items_size() == 7) {
        stream->Write(response);
        response.Clear();
      }
    }
    if (response.items_size() > 0) {
      stream->Write(response);
    }
    return true;
  });
  std::vector<std::string> failed;
  auto handle = [&](const v1::StreamIngestRequest& request, const v1::StreamIngestResponse& response) {
    if (response.has_error()) {
      failed.push_back(request.item_id());
    }
  };
  exchange(&service, source(300, 10), handle, {}).run();
  expect(failed == std::vector<std::string>{"150"}, std::to_string(failed.size()) + " failed");
}

void a_connection_that_breaks_within_a_message_loses_no_item() {
  Service service([](const v1::StreamIngestRequest& message, Stream* stream, int call) {
    if (call > 3 || message.items_size() <= 5) {
      return echo(message, stream, call);
    }
    for (int at = 0; at < 5; ++at) {
      stream->Write(ack(message.items(at).item_id()));
    }
    return false;
  });
  send(&service, 300, 10, slow());
  expect(service.calls == 4, std::to_string(service.calls) + " calls");
}

void more_results_than_items_are_an_error() {
  Service service([](const v1::StreamIngestRequest& message, Stream* stream, int) {
    v1::StreamIngestResponse response;
    *response.add_items() = ack(message.item_id());
    *response.add_items() = ack(message.item_id());
    return stream->Write(response);
  });
  expect_error(&service, 1, grpc::StatusCode::INTERNAL, "out of order");
}

void a_server_of_an_earlier_version_needs_messages_of_one_item() {
  Service service([](const v1::StreamIngestRequest& message, Stream* stream, int) {
    // It ignores the unknown items and sees an empty one.
    v1::StreamIngestResponse error;
    error.mutable_error()->set_reason("FIELD_REQUIRED");
    stream->Write(message.item_id().empty() ? error : ack(message.item_id()));
    return true;
  });
  expect_error(&service, 100, grpc::StatusCode::INTERNAL, "out of order");
  embeddings::Options single;
  single.max_items_per_message = 1;
  send(&service, 100, 10, single);
}

void exceptions_are_rethrown_unchanged() {
  Service service(echo);
  auto lost = [](int at) {
    if (at == 50) {
      throw std::range_error("lost");
    }
  };
  for (const bool in_source : {true, false}) {
    int answered = 0;
    auto handle = [&](const v1::StreamIngestRequest&, const v1::StreamIngestResponse&) { lost(in_source ? 0 : answered++); };
    try {
      exchange(&service, in_source ? source(100, 10, lost) : source(100, 10), handle, {}).run();
    } catch (const std::range_error&) {
      continue;
    }
    throw std::runtime_error(in_source ? "no exception of the source" : "no exception of the handler");
  }
}

void a_silent_server_times_out_an_idle_source_does_not() {
  Event ended;
  Service silent([&](const v1::StreamIngestRequest&, Stream*, int) { return ended.wait(); });
  embeddings::Options options;
  options.timeout = milliseconds(300);
  expect_error(&silent, 3, grpc::StatusCode::DEADLINE_EXCEEDED, "no response", options);
  ended.set();

  Service service(echo);
  std::mutex mutex;
  std::condition_variable changed;
  bool answered = false;
  auto before = [&](int at) {
    if (at == 1) {
      std::unique_lock<std::mutex> lock(mutex);
      expect(changed.wait_for(lock, seconds(30), [&] { return answered; }), "no answer");
      lock.unlock();
      std::this_thread::sleep_for(milliseconds(1500));
    }
  };
  auto handle = [&](const v1::StreamIngestRequest&, const v1::StreamIngestResponse&) {
    const std::lock_guard<std::mutex> lock(mutex);
    answered = true;
    changed.notify_all();
  };
  options.timeout = milliseconds(1000);
  exchange(&service, source(2, 10, before), handle, options).run();
}

void options_have_limits() {
  embeddings::Options options[4];
  options[0].max_items_per_message = 0;
  options[1].max_items_per_message = 1001;
  options[2].max_bytes_per_message = 0;
  options[3].batch_delay = milliseconds(1001);
  for (const auto& invalid : options) {
    try {
      embeddings::check(invalid);
    } catch (const std::invalid_argument&) {
      continue;
    }
    throw std::runtime_error("no error");
  }
}

void vectors_as_bytes() {
  const std::vector<float> vector = {0.1F, -2.5F, 1e-30F, 3.4e38F};
  const std::string data = embeddings::to_bytes(vector);
  expect(data.substr(0, 4) == "\xcd\xcc\xcc\x3d", "not little-endian");
  v1::Embedding numbers, bytes;
  numbers.mutable_values()->Add(vector.begin(), vector.end());
  bytes.set_values_f32(data);
  expect(embeddings::vector_of(numbers) == vector && embeddings::vector_of(bytes) == vector, "another vector of an embedding");
  v1::VectorPoint point;
  point.set_vector_f32(data);
  expect(embeddings::vector_of(point) == vector && embeddings::vector_of(v1::VectorPoint()).empty(), "another vector of a point");
  try {
    embeddings::from_bytes(data.substr(1));
  } catch (const std::invalid_argument&) {
    return;
  }
  throw std::runtime_error("15 bytes are no vector");
}

}  // namespace

int main() {
  const std::pair<const char*, void (*)()> tests[] = {
      {"items that wait are sent in one message", items_that_wait_are_sent_in_one_message},
      {"a single item is sent in the single form", a_single_item_is_sent_in_the_single_form},
      {"messages keep their bounds", messages_keep_their_bounds},
      {"an item waits no longer than the delay", an_item_waits_no_longer_than_the_delay},
      {"results can come in several messages, with errors in their place", results_can_come_in_several_messages_with_errors_in_their_place},
      {"a connection that breaks within a message loses no item", a_connection_that_breaks_within_a_message_loses_no_item},
      {"more results than items are an error", more_results_than_items_are_an_error},
      {"a server of an earlier version needs messages of one item", a_server_of_an_earlier_version_needs_messages_of_one_item},
      {"exceptions are rethrown unchanged", exceptions_are_rethrown_unchanged},
      {"a silent server times out, an idle source does not", a_silent_server_times_out_an_idle_source_does_not},
      {"options have limits", options_have_limits},
      {"vectors as bytes", vectors_as_bytes},
  };
  int code = 0;
  for (const auto& [name, test] : tests) {
    try {
      test();
      std::cout << "ok " << name << std::endl;
    } catch (const std::exception& error) {
      std::cout << "FAILED " << name << ": " << error.what() << std::endl;
      code = 1;
    }
  }
  return code;
}
