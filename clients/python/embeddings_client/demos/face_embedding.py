"""Embeds one face crop, then a batch of three. All vectors have an L2 norm of 1."""

import numpy as np

from embeddings_client import FaceEmbeddingInference


def main() -> None:
    rng = np.random.default_rng(2)
    with FaceEmbeddingInference(embedding_dim=512, input_size=(112, 112)) as inference:
        vector = inference.infer(rng.standard_normal((112, 112, 3)).astype(np.float32), label="face_0")
        print(f"face_0: shape {vector.shape}, {vector.dtype}, norm {np.linalg.norm(vector):.6f}")
        batch = {f"face_{i}": rng.integers(0, 256, (112, 112, 3), dtype=np.uint8) for i in range(3)}
        for label, result in inference.infer_batch(batch).items():
            print(f"{label}: {'failed' if result is None else f'shape {result.shape}, norm {np.linalg.norm(result):.6f}'}")


if __name__ == "__main__":
    main()
