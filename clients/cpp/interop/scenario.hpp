#pragma once

#include <fstream>
#include <iomanip>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "connection.hpp"
#include "embeddings/v1/embedding_service.grpc.pb.h"
#include "embeddings/v1/ingest_service.grpc.pb.h"
#include "embeddings/v1/model_service.grpc.pb.h"
#include "embeddings/v1/vector_store_service.grpc.pb.h"
#include "exchange.hpp"
#include "grpc/health/v1/health.grpc.pb.h"
#include "helpers.hpp"
#include "vectors.hpp"

inline const std::string kCollection = "interop_cpp";
inline const std::string kJob = "job-cpp";
constexpr int kCrops = 2000;
constexpr int kItems = 300;

/// Steps of the scenario. They must run in order, because each depends on the previous ones.
class Scenario {
 public:
  Scenario(const std::string& address, std::string jpeg)
      : channel_(embeddings::connect(address)),
        embedding_(v1::EmbeddingService::NewStub(channel_)),
        ingest_(v1::IngestService::NewStub(channel_)),
        store_(v1::VectorStoreService::NewStub(channel_)),
        jpeg_(std::move(jpeg)) {}

  void health() {
    grpc::health::v1::HealthCheckResponse answer;
    embeddings::check(grpc::health::v1::Health::NewStub(channel_)->Check(embeddings::within().get(), {}, &answer));
    expect(answer.status() == grpc::health::v1::HealthCheckResponse::SERVING, "not SERVING");
  }

  void models() {
    v1::ListModelsResponse answer;
    embeddings::check(v1::ModelService::NewStub(channel_)->ListModels(embeddings::within().get(), {}, &answer));
    std::map<int, int> defaults;
    for (const auto& model : answer.models()) {
      if (model.default_for_kind() && model.dimension() > 0) {
        defaults[model.kind()] = model.dimension();
      }
    }
    expect(defaults == std::map<int, int>{{v1::MODEL_KIND_IMAGE, 512}, {v1::MODEL_KIND_FACE, 512}}, std::to_string(defaults.size()) + " defaults");
  }

  void embed() {
    v1::EmbedImageRequest request;
    request.mutable_image()->set_encoded(jpeg_);
    v1::EmbedImageResponse answer;
    embeddings::check(embedding_->EmbedImage(embeddings::within().get(), request, &answer));
    Vector values(answer.embedding().values().begin(), answer.embedding().values().end());
    expect(values.size() == 512 && std::isfinite(norm(values)), std::to_string(values.size()) + " values");
    vectors_["jpeg"] = values;
  }

  void stream() {
    std::vector<Vector> got;
    auto handle = [&](const v1::StreamEmbedRequest&, const v1::StreamEmbedResponse& answer) {
      const std::size_t at = got.size();
      got.emplace_back(answer.embedding().values().begin(), answer.embedding().values().end());
      expect(answer.item_id() == std::to_string(at) && got[at].size() == 512, "answer " + std::to_string(at) + " is " + answer.item_id());
      expect(std::abs(norm(got[at]) - 1) < 1e-5, "norm of " + std::to_string(at));
      expect(at < 256 || farthest(got[at], got[at - 256]) < 1e-6, "the same crop gives a different vector: " + std::to_string(at));
      expect(at < 1 || farthest(got[at], got[at - 1]) > 1e-6, "a different crop gives the same vector: " + std::to_string(at));
    };
    const std::size_t messages = embed_faces(kCrops, false, handle, {});
    expect(got.size() == kCrops, std::to_string(got.size()) + " answers");
    expect(messages < kCrops / 2, std::to_string(messages) + " messages");
    query_ = vectors_["crop"] = got[100];
    embedded_ = std::move(got);
  }

