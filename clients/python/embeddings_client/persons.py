"""Persons: the names of the faces in a collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Union

import grpc  # type: ignore[import]

from .connection import Connected, Connection
from .errors import from_rpc
from .payloads import FilterLike, from_payload, to_filter, to_float, to_index
from .stubs.embeddings.v1 import person_service_pb2 as person_pb2, person_service_pb2_grpc, point_pb2


@dataclass(frozen=True)
class Person:
    """A person of a collection.

    Attributes:
        name: Name of the person.
        face_count: Number of faces.
        cover: Face with the highest quality, ``{"id": str, **payload}``, or None.
    """

    name: str
    face_count: int
    cover: Optional[Dict[str, Any]]


@dataclass(frozen=True)
class PersonChange:
    """A change of persons, which `Persons.undo` reverts.

    Attributes:
        change_id: Id of the change.
        changed: Number of faces whose person changed.
    """

    change_id: str
    changed: int


@dataclass(frozen=True)
class UndoneChange:
    """Result of undoing a change: the numbers of faces that were restored, and of those that were changed again since."""

    restored: int
    skipped: int


@dataclass(frozen=True)
class GroupedFace:
    """A face of a group.

    Attributes:
        point_id: Id of the point.
        similarity: Mean similarity to the other faces of the person, -1 to 1; 1 if it is alone.
        joined: Whether the face is new in the person.
    """

    point_id: str
    similarity: float
    joined: bool


@dataclass(frozen=True)
class PersonGroup:
    """A person that was found.

    Attributes:
        name: Name of an existing person, a new name with `apply`, otherwise empty.
        faces: Faces of the person, the most typical first.
        cover: Face with the highest quality, ``{"id": str, **payload}``, or None.
    """

    name: str
    faces: List[GroupedFace]
    cover: Optional[Dict[str, Any]]


@dataclass(frozen=True)
class FaceGroups:
    """Persons that were found, largest first.

    Attributes:
        persons: The persons.
        grouped: Number of faces in persons.
        ungrouped: Number of faces in no person.
        threshold: Threshold that was applied.
        change_id: Id of the change, for `Persons.undo`. Empty unless `apply` was set.
    """

    persons: List[PersonGroup]
    grouped: int
    ungrouped: int
    threshold: float
    change_id: str


class Persons(Connected):
    """Names the persons of the faces in a collection. Thread-safe.

    Args:
        url: URL of the server; see `Connection`.
        collection: Name of the collection. Default: `face_embeddings`.
        connection: Connection to share, used instead of `url`.
        timeout: Timeout in seconds; see `Connection`.
    """

    def __init__(
        self, url: Optional[str] = None, collection: str = "face_embeddings", *, connection: Optional[Connection] = None, timeout: float = 30.0
    ) -> None:
        super().__init__(url, connection, timeout)
        self.collection = collection
        self._stub = person_service_pb2_grpc.PersonServiceStub(self._connection.channel)

    def list(self, page_size: int = 100) -> Iterator[Person]:
        """Yields the persons, sorted by name, page by page.

        Args:
            page_size: Number of persons in a page, 1 to 1,000. Default: 100.

        Raises:
            EmbeddingsError: If the call fails, for example with NOT_FOUND if the collection does not exist.
        """
        request = person_pb2.ListPersonsRequest(collection=self.collection, page_size=to_index(page_size, "page_size"))
        while True:
            page = self._connection.call(self._stub.ListPersons, request)
            for person in page.persons:
                yield Person(person.name, person.face_count, _cover(person))
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def unnamed_count(self) -> int:
        """Returns the number of faces that have no person."""
        request = person_pb2.ListPersonsRequest(collection=self.collection, page_size=1)
        return self._connection.call(self._stub.ListPersons, request).unnamed_count

    def name(self, point_ids: Union[str, Iterable[str]], person: str) -> PersonChange:
        """Names the person of some faces and returns once that is durable.

        Args:
            point_ids: Id of a point, or 1 to 10,000 ids.
            person: Name of the person, 1 to 256 bytes.

        Raises:
            EmbeddingsError: If the call fails, for example with NOT_FOUND if a point does not exist; then nothing is changed.
        """
        request = person_pb2.NamePersonRequest(collection=self.collection, point_ids=_ids(point_ids), person=person)
        return _change(self._connection.call(self._stub.NamePerson, request))

    def merge(self, persons: Union[str, Iterable[str]], into: str) -> PersonChange:
        """Merges persons into one, or renames one, and returns once that is durable.

        Args:
            persons: Name of a person, or 1 to 100 names.
            into: Name of the person that gets all faces: one of `persons`, or any other name.

        Raises:
            EmbeddingsError: If the call fails, for example with NOT_FOUND if a person has no faces; then nothing is changed.
        """
        request = person_pb2.MergePersonsRequest(collection=self.collection, persons=_ids(persons), into=into)
        return _change(self._connection.call(self._stub.MergePersons, request))

    def split(self, person: str, point_ids: Union[str, Iterable[str]], new_person: str = "") -> PersonChange:
        """Moves some faces of a person to another name and returns once that is durable.

        Args:
            person: Name of the person.
            point_ids: Id of a point, or 1 to 10,000 ids.
            new_person: New name of these faces. If empty, they become unnamed.

        Raises:
            EmbeddingsError: If the call fails, for example with FAILED_PRECONDITION if a point is not a face of the person; then
                nothing is changed.
        """
        request = person_pb2.SplitPersonRequest(collection=self.collection, person=person, point_ids=_ids(point_ids), new_person=new_person)
        return _change(self._connection.call(self._stub.SplitPerson, request))

    def undo(self, change: Union[str, PersonChange, FaceGroups]) -> UndoneChange:
        """Undoes a change. Faces that were changed again since are left as they are.

        Args:
            change: The change, or its id.

        Raises:
            EmbeddingsError: If the call fails, for example with NOT_FOUND if no face has the change as its last one.
        """
        change_id = change if isinstance(change, str) else change.change_id
        request = person_pb2.UndoPersonChangeRequest(collection=self.collection, change_id=change_id)
        answer = self._connection.call(self._stub.UndoPersonChange, request)
        return UndoneChange(answer.restored_count, answer.skipped_count)

    def cluster(
        self,
        *,
        threshold: Optional[float] = None,
        min_faces: int = 1,
        filter: Optional[FilterLike] = None,
        apply: bool = False,
        progress: Optional[Callable[[int, int, int], None]] = None,
        timeout: float = 600.0,
    ) -> FaceGroups:
        """Groups the faces of the collection into persons.

        New faces join existing persons, which keep their names and are never merged. Two faces of one photo are never in one person.

        Args:
            threshold: Mean similarity from which two groups are one person, -1 to 1. If None, that of the collection's model.
            min_faces: Minimum number of faces of a new person, 1 to 1,000. Default: 1.
            filter: Groups only points that match; see `FilterLike`.
            apply: Whether the persons are stored. New ones get the names ``person-1``, ``person-2``, and so on. Default: False.
            progress: Called with the numbers of faces that were read, that were compared, and in total.
            timeout: Maximum duration in seconds. Default: 600.

        Raises:
            EmbeddingsError: If the call fails, for example with RESOURCE_EXHAUSTED if the collection has too many faces.
        """
        request = person_pb2.ClusterFacesRequest(
            collection=self.collection,
            filter=to_filter(filter),
            threshold=None if threshold is None else to_float(threshold, "threshold"),
            min_faces=to_index(min_faces, "min_faces"),
            apply=apply,
        )
        groups: Dict[int, PersonGroup] = {}
        summary = person_pb2.ClusterSummary()
        try:
            for message in self._stub.ClusterFaces(request, timeout=timeout):
                kind = message.WhichOneof("content")
                if kind == "progress" and progress is not None:
                    progress(message.progress.read_count, message.progress.compared_count, message.progress.total_count)
                elif kind == "person":
                    found = message.person
                    group = groups.setdefault(found.index, PersonGroup(found.person, [], _cover(found)))
                    group.faces.extend(GroupedFace(face.point_id, face.similarity, face.joined) for face in found.faces)
                elif kind == "summary":
                    summary = message.summary
        except grpc.RpcError as error:
            raise from_rpc(error) from None
        return FaceGroups(list(groups.values()), summary.grouped_count, summary.ungrouped_count, summary.threshold, summary.change_id)


def _change(answer: Union[person_pb2.NamePersonResponse, person_pb2.MergePersonsResponse, person_pb2.SplitPersonResponse]) -> PersonChange:
    return PersonChange(answer.change_id, answer.changed_count)


def _cover(holder: Any) -> Optional[Dict[str, Any]]:
    if not holder.HasField("cover"):
        return None
    point: point_pb2.VectorPoint = holder.cover
    return {**from_payload(point.payload), "id": point.point_id}


def _ids(values: Union[str, Iterable[str]]) -> List[str]:
    return [values] if isinstance(values, str) else [str(value) for value in values]
