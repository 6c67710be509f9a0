#pragma once

#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>

#include "connection.hpp"
#include "embeddings/v1/face_service.grpc.pb.h"
#include "embeddings/v1/ingest_service.grpc.pb.h"
#include "embeddings/v1/person_service.grpc.pb.h"
#include "embeddings/v1/vector_store_service.grpc.pb.h"
#include "exchange.hpp"
#include "helpers.hpp"

/// Steps of the scenario with faces in photos. They must run in order, because each depends on the previous ones.
class FaceScenario {
 public:
  /// Reads two drawn faces, the left one larger, and the left one once more in another light.
  FaceScenario(const std::string& address, const std::string& folder)
      : channel_(embeddings::connect(address)),
        faces_(v1::FaceService::NewStub(channel_)),
        ingest_(v1::IngestService::NewStub(channel_)),
        persons_(v1::PersonService::NewStub(channel_)),
        two_(read(folder + "/two-faces.jpg")),
        one_(read(folder + "/one-face.jpg")) {}

  void faces() {
    v1::DetectFacesRequest detect;
    detect.mutable_photo()->set_encoded(two_);
    v1::DetectFacesResponse found;
    embeddings::check(faces_->DetectFaces(embeddings::within().get(), detect, &found));
    const bool right = found.faces_size() == 2 && found.left_out_size() == 0 && found.photo().width() == 480 && found.photo().height() == 240;
    expect(right, std::to_string(found.faces_size()) + " faces");
    for (int i = 0; i < 2; ++i) {
      const auto& face = found.faces(i).face();
      const bool sound = face.face_index() == i && face.confidence() > 0.8F && face.quality().overall() > 0 && face.landmarks().has_nose();
      expect(sound, "face " + std::to_string(i) + " lacks confidence, quality, or landmarks");
    }
    const auto& left = found.faces(0).face().bbox();
    expect(left.x() + left.width() < 240 && found.faces(1).face().bbox().x() > 240, "the left face is not the first");

    v1::EmbedFacesRequest embed;
    embed.mutable_photo()->set_encoded(two_);
    v1::EmbedFacesResponse embedded;
    embeddings::check(faces_->EmbedFaces(embeddings::within().get(), embed, &embedded));
    for (const auto& face : embedded.faces()) {
      expect(std::abs(norm(Vector(face.embedding().values().begin(), face.embedding().values().end())) - 1) < 1e-5, "norms are not 1");
    }

    v1::CompareFacesRequest compare;
    compare.mutable_first()->set_encoded(one_);
    compare.mutable_second()->set_encoded(two_);
    v1::CompareFacesResponse compared;
    embeddings::check(faces_->CompareFaces(embeddings::within().get(), compare, &compared));
    expect(compared.pairs_size() == 2, std::to_string(compared.pairs_size()) + " pairs");
    const auto& same = compared.pairs(0);
    expect(same.second_index() == 0 && same.same_person() && same.similarity() > 0.8F, "the same face: " + std::to_string(same.similarity()));
    const auto& other = compared.pairs(1);
    expect(other.second_index() == 1 && !other.same_person() && other.similarity() < 0.5F, "another face: " + std::to_string(other.similarity()));
  }

  void photo() {
    bool sent = false;
    auto next = [&]() -> std::optional<v1::StreamIngestRequest> {
      if (sent) {
        return std::nullopt;
      }
      sent = true;
      v1::StreamIngestRequest request;
      request.set_item_id("photo");
      request.set_collection(kPeople);
      request.mutable_photo()->set_job_id(kPhotoJob);
      request.mutable_photo()->mutable_photo()->set_encoded(two_);
      return request;
    };
    auto handle = [&](const v1::StreamIngestRequest&, const v1::StreamIngestResponse& answer) {
      const auto& stored = answer.photo_ack().faces();
      expect(stored.size() == 2, std::to_string(stored.size()) + " stored " + answer.error().message());
      expect(stored[0].point_id() == kPhotoJob + "-0" && stored[1].point_id() == kPhotoJob + "-1", "stored " + stored[0].point_id());
    };
    auto open = [&](grpc::ClientContext* context, grpc::CompletionQueue* queue) { return ingest_->PrepareAsyncStreamIngest(context, queue); };
    embeddings::Exchange<v1::StreamIngestRequest, v1::StreamIngestResponse>(open, next, handle).run();
    const auto again = ingested(one_);
    expect(again.faces_size() == 1 && again.removed_count() == 1, std::to_string(again.removed_count()) + " removed");
    const auto back = ingested(two_);
    expect(back.faces_size() == 2 && back.removed_count() == 0, std::to_string(back.faces_size()) + " stored");
  }

