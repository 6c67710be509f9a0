// Tests of TLS options and API keys. The interop step `secure` tests them over TLS.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include <grpcpp/server_builder.h>

#include "connection.hpp"
#include "embeddings/v1/person_service.grpc.pb.h"
#include "error.hpp"

namespace v1 = embeddings::v1;

namespace {

const std::string kKey = "emb_secret";

void expect(bool holds, const std::string& otherwise) {
  if (!holds) {
    throw std::runtime_error(otherwise);
  }
}

// Notes the values of `authorization`.
class Service final : public v1::PersonService::Service {
 public:
  grpc::Status ListPersons(grpc::ServerContext* context, const v1::ListPersonsRequest*, v1::ListPersonsResponse*) override {
    note(*context);
    return grpc::Status::OK;
  }

  grpc::Status ClusterFaces(grpc::ServerContext* context, const v1::ClusterFacesRequest*, grpc::ServerWriter<v1::ClusterFacesResponse>*) override {
    note(*context);
    return grpc::Status::OK;
  }

  std::vector<std::string> values() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return values_;
  }

 private:
  void note(const grpc::ServerContext& context) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = context.client_metadata().find("authorization");
    values_.push_back(found == context.client_metadata().end() ? "" : std::string(found->second.data(), found->second.size()));
  }

  std::mutex mutex_;
  std::vector<std::string> values_;
};

embeddings::Security with_key(const std::string& key) {
  embeddings::Security security;
  security.api_key = key;
  return security;
}

std::string refused(const std::string& address, const embeddings::Security& security) {
  try {
    embeddings::connect(address, security);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  throw std::runtime_error(address + " was not refused");
}

void the_key_is_sent_with_every_kind_of_call() {
  Service service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  // A key without TLS must not go to a proxy.
  setenv("grpc_proxy", "http://127.0.0.1:1", 1);
  const auto with = v1::PersonService::NewStub(embeddings::connect("127.0.0.1:" + std::to_string(port), with_key(kKey)));
  v1::ListPersonsResponse answer;
  embeddings::check(with->ListPersons(embeddings::within().get(), {}, &answer));
  const auto context = embeddings::within();
  const auto stream = with->ClusterFaces(context.get(), {});
  v1::ClusterFacesResponse message;
  while (stream->Read(&message)) {
  }
  embeddings::check(stream->Finish());
  unsetenv("grpc_proxy");
  const auto without = v1::PersonService::NewStub(embeddings::connect("127.0.0.1:" + std::to_string(port)));
  embeddings::check(without->ListPersons(embeddings::within().get(), {}, &answer));
  expect(service.values() == std::vector<std::string>{"Bearer " + kKey, "Bearer " + kKey, ""}, "other values of authorization");
}

void a_key_without_tls_is_only_for_this_machine() {
  for (const char* address : {"http://embeddings.example.com:50051", "10.0.0.1:50051", "127.0.0.1.example.com", "127.0.0.1@example.com:1", "[::2]:1", "unix:a"}) {
    const std::string message = refused(address, with_key(kKey));
    expect(message.find("api_key requires") == 0 && message.find(kKey) == std::string::npos, message);
  }
  for (const char* address : {"https://embeddings.example.com:1", "localhost", "http://LOCALHOST:1", "127.0.0.1:1", "127.1.2.3:1", "http://[::1]:1"}) {
    embeddings::connect(address, with_key(kKey));
  }
  for (const char* host : {"", "localhost.example.com", "127.1", "127.0.0.256", "0.0.0.0", "[::]"}) {
    expect(!embeddings::is_loopback(host), host);
  }
  for (const char* key : {" ", "a b", "a\n", "k\xc3\xa9y"}) {
    expect(refused("https://localhost:1", with_key(key)).find("printable ASCII") != std::string::npos, key);
  }
}

void files_that_cannot_be_used_are_refused() {
  const std::string text = "security_test.pem", missing = "security_test.missing.pem", tls = "https://localhost:1";
  std::ofstream(text) << "text";
  const auto refuses = [](const std::string& address, const embeddings::Security& security, const std::string& part) {
    const std::string message = refused(address, security);
    expect(message.find(part) != std::string::npos, message);
  };
  refuses("localhost:1", {text, "", "", ""}, "require an address that starts with https://");
  refuses("localhost:1", {"", text, "", ""}, "require an address that starts with https://");
  refuses(tls, {missing, "", "", ""}, "ca_file '" + missing + "' cannot be read");
  refuses(tls, {text, "", "", ""}, "ca_file must contain");
  refuses(tls, {"", missing, "", ""}, "client_certificate_file '" + missing + "' cannot be read");
  refuses(tls, {"", text, text, ""}, "client_certificate_file must contain");
  refuses(tls, {"", "", text, ""}, "client_key_file requires client_certificate_file");
  std::remove(text.c_str());
}

bool passes(const char* name, const std::function<void()>& test) {
  try {
    test();
    std::cout << "ok " << name << std::endl;
    return true;
  } catch (const std::exception& error) {
    std::cout << "FAILED " << name << ": " << error.what() << std::endl;
    return false;
  }
}

}  // namespace

int main() {
  const bool sent = passes("the key is sent with every kind of call", the_key_is_sent_with_every_kind_of_call);
  const bool refused = passes("a key without TLS is only for this machine", a_key_without_tls_is_only_for_this_machine);
  const bool files = passes("files that cannot be used are refused", files_that_cannot_be_used_are_refused);
  return sent && refused && files ? 0 : 1;
}