  void ingest() {
    int sent = 0, answered = 0, acks = 0;
    std::vector<std::string> failed;
    auto next = [&]() -> std::optional<v1::StreamIngestRequest> {
      if (sent == kItems) {
        return std::nullopt;
      }
      const int number = sent++;
      v1::StreamIngestRequest request;
      request.set_item_id(std::to_string(number));
      request.set_collection(kCollection);
      auto* face = request.mutable_face();
      face->set_job_id(number == 150 ? "" : kJob);
      face->set_media_store_id("media-" + std::to_string(number % 3));
      face->set_face_index(number);
      if (number == 250) {
        face->mutable_face()->mutable_image()->set_encoded("not an image");
      } else {
        set_pixels(face->mutable_face()->mutable_image(), number == 50 ? crop(number).substr(1) : crop(number));
      }
      return request;
    };
    auto handle = [&](const v1::StreamIngestRequest&, const v1::StreamIngestResponse& answer) {
      expect(answer.item_id() == std::to_string(answered++), "answer " + std::to_string(answered - 1) + " is " + answer.item_id());
      if (answer.has_ack()) {
        ++acks;
      } else {
        const auto error = embeddings::Error::from_item(answer.error());
        failed.push_back(answer.item_id() + " " + std::to_string(error.code()) + " " + error.reason() + " " + error.field());
      }
    };
    auto open = [&](grpc::ClientContext* context, grpc::CompletionQueue* queue) { return ingest_->PrepareAsyncStreamIngest(context, queue); };
    embeddings::Exchange<v1::StreamIngestRequest, v1::StreamIngestResponse> exchange(open, next, handle);
    exchange.run();
    expect(acks == kItems - 3, std::to_string(acks) + " acks");
    expect(exchange.messages_sent() < kItems / 2, std::to_string(exchange.messages_sent()) + " messages");
    const std::vector<std::string> wanted = {
        "50 3 PIXEL_SIZE_MISMATCH face.face.image.pixels.data",
        "150 3 FIELD_REQUIRED face.job_id",
        "250 3 IMAGE_FORMAT_UNKNOWN face.face.image.encoded",
    };
    expect(failed == wanted, std::to_string(failed.size()) + " errors, the first " + (failed.empty() ? "" : failed[0]));

    v1::IngestFaceRequest other;
    other.set_collection(kCollection);
    other.mutable_item()->set_job_id("other-cpp");
    set_pixels(other.mutable_item()->mutable_face()->mutable_image(), crop(1));
    v1::IngestFaceResponse answer;
    embeddings::check(ingest_->IngestFace(embeddings::within().get(), other, &answer));
    counts_.push_back(counted());
  }

  /// The same results as with messages of one item, bit for bit; vectors as bytes are the same as numbers.
  void batches() {
    embeddings::Options single;
    single.max_items_per_message = 1;
    std::size_t at = 0;
    auto handle = [&](const v1::StreamEmbedRequest&, const v1::StreamEmbedResponse& answer) {
      const std::string expected = embeddings::to_bytes(embedded_[at]);
      expect(embeddings::to_bytes(embeddings::vector_of(answer.embedding())) == expected, "vector " + std::to_string(at) + " differs");
      ++at;
    };
    const std::size_t messages = embed_faces(kItems, true, handle, single);
    expect(at == kItems && messages == kItems, std::to_string(at) + " answers, " + std::to_string(messages) + " messages");
    const auto [several, several_sent] = upsert(kCollection + "_batches", {});
    const auto [one, one_sent] = upsert(kCollection + "_singles", single);
    expect(several_sent < kItems / 2 && one_sent == kItems, std::to_string(several_sent) + " and " + std::to_string(one_sent) + " messages");
    expect(one.size() == kItems - 1 && several == one, "the stored vectors differ");
  }

  void search() {
    v1::SearchVectorsRequest request;
    request.set_collection(kCollection);
    request.set_limit(5);
    set_query(request.add_queries());
    v1::SearchVectorsResponse answer;
    embeddings::check(store_->SearchVectors(embeddings::within().get(), request, &answer));
    const auto& points = answer.results(0).points();
    expect(points.size() == 5, std::to_string(points.size()) + " found");
    const auto& best = points[0];
    expect(best.point().point_id() == kJob + "-100" && best.point().payload().face_index() == 100 && best.score() > 0.9999F, "found " + best.point().point_id());
  }

  void media() {
    v1::SearchByMediaStoreIdRequest request;
    request.set_collection(kCollection);
    request.set_media_store_id("media-1");
    set_query(request.mutable_query());
    v1::SearchByMediaStoreIdResponse answer;
    embeddings::check(store_->SearchByMediaStoreId(embeddings::within().get(), request, &answer));
    const auto& points = answer.result().points();
    expect(points.size() == 10 && points[0].point().point_id() == kJob + "-100", std::to_string(points.size()) + " found");
    for (const auto& found : points) {
      expect(found.point().payload().media_store_id() == "media-1", "found " + found.point().point_id());
    }
  }

  void remove() { expect(forget(kJob) == kItems - 3, "not all deleted"); }

  void count() {
    counts_.push_back(counted());
    expect(counts_ == std::vector<std::int64_t>{kItems - 2, 1}, "counts are " + std::to_string(counts_.front()) + " and " + std::to_string(counts_.back()));
    expect(forget("other-cpp") == 1, "the other job was not found");
  }

  void errors() {
    v1::EmbedImageRequest request;
    request.mutable_image()->set_encoded("not an image");
    v1::EmbedImageResponse answer;
    try {
      embeddings::check(embedding_->EmbedImage(embeddings::within().get(), request, &answer));
    } catch (const embeddings::Error& error) {
      const bool right = error.code() == grpc::StatusCode::INVALID_ARGUMENT && error.reason() == "IMAGE_FORMAT_UNKNOWN" && error.field() == "image.encoded";
      expect(right, std::string("got ") + error.what());
      return;
    }
    expect(false, "no error");
  }

  void write(const std::string& path) const {
    std::ofstream output(path);
    output << std::setprecision(9) << "{";
    for (const auto& [name, vector] : vectors_) {
      output << (name == vectors_.begin()->first ? "" : ", ") << '"' << name << "\": [";
      for (std::size_t at = 0; at < vector.size(); ++at) {
        output << (at == 0 ? "" : ", ") << vector[at];
      }
      output << "]";
    }
    output << "}\n";
  }

