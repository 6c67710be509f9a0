//! Generates the client stubs from the repository's protos. Requires `protoc`.

fn main() -> std::io::Result<()> {
    tonic_prost_build::configure().build_server(false).compile_protos(
        &[
            "../../protos/embeddings/v1/embedding_service.proto",
            "../../protos/embeddings/v1/face_service.proto",
            "../../protos/embeddings/v1/ingest_service.proto",
            "../../protos/embeddings/v1/model_service.proto",
            "../../protos/embeddings/v1/person_service.proto",
            "../../protos/embeddings/v1/vector_store_service.proto",
        ],
        &["../../protos"],
    )
}
