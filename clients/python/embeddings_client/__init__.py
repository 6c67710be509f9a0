"""Client of the Embeddings service, which embeds images and face crops, stores their vectors, and searches them."""

from .administration import CollectionInfo, Collections
from .analysis import AnalyzedFace, FaceAnalysis
from .connection import Connection
from .errors import EmbeddingsError, InvalidInput
from .faces import (
    Face,
    FaceComparison,
    FaceOptions,
    FacePair,
    Faces,
    IdentifiedFace,
    IdentifiedFaces,
    LeftOutFace,
    PersonMatch,
    PhotoFaces,
    PhotoInfo,
)
from .images import FaceLike, ImageLike
from .inference import FaceEmbeddingInference, ImageEmbeddingInference, MLInference
from .ingest import (
    FaceItem,
    ImageItem,
    Ingest,
    IngestResult,
    PhotoItem,
    PhotoResult,
    StoredFace,
    process_face_embedding,
    process_image_embedding,
)
from .payloads import FilterLike
from .persons import FaceGroups, GroupedFace, Person, PersonChange, PersonGroup, Persons, UndoneChange
from .stores import FaceStore, ImageStore, PointLike, QdrantFaceStore, QdrantImageStore, StoreInterface
from .streams import StreamOptions
from .vectors import Vector, VectorLike, from_bytes, from_embedding, from_point, to_bytes

__version__ = "0.1.0"

__all__ = [
    "AnalyzedFace",
    "CollectionInfo",
    "Collections",
    "Connection",
    "EmbeddingsError",
    "Face",
    "FaceAnalysis",
    "FaceComparison",
    "FaceEmbeddingInference",
    "FaceGroups",
    "FaceItem",
    "FaceLike",
    "FaceOptions",
    "FacePair",
    "FaceStore",
    "Faces",
    "FilterLike",
    "GroupedFace",
    "IdentifiedFace",
    "IdentifiedFaces",
    "ImageEmbeddingInference",
    "ImageItem",
    "ImageLike",
    "ImageStore",
    "Ingest",
    "IngestResult",
    "InvalidInput",
    "LeftOutFace",
    "MLInference",
    "Person",
    "PersonChange",
    "PersonGroup",
    "PersonMatch",
    "Persons",
    "PhotoFaces",
    "PhotoInfo",
    "PhotoItem",
    "PhotoResult",
    "PointLike",
    "QdrantFaceStore",
    "QdrantImageStore",
    "StoreInterface",
    "StoredFace",
    "StreamOptions",
    "UndoneChange",
    "Vector",
    "VectorLike",
    "from_bytes",
    "from_embedding",
    "from_point",
    "process_face_embedding",
    "process_image_embedding",
    "to_bytes",
]
