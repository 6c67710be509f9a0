"""Client of the Embeddings service, which embeds images and face crops, stores their vectors, and searches them."""

from .connection import Connection
from .errors import EmbeddingsError, InvalidInput
from .images import FaceLike, ImageLike
from .inference import FaceEmbeddingInference, ImageEmbeddingInference, MLInference
from .ingest import FaceItem, ImageItem, Ingest, IngestResult, process_face_embedding, process_image_embedding
from .payloads import FilterLike
from .stores import FaceStore, ImageStore, PointLike, QdrantFaceStore, QdrantImageStore, StoreInterface
from .vectors import Vector, VectorLike

__version__ = "0.1.0"

__all__ = [
    "Connection",
    "EmbeddingsError",
    "FaceEmbeddingInference",
    "FaceItem",
    "FaceLike",
    "FaceStore",
    "FilterLike",
    "ImageEmbeddingInference",
    "ImageItem",
    "ImageLike",
    "ImageStore",
    "Ingest",
    "IngestResult",
    "InvalidInput",
    "MLInference",
    "PointLike",
    "QdrantFaceStore",
    "QdrantImageStore",
    "StoreInterface",
    "Vector",
    "VectorLike",
    "process_face_embedding",
    "process_image_embedding",
]
