import struct
import unittest
from array import array

import numpy as np

from embeddings_client import InvalidInput, from_bytes, from_embedding, from_point, to_bytes
from embeddings_client.stubs.embeddings.v1 import embedding_pb2, point_pb2

VALUES = [0.1, -2.5, 1e-30, 3.4e38]


class VectorTests(unittest.TestCase):
    def test_bytes_are_little_endian_float32(self) -> None:
        expected = struct.pack("<4f", *VALUES)
        forms = (VALUES, tuple(VALUES), array("f", VALUES), np.array(VALUES), np.array(VALUES, np.float32), np.array(VALUES, ">f4"), np.repeat(VALUES, 2)[::2])
        for vector in forms:
            with self.subTest(type(vector)):
                self.assertEqual(to_bytes(vector), expected)
        read = from_bytes(expected)
        self.assertEqual((read.dtype, read.tolist()), (np.float32, np.array(VALUES, np.float32).tolist()))
        read[0] = 1  # It is a copy.

    def test_a_vector_is_read_from_either_field(self) -> None:
        expected = np.array(VALUES, np.float32).tolist()
        data = to_bytes(VALUES)
        for embedding in (embedding_pb2.Embedding(values=VALUES), embedding_pb2.Embedding(values_f32=data)):
            self.assertEqual(from_embedding(embedding).tolist(), expected)
        for point in (point_pb2.VectorPoint(vector=VALUES), point_pb2.VectorPoint(vector_f32=data)):
            self.assertEqual(from_point(point).tolist(), expected)
        self.assertEqual(len(from_point(point_pb2.VectorPoint())), 0)

    def test_what_is_no_vector_is_rejected(self) -> None:
        for vector in ([[1.0, 2.0]], ["a"], None):
            with self.subTest(vector), self.assertRaises(InvalidInput) as caught:
                to_bytes(vector, "query")  # type: ignore[arg-type]
            self.assertEqual(caught.exception.field, "query")
