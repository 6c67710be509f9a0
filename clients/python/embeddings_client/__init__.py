"""Client of the Embeddings service, which embeds images and face crops, stores their vectors, and searches them."""

from .connection import Connection
from .errors import EmbeddingsError, InvalidInput
from .inference import FaceEmbeddingInference, ImageEmbeddingInference, MLInference
from .ingest import FaceItem, ImageItem, Ingest, IngestResult, process_face_embedding, process_image_embedding
from .stores import FaceStore, ImageStore, QdrantFaceStore, QdrantImageStore, StoreInterface

__version__ = "0.1.0"

__all__ = [
    "Connection",
    "EmbeddingsError",
    "FaceEmbeddingInference",
    "FaceItem",
    "FaceStore",
    "ImageEmbeddingInference",
    "ImageItem",
    "ImageStore",
    "Ingest",
    "IngestResult",
    "InvalidInput",
    "MLInference",
    "QdrantFaceStore",
    "QdrantImageStore",
    "StoreInterface",
    "process_face_embedding",
    "process_image_embedding",
]
