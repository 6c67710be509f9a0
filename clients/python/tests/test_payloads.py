import unittest

import numpy as np

from embeddings_client.errors import InvalidInput
from embeddings_client.payloads import from_payload, to_filter, to_payload


class PayloadsTests(unittest.TestCase):
    def test_payloads_round_trip(self) -> None:
        values = {
            "job_id": "job-1",
            "media_store_id": "media-1",
            "face_index": 0,
            "bbox": {"x": 100, "y": 150.5, "width": 80, "height": 0.1},
            "confidence": 0.98,
            "landmarks": {name: {"x": 1, "y": 2.25} for name in ("left_eye", "right_eye", "nose", "left_mouth_corner", "right_mouth_corner")},
            "camera": "north",
            "frame": 12,
            "share": 0.1,
            "ok": True,
            "none": None,
            "nested": {"list": [1, "two", False, [3.5]]},
        }
        self.assertEqual(from_payload(to_payload(values)), values)

    def test_absent_stays_absent(self) -> None:
        self.assertEqual(from_payload(to_payload(None)), {})
        self.assertEqual(from_payload(to_payload({"job_id": "a"})), {"job_id": "a"})

    def test_numpy_values(self) -> None:
        values = {"face_index": np.int64(3), "confidence": np.float32(0.5), "score_map": np.arange(3), "flag": np.bool_(True)}
        self.assertEqual(from_payload(to_payload(values)), {"face_index": 3, "confidence": 0.5, "score_map": [0, 1, 2], "flag": True})

    def test_float32_values_are_returned_as_the_shortest_equal_number(self) -> None:
        for value in (0.1, 1 / 3, 16777217.0, 1e-30, 3.4e38, -0.2, 123456.789):
            box = from_payload(to_payload({"bbox": (value, 0, 1, 1)}))["bbox"]
            self.assertEqual(float(box["x"]), float(str(np.float32(value))))

    def test_filters(self) -> None:
        made = to_filter({"job_id": "job-1", "face_index": np.int64(0), "confidence": {"gte": 0.5}, "camera": "north", "ok": True, "frame": {"gt": 1, "lte": 9}, "size": 3})
        self.assertEqual((made.job_id, made.face_index, made.HasField("face_index"), made.confidence.gte), ("job-1", 0, True, 0.5))
        conditions = {condition.key: (condition.WhichOneof("condition"), getattr(condition, condition.WhichOneof("condition"))) for condition in made.attributes}
        self.assertEqual({key: conditions[key] for key in ("camera", "ok", "size")}, {"camera": ("text", "north"), "ok": ("flag", True), "size": ("number", 3.0)})
        self.assertEqual((conditions["frame"][1].gt, conditions["frame"][1].lte, conditions["frame"][1].HasField("lt")), (1, 9, False))
        self.assertIsNone(to_filter(None))
        for field, bad in {"filter.job_id": {"job_id": 7}, "filter.frame": {"frame": {"above": 1}}, "filter.empty": {"empty": {}}, "filter.none": {"none": None}}.items():
            with self.subTest(field), self.assertRaises(InvalidInput) as caught:
                to_filter(bad)
            self.assertEqual(caught.exception.field, field)

    def test_invalid_values_are_rejected_with_their_field(self) -> None:
        cases = {
            "payload.job_id": {"job_id": 7},
            "payload.face_index": {"face_index": 1.5},
            "payload.bbox": {"bbox": {"x": 1}},
            "payload.confidence": {"confidence": "high"},
            "payload.attributes": {"when": object()},
        }
        for field, values in cases.items():
            with self.subTest(field=field), self.assertRaises(InvalidInput) as caught:
                to_payload(values)
            self.assertEqual(caught.exception.field, field)
