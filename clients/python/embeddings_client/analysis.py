"""Faces of photos in the convention of the `insightface` package, whose models run on the server."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple

from .connection import Connected, Connection
from .errors import InvalidInput
from .faces import Face, FaceOptions, Faces, landmarks_of
from .images import ImageLike

try:
    import numpy as np
except ImportError:
    np = None  # type: ignore[assignment]

# Maximum number of faces of the contract.
_ALL = 1000


class AnalyzedFace(Dict[str, Any]):
    """A face with the names of `insightface`, as attributes and as items. An attribute that is not set is None.

    Attributes:
        bbox: float32 array (x1, y1, x2, y2) in pixels of the upright photo.
        kps: float32 array of shape (5, 2): left eye, right eye, nose, left and right mouth corner, as seen by the viewer.
        det_score: Confidence of the detector, 0 to 1.
        pose: float32 array (pitch, yaw, roll) in degrees.
        quality: Overall quality of the face, 0 to 1.
        embedding: float32 array of shape (dimension,). Absent without the module "recognition".
        normed_embedding: The same array: the server's vectors have an L2 norm of 1.
        embedding_norm: L2 norm of `embedding`, always 1.
    """

    def __getattr__(self, name: str) -> Any:
        # Python looks for methods of protocols, such as that of copies, in this way.
        if name.startswith("__"):
            raise AttributeError(name)
        return self.get(name)

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


class FaceAnalysis(Connected):
    """Finds and embeds the faces of photos, as `insightface.app.FaceAnalysis` does, over the wire. Thread-safe.

    A program for `insightface` needs only another import::

        from embeddings_client import FaceAnalysis

        app = FaceAnalysis()
        app.prepare(ctx_id=0, det_size=(640, 640))
        faces = app.get(cv2.imread("photo.jpg"))

    Differences: the models are those of the server, so that their names, providers, and devices are accepted and not used; faces
    are sorted by size, largest first; `embedding` has an L2 norm of 1, like `normed_embedding`; there are no `age`, `gender`, and
    dense landmarks (None).

    Args:
        name: Accepted for compatibility and not used; see `model`.
        root: Accepted for compatibility and not used.
        allowed_modules: Modules to run. Faces are embedded only if it contains "recognition". Default: detection and recognition.
        url: URL of the server; see `Connection`.
        model: Name of a face model of the server. If empty, its default face model is used.
        options: Faces to keep. `prepare` and `get` override `min_confidence` and `max_faces`.
        connection: Connection to share, used instead of `url`.
        timeout: Timeout in seconds; see `Connection`.
        others: Arguments of `insightface` such as `providers`. Accepted for compatibility and not used.

    Raises:
        ImportError: If numpy is not installed.
    """

    def __init__(
        self,
        name: str = "",
        root: str = "",
        allowed_modules: Optional[Sequence[str]] = None,
        *,
        url: Optional[str] = None,
        model: str = "",
        options: FaceOptions = FaceOptions(),
        connection: Optional[Connection] = None,
        timeout: float = 30.0,
        **others: Any,
    ) -> None:
        if np is None:
            raise ImportError("FaceAnalysis returns numpy arrays. Install numpy: pip install 'embeddings-client[numpy]'")
        super().__init__(url, connection, timeout)
        self.model = model
        self._options = options
        self._embeds = allowed_modules is None or "recognition" in allowed_modules
        self._faces = Faces(connection=self._connection)
        self.det_thresh = options.min_confidence
        self.det_size: Tuple[int, int] = (640, 640)

    def prepare(self, ctx_id: int = 0, det_thresh: Optional[float] = None, det_size: Tuple[int, int] = (640, 640)) -> None:
        """Sets the confidence from which a face is returned. Calling it is optional.

        Args:
            ctx_id: Device of `insightface`. Not used: the server's settings determine the device.
            det_thresh: Minimum confidence of the detector, 0 to 1. Default: that of the server's detector.
            det_size: Input size of the detector. Not used: the server searches each photo at the sizes that its options need.
        """
        self.det_size = det_size
        if det_thresh is not None:
            self.det_thresh = det_thresh

    def get(self, img: ImageLike, max_num: int = 0, color_order: str = "BGR") -> List[AnalyzedFace]:
        """Returns the faces of a photo.

        Args:
            img: Photo: a uint8 array of shape HxWx3 whose channels are blue, green, red, as `cv2.imread` returns it, or HxW
                (grayscale); or any other form of `ImageLike`, which needs no `color_order`.
            max_num: Maximum number of faces, the largest first, 1 to 1,000. 0 for all, at most 1,000. Default: 0.
            color_order: Order of the color channels if `img` is an array, "BGR" or "RGB". Default: "BGR".

        Returns:
            The faces, largest first. Empty if the photo shows none.

        Raises:
            EmbeddingsError: If the call fails. An invalid photo raises `InvalidInput`, which is also a ValueError.
        """
        if not 0 <= max_num <= _ALL:
            raise InvalidInput("FIELD_INVALID", "max_num", f"max_num must be between 0 and {_ALL}; got {max_num}.")
        given = self._options
        options = FaceOptions(
            max_num or given.max_faces or _ALL,
            given.min_face_size,
            self.det_thresh,
            given.min_quality,
            given.try_rotations,
            given.detector,
            given.landmark_model,
            given.with_liveness,
        )
        if self._embeds:
            found = self._faces.embed_faces(img, options, model=self.model, color_order=color_order)
        else:
            found = self._faces.detect_faces(img, options, color_order=color_order)
        return [_analyzed(face) for face in found.faces]


def _analyzed(face: Face) -> AnalyzedFace:
    x, y, width, height = (face.bbox[name] for name in ("x", "y", "width", "height"))
    analyzed = AnalyzedFace(
        bbox=np.array([x, y, x + width, y + height], dtype=np.float32),
        kps=np.array(landmarks_of(face), dtype=np.float32),
        det_score=face.confidence,
        pose=np.array([face.pose["pitch"], face.pose["yaw"], face.pose["roll"]], dtype=np.float32),
        quality=face.quality["overall"],
    )
    if face.liveness is not None:
        analyzed["liveness"] = face.liveness
    if face.embedding is not None:
        analyzed.update(embedding=face.embedding, normed_embedding=face.embedding, embedding_norm=np.float32(1))
    return analyzed
