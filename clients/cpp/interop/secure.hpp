#pragma once

#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "connection.hpp"
#include "embeddings/v1/ingest_service.grpc.pb.h"
#include "embeddings/v1/model_service.grpc.pb.h"
#include "error.hpp"
#include "exchange.hpp"
#include "helpers.hpp"

/// The step `secure` described in clients/README.md.
class SecureScenario {
 public:
  SecureScenario(std::string address, std::string folder) : address_(std::move(address)), folder_(std::move(folder)) {}

  bool run() {
    const std::pair<const char*, std::function<void()>> steps[] = {
        {"key", [&] { key(); }},
        {"no key", [&] { no_key(); }},
        {"wrong key", [&] { wrong_key(); }},
        {"read key", [&] { read_key(); }},
        {"certificate", [&] { certificate(); }},
        {"no CA", [&] { no_ca(); }},
        {"clear text", [&] { clear_text(); }},
    };
    for (const auto& [name, step] : steps) {
      try {
        step();
      } catch (const std::exception& error) {
        std::cout << "FAILED secure " << name << ": " << error.what() << std::endl;
        return false;
      }
    }
    std::cout << "ok secure" << std::endl;
    return true;
  }

 private:
  using Channel = std::shared_ptr<grpc::Channel>;
  using Outcomes = std::set<std::string>;

  static constexpr int kItems = 20;
  static constexpr const char* kCollection = "interop_cpp_secure";

  void key() {
    const Channel channel = connect(trusting("key.txt"));
    list_models(channel);
    expect_outcomes("ack", ingest(channel, kCollection));
    // Collections are checked for each item.
    expect_outcomes(std::to_string(grpc::PERMISSION_DENIED) + " COLLECTION_DENIED", ingest(channel, "other_cpp"));
  }

  void no_key() {
    const Channel channel = connect(trusting());
    fails([&] { list_models(channel); }, grpc::UNAUTHENTICATED, "KEY_MISSING");
    fails([&] { ingest(channel, kCollection); }, grpc::UNAUTHENTICATED, "KEY_MISSING");
  }

  void wrong_key() {
    const Channel channel = connect(trusting("wrong-key.txt"));
    fails([&] { list_models(channel); }, grpc::UNAUTHENTICATED, "KEY_INVALID");
  }

  void read_key() {
    const Channel channel = connect(trusting("read-key.txt"));
    list_models(channel);
    fails([&] { ingest(channel, kCollection); }, grpc::PERMISSION_DENIED, "ACCESS_DENIED");
  }

  void certificate() {
    embeddings::Security security = trusting();
    security.client_certificate_file = folder_ + "/client.pem";
    security.client_key_file = folder_ + "/client.key";
    const Channel channel = connect(security);
    list_models(channel);
    expect_outcomes("ack", ingest(channel, kCollection));
  }

  void no_ca() {
    embeddings::Security security = trusting("key.txt");
    security.ca_file.clear();
    const Channel channel = connect(security);
    const std::string message = fails([&] { list_models(channel); }, grpc::UNAVAILABLE, "");
    expect(message.find("certificate") != std::string::npos || message.find("CERTIFICATE") != std::string::npos, "the message is '" + message + "'");
  }

  void clear_text() {
    std::string message = "no error";
    try {
      embeddings::Security security;
      security.api_key = "secret-key";
      embeddings::connect("http://embeddings.example.com:50051", security);
    } catch (const std::invalid_argument& error) {
      message = error.what();
    }
    expect(message.find("api_key requires") == 0 && message.find("secret-key") == std::string::npos, "the message is '" + message + "'");
  }

  Channel connect(const embeddings::Security& security) const { return embeddings::connect("https://" + address_, security); }

  embeddings::Security trusting(const std::string& key_file = "") const {
    embeddings::Security security;
    security.ca_file = folder_ + "/ca.pem";
    if (!key_file.empty()) {
      std::ifstream(folder_ + "/" + key_file) >> security.api_key;
    }
    return security;
  }

  static void list_models(const Channel& channel) {
    v1::ListModelsResponse answer;
    embeddings::check(v1::ModelService::NewStub(channel)->ListModels(embeddings::within().get(), {}, &answer));
    expect(answer.models_size() > 0, "no models");
  }

  /// Ingests 20 crops and returns their outcomes.
  static Outcomes ingest(const Channel& channel, const std::string& collection) {
    const auto stub = v1::IngestService::NewStub(channel);
    int sent = 0, answered = 0;
    Outcomes outcomes;
    auto next = [&]() -> std::optional<v1::StreamIngestRequest> {
      if (sent == kItems) {
        return std::nullopt;
      }
      v1::StreamIngestRequest request;
      request.set_item_id(std::to_string(sent));
      request.set_collection(collection);
      request.mutable_face()->set_job_id("secure-cpp");
      request.mutable_face()->set_face_index(sent);
      set_pixels(request.mutable_face()->mutable_face()->mutable_image(), crop(sent++));
      return request;
    };
    auto handle = [&](const v1::StreamIngestRequest&, const v1::StreamIngestResponse& answer) {
      ++answered;
      outcomes.insert(answer.has_ack() ? "ack" : std::to_string(answer.error().code()) + " " + answer.error().reason());
    };
    auto open = [&](grpc::ClientContext* context, grpc::CompletionQueue* queue) { return stub->PrepareAsyncStreamIngest(context, queue); };
    embeddings::Exchange<v1::StreamIngestRequest, v1::StreamIngestResponse>(open, next, handle).run();
    expect(answered == kItems, std::to_string(answered) + " answers");
    return outcomes;
  }

  static void expect_outcomes(const std::string& expected, const Outcomes& actual) {
    expect(actual == Outcomes{expected}, actual.empty() ? "no outcome" : "the outcome is " + *actual.begin());
  }

  /// Returns the message of the error.
  static std::string fails(const std::function<void()>& call, grpc::StatusCode code, const std::string& reason) {
    try {
      call();
    } catch (const embeddings::Error& error) {
      expect(error.code() == code && error.reason() == reason, "got " + std::to_string(error.code()) + " " + error.what() + " instead of " + reason);
      return error.what();
    }
    throw std::runtime_error("no error instead of " + std::to_string(code) + " " + reason);
  }

  std::string address_;
  std::string folder_;
};