  void persons() {
    v1::NamePersonRequest name;
    name.set_collection(kPeople);
    name.add_point_ids(kPhotoJob + "-0");
    name.set_person("Ada");
    v1::NamePersonResponse named;
    embeddings::check(persons_->NamePerson(embeddings::within().get(), name, &named));
    expect(named.changed_count() == 1, std::to_string(named.changed_count()) + " named");

    v1::IdentifyFacesRequest identify;
    identify.mutable_photo()->set_encoded(two_);
    identify.set_collection(kPeople);
    v1::IdentifyFacesResponse identified;
    embeddings::check(faces_->IdentifyFaces(embeddings::within().get(), identify, &identified));
    expect(identified.faces_size() == 2, std::to_string(identified.faces_size()) + " identified");
    expect(identified.faces(0).person() == "Ada" && identified.faces(1).person().empty(), "the first person is '" + identified.faces(0).person() + "'");

    v1::ListPersonsRequest list;
    list.set_collection(kPeople);
    v1::ListPersonsResponse listed;
    embeddings::check(persons_->ListPersons(embeddings::within().get(), list, &listed));
    const bool alone = listed.persons_size() == 1 && listed.unnamed_count() == 1;
    expect(alone && listed.persons(0).name() == "Ada" && listed.persons(0).face_count() == 1, std::to_string(listed.persons_size()) + " listed");

    v1::UndoPersonChangeRequest undo;
    undo.set_collection(kPeople);
    undo.set_change_id(named.change_id());
    v1::UndoPersonChangeResponse undone;
    embeddings::check(persons_->UndoPersonChange(embeddings::within().get(), undo, &undone));
    expect(undone.restored_count() == 1, std::to_string(undone.restored_count()) + " restored");

    v1::ClusterFacesRequest cluster;
    cluster.set_collection(kPeople);
    const auto context = embeddings::within();
    const auto messages = persons_->ClusterFaces(context.get(), cluster);
    v1::ClusterSummary summary;
    for (v1::ClusterFacesResponse message; messages->Read(&message);) {
      summary = message.summary();
    }
    embeddings::check(messages->Finish());
    const bool grouped = summary.person_count() == 2 && summary.grouped_count() == 2 && summary.change_id().empty();
    expect(grouped, std::to_string(summary.person_count()) + " persons");

    v1::DeleteByJobIdRequest request;
    request.set_job_id(kPhotoJob);
    request.set_collection(kPeople);
    v1::DeleteByJobIdResponse answer;
    embeddings::check(v1::VectorStoreService::NewStub(channel_)->DeleteByJobId(embeddings::within().get(), request, &answer));
    expect(answer.deleted_count() == 2, std::to_string(answer.deleted_count()) + " deleted");
  }

 private:
  static inline const std::string kPeople = "interop_cpp_people";
  static inline const std::string kPhotoJob = "photo-cpp";

  static std::string read(const std::string& path) {
    std::ifstream input(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(input), {});
  }

  v1::PhotoAck ingested(const std::string& photo) {
    v1::IngestPhotoRequest request;
    request.set_collection(kPeople);
    request.mutable_item()->set_job_id(kPhotoJob);
    request.mutable_item()->mutable_photo()->set_encoded(photo);
    v1::IngestPhotoResponse answer;
    embeddings::check(ingest_->IngestPhoto(embeddings::within().get(), request, &answer));
    return answer.ack();
  }

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::FaceService::Stub> faces_;
  std::unique_ptr<v1::IngestService::Stub> ingest_;
  std::unique_ptr<v1::PersonService::Stub> persons_;
  std::string two_;
  std::string one_;
};