 private:
  using HandleEmbedding = embeddings::Exchange<v1::StreamEmbedRequest, v1::StreamEmbedResponse>::Handle;

  /// Embeds the first crops and returns the number of messages.
  std::size_t embed_faces(int count, bool as_bytes, HandleEmbedding handle, const embeddings::Options& options) {
    int sent = 0;
    auto next = [&]() -> std::optional<v1::StreamEmbedRequest> {
      if (sent == count) {
        return std::nullopt;
      }
      v1::StreamEmbedRequest request;
      request.set_item_id(std::to_string(sent));
      request.set_vectors_as_bytes(as_bytes);
      set_pixels(request.mutable_face()->mutable_image(), crop(sent++));
      return request;
    };
    auto open = [&](grpc::ClientContext* context, grpc::CompletionQueue* queue) { return embedding_->PrepareAsyncStreamEmbed(context, queue); };
    embeddings::Exchange<v1::StreamEmbedRequest, v1::StreamEmbedResponse> exchange(open, next, std::move(handle), options);
    exchange.run();
    return exchange.messages_sent();
  }

  /// Stores vectors, of which one is invalid, and returns the stored ones and the number of messages.
  std::pair<std::map<std::string, std::string>, std::size_t> upsert(const std::string& into, const embeddings::Options& options) {
    int sent = 0;
    auto next = [&]() -> std::optional<v1::StreamUpsertVectorsRequest> {
      if (sent == kItems) {
        return std::nullopt;
      }
      Vector vector(sent == 100 ? 5 : 512);
      for (std::size_t at = 0; at < vector.size(); ++at) {
        vector[at] = (static_cast<float>((31 * sent + 7 * at) % 101) - 50.5F) / 100;
      }
      v1::StreamUpsertVectorsRequest request;
      request.set_item_id(std::to_string(sent));
      request.set_collection(into);
      request.mutable_point()->set_point_id("p-" + std::to_string(sent++));
      request.mutable_point()->set_vector_f32(embeddings::to_bytes(vector));
      request.mutable_point()->mutable_payload()->set_job_id(kJob);
      return request;
    };
    std::string failed;
    auto handle = [&](const v1::StreamUpsertVectorsRequest&, const v1::StreamUpsertVectorsResponse& answer) {
      failed += answer.has_error() ? answer.item_id() + " " + answer.error().reason() : "";
    };
    auto open = [&](grpc::ClientContext* context, grpc::CompletionQueue* queue) { return store_->PrepareAsyncStreamUpsertVectors(context, queue); };
    embeddings::Exchange<v1::StreamUpsertVectorsRequest, v1::StreamUpsertVectorsResponse> exchange(open, next, handle, options);
    exchange.run();
    expect(failed == "100 DIMENSION_MISMATCH", "failed: " + failed);
    v1::ListVectorsRequest all;
    all.set_collection(into);
    all.set_page_size(1000);
    all.set_with_vectors(true);
    all.set_vectors_as_bytes(true);
    v1::ListVectorsResponse page;
    embeddings::check(store_->ListVectors(embeddings::within().get(), all, &page));
    std::map<std::string, std::string> stored;
    for (const auto& point : page.points()) {
      stored[point.point_id()] = point.vector_f32();
    }
    v1::DeleteByJobIdRequest request;
    request.set_job_id(kJob);
    request.set_collection(into);
    v1::DeleteByJobIdResponse deleted;
    embeddings::check(store_->DeleteByJobId(embeddings::within().get(), request, &deleted));
    expect(deleted.deleted_count() == kItems - 1, "not all deleted");
    return {stored, exchange.messages_sent()};
  }

  void set_query(v1::SearchQuery* query) const { query->mutable_vector()->mutable_values()->Add(query_.begin(), query_.end()); }

  std::int64_t counted() {
    v1::CountVectorsRequest request;
    request.set_collection(kCollection);
    v1::CountVectorsResponse answer;
    embeddings::check(store_->CountVectors(embeddings::within().get(), request, &answer));
    return answer.count();
  }

  std::int64_t forget(const std::string& job) {
    v1::DeleteByJobIdRequest request;
    request.set_job_id(job);
    request.set_collection(kCollection);
    v1::DeleteByJobIdResponse answer;
    embeddings::check(store_->DeleteByJobId(embeddings::within().get(), request, &answer));
    return answer.deleted_count();
  }

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::EmbeddingService::Stub> embedding_;
  std::unique_ptr<v1::IngestService::Stub> ingest_;
  std::unique_ptr<v1::VectorStoreService::Stub> store_;
  std::string jpeg_;
  Vector query_;
  std::vector<Vector> embedded_;
  std::map<std::string, Vector> vectors_;
  std::vector<std::int64_t> counts_;
};
