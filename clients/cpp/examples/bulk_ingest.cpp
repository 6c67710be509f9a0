// Ingests all JPEG files of a folder as whole images, with the file names as job ids.
// Usage: bulk_ingest FOLDER [HOST:PORT]
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "connection.hpp"
#include "embeddings/v1/ingest_service.grpc.pb.h"
#include "exchange.hpp"

namespace v1 = embeddings::v1;

int main(int count, char** arguments) {
  if (count < 2) {
    std::cerr << "usage: bulk_ingest FOLDER [HOST:PORT]\n";
    return 2;
  }
  int stored = 0, failed = 0;
  try {
    auto stub = v1::IngestService::NewStub(embeddings::connect(count > 2 ? arguments[2] : "localhost:50051"));
    std::filesystem::directory_iterator file(arguments[1]);

    // A file is read only when the server accepts the next image, so only a few images are in memory at a time.
    auto next = [&]() -> std::optional<v1::StreamIngestRequest> {
      while (file != std::filesystem::directory_iterator() && file->path().extension() != ".jpg") {
        ++file;
      }
      if (file == std::filesystem::directory_iterator()) {
        return std::nullopt;
      }
      std::ifstream input(file->path(), std::ios::binary);
      v1::StreamIngestRequest request;
      request.set_item_id(file->path().filename().string());
      request.mutable_image()->set_job_id(file->path().stem().string());
      request.mutable_image()->mutable_image()->set_encoded(std::string(std::istreambuf_iterator<char>(input), {}));
      ++file;
      return request;
    };
    auto handle = [&](const v1::StreamIngestRequest& request, const v1::StreamIngestResponse& answer) {
      if (answer.has_error()) {
        ++failed;
        std::cerr << request.item_id() << ": " << embeddings::Error::from_item(answer.error()).what() << "\n";
      } else {
        ++stored;
      }
    };
    auto open = [&](grpc::ClientContext* context, grpc::CompletionQueue* queue) { return stub->PrepareAsyncStreamIngest(context, queue); };
    embeddings::Exchange<v1::StreamIngestRequest, v1::StreamIngestResponse>(open, next, handle).run();
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    failed += 1;
  }
  std::cout << stored << " stored, " << failed << " failed\n";
  return failed > 0 ? 1 : 0;
}
