"""Photos to faces as a short program does it: ONNX Runtime and Pillow, one photo at a time.

Usage: python photos.py MODELS PHOTO... SECONDS

Prints the photos per second of the steps that the service does as well: decode, detect (one pass over the whole photo, as
such programs do), landmarks, alignment and embedding of every face. The vectors stay in memory.
"""

import sys
import time

import numpy
import onnxruntime
from PIL import Image

TEMPLATE = numpy.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
GROUPS = ([37, 38, 40, 41], [43, 44, 46, 47], [30], [48, 60], [54, 64])


class Faces:
    def __init__(self, models):
        self.detector = onnxruntime.InferenceSession(f"{models}/ultraface.onnx")
        self.landmarks = onnxruntime.InferenceSession(f"{models}/landmarks68.onnx")
        self.embedder = onnxruntime.InferenceSession(f"{models}/mobilefacenet.onnx")

    def get(self, path):
        with Image.open(path) as file:
            photo = file.convert("RGB")
        vectors = []
        for box in self.detect(photo):
            points = self.points(photo, box)
            vectors.append(self.embed(photo, points))
        return vectors

    def detect(self, photo):
        small = numpy.asarray(photo.resize((320, 240), Image.Resampling.BILINEAR), numpy.float32)
        tensor = ((small - 127) / 128).transpose(2, 0, 1)[None]
        outputs = run(self.detector, tensor)
        scores = next(output for output in outputs if output.shape[-1] == 2)[0, :, 1]
        boxes = next(output for output in outputs if output.shape[-1] == 4)[0]
        order = [i for i in numpy.argsort(-scores) if scores[i] >= 0.7]
        kept = []
        for i in order:
            if all(overlap(boxes[i], boxes[j]) <= 0.4 for j in kept):
                kept.append(i)
        return [boxes[i] * [photo.width, photo.height, photo.width, photo.height] for i in kept]

    def points(self, photo, box):
        gray = photo.crop([int(value) for value in box]).resize((64, 64), Image.Resampling.BILINEAR).convert("L")
        tensor = (numpy.asarray(gray, numpy.float32) / 256)[None, None]
        points = run(self.landmarks, tensor)[0].reshape(-1, 2)
        five = numpy.array([points[group].mean(axis=0) for group in GROUPS])
        return five * [box[2] - box[0], box[3] - box[1]] + box[:2]

    def embed(self, photo, points):
        # From the crop to the photo: Pillow takes the inverse transform.
        a, b, c, d = similarity(TEMPLATE, points)
        crop = photo.transform((112, 112), Image.Transform.AFFINE, (a, -b, c, b, a, d), Image.Resampling.BILINEAR)
        tensor = ((numpy.asarray(crop, numpy.float32)[:, :, ::-1] - 127.5) / 127.5).transpose(2, 0, 1)[None]
        vector = run(self.embedder, numpy.ascontiguousarray(tensor))[0].ravel()
        return vector / numpy.linalg.norm(vector)


def run(session, tensor):
    return session.run(None, {session.get_inputs()[0].name: tensor})


def overlap(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def similarity(source, target):
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    p, q = source - source_mean, target - target_mean
    variance = (p**2).sum()
    a = (p * q).sum() / variance
    b = (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum() / variance
    c, d = target_mean - [a * source_mean[0] - b * source_mean[1], b * source_mean[0] + a * source_mean[1]]
    return a, b, c, d


def main():
    models, *photos, seconds = sys.argv[1:]
    faces = Faces(models)
    found = [len(faces.get(photo)) for photo in photos]
    began = time.perf_counter()
    count = 0
    while time.perf_counter() - began < float(seconds):
        faces.get(photos[count % len(photos)])
        count += 1
    print(f"{count / (time.perf_counter() - began):.3f} photos/s, {sum(found)} faces in {len(found)} photos")


if __name__ == "__main__":
    main()
