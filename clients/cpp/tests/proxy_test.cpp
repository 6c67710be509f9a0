// Tests of streams through HAProxy, which ends a stream that is idle for two seconds, without trailers.
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
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

namespace v1 = embeddings::v1;

namespace {

void expect(bool holds, const std::string& otherwise) {
  if (!holds) {
    throw std::runtime_error(otherwise);
  }
}

using Stream = grpc::ServerReaderWriter<v1::StreamIngestResponse, v1::StreamIngestRequest>;

// Answers the items of a call, at most `limit`, and returns whether there were as many.
bool answer(Stream* stream, int limit) {
  v1::StreamIngestRequest message;
  int answered = 0;
  auto one = [&](const v1::StreamIngestRequest& request) {
    if (answered == limit) {
      return;
    }
    v1::StreamIngestResponse response;
    response.set_item_id(request.item_id());
    response.mutable_ack()->set_point_id(request.image().job_id());
    stream->Write(response);
    ++answered;
  };
  while (answered < limit) {
    if (!stream->Read(&message)) {
      return false;
    }
    if (message.items().empty()) {
      one(message);
    }
    for (const auto& item : message.items()) {
      one(item);
    }
  }
  return true;
}

class Service final : public v1::IngestService::Service {
 public:
  using Handler = std::function<void(int call, Stream*)>;

  explicit Service(Handler handler) : handler_(std::move(handler)) {}

  grpc::Status StreamIngest(grpc::ServerContext*, Stream* stream) override {
    int call = 0;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      call = ++calls_;
    }
    called_.notify_all();
    handler_(call, stream);
    return grpc::Status::OK;
  }

  void wait_for_call(int number) {
    std::unique_lock<std::mutex> lock(mutex_);
    called_.wait_for(lock, std::chrono::seconds(60), [&] { return calls_ >= number; });
  }

  int calls() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return calls_;
  }

 private:
  Handler handler_;
  std::mutex mutex_;
  std::condition_variable called_;
  int calls_ = 0;
};

class Proxy {
 public:
  explicit Proxy(int port) {
    std::string pattern = (std::filesystem::temp_directory_path() / "embeddings-proxy-XXXXXX").string();
    expect(mkdtemp(pattern.data()) != nullptr, "there is no folder for temporary files");
    folder_ = pattern;
    std::ofstream(folder_ / "haproxy.cfg") << "defaults\n"
                                              "  mode http\n"
                                              "  timeout connect 5s\n"
                                              "  timeout client 2s\n"
                                              "  timeout server 2s\n"
                                              "listen embeddings\n"
                                           << "  bind unix@" << socket() << " proto h2\n"
                                           << "  server embeddings 127.0.0.1:" << port << " proto h2\n";
    // As a daemon, it returns when it listens. It is not on the PATH of every user.
    const std::string command =
        "PATH=\"$PATH:/usr/sbin\" haproxy -D -q -p " + (folder_ / "pid").string() + " -f " + (folder_ / "haproxy.cfg").string();
    expect(std::system(command.c_str()) == 0, "haproxy did not start");
  }

  ~Proxy() {
    pid_t pid = 0;
    if (std::ifstream(folder_ / "pid") >> pid) {
      kill(pid, SIGKILL);
    }
    std::filesystem::remove_all(folder_);
  }

  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  std::string socket() const { return (folder_ / "socket").string(); }

 private:
  std::filesystem::path folder_;
};

// Sends `count` items through the proxy and checks that each is answered once, in order.
void send(Service* service, int count, const std::function<void(int)>& before) {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(service);
  const auto server = builder.BuildAndStart();
  const Proxy proxy(port);
  const auto stub = v1::IngestService::NewStub(grpc::CreateChannel("unix:" + proxy.socket(), grpc::InsecureChannelCredentials()));

  int read = 0;
  std::vector<std::string> answered;
  auto open = [&](grpc::ClientContext* context, grpc::CompletionQueue* queue) { return stub->PrepareAsyncStreamIngest(context, queue); };
  auto next = [&]() -> std::optional<v1::StreamIngestRequest> {
    if (read == count) {
      return std::nullopt;
    }
    before(read);
    v1::StreamIngestRequest request;
    request.set_item_id(std::to_string(read));
    request.mutable_image()->set_job_id(std::to_string(read));
    ++read;
    return request;
  };
  auto handle = [&](const v1::StreamIngestRequest&, const v1::StreamIngestResponse& response) { answered.push_back(response.ack().point_id()); };
  embeddings::Exchange<v1::StreamIngestRequest, v1::StreamIngestResponse>(open, next, handle).run();
  server->Shutdown(std::chrono::system_clock::now());

  expect(answered.size() == static_cast<std::size_t>(count), std::to_string(answered.size()) + " items were answered");
  for (int at = 0; at < count; ++at) {
    expect(answered[at] == std::to_string(at), "item " + answered[at] + " was answered in place of item " + std::to_string(at));
  }
}

void a_source_that_pauses_longer_than_the_proxy_waits_loses_no_item() {
  Service service([](int, Stream* stream) { answer(stream, 1000); });
  send(&service, 20, [](int item) {
    if (item == 5 || item == 15) {
      std::this_thread::sleep_for(std::chrono::milliseconds(3500));
    }
  });
  expect(service.calls() > 1, "the proxy did not end the stream");
}

void items_without_an_answer_when_the_proxy_ends_the_stream_are_sent_again() {
  Service service([&service](int call, Stream* stream) {
    if (answer(stream, call <= 2 ? 7 : 1000)) {
      // The rest is not answered. The next call comes when the proxy has ended this one.
      service.wait_for_call(call + 1);
    }
  });
  send(&service, 20, [](int) {});
  expect(service.calls() == 3, std::to_string(service.calls()) + " calls");
}

}  // namespace

int main() {
  const std::pair<const char*, void (*)()> tests[] = {
      {"a source that pauses longer than the proxy waits loses no item", a_source_that_pauses_longer_than_the_proxy_waits_loses_no_item},
      {"items without an answer when the proxy ends the stream are sent again", items_without_an_answer_when_the_proxy_ends_the_stream_are_sent_again},
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
