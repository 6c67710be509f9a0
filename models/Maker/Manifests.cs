namespace Embeddings.Models.Maker;

/// <summary>The built-in models' manifests as they stand in the files, in the order the server writes them.</summary>
internal static class Manifests
{
    public const string Image =
        """
        {
          "name": "builtin-image",
          "kind": "image",
          "input": {
            "width": 224,
            "height": 224,
            "color_order": "rgb",
            "mean": [0, 0, 0],
            "std": [255, 255, 255],
            "resize": "stretch",
            "resize_to": 0,
            "interpolation": "bilinear"
          },
          "dimension": 512,
          "unit_length": false,
          "max_batch": 32,
          "output": "embedding",
          "licence": "Apache-2.0",
          "sha256": "{sha256}",
          "description": "A classical, untrained descriptor (edge directions and colours on grids): finds look-alikes and copies, not meaning."
        }

        """;

    public const string Face =
        """
        {
          "name": "builtin-face",
          "kind": "face",
          "input": {
            "width": 112,
            "height": 112,
            "color_order": "rgb",
            "mean": [127.5, 127.5, 127.5],
            "std": [127.5, 127.5, 127.5],
            "resize": "stretch",
            "resize_to": 0,
            "interpolation": "bilinear"
          },
          "dimension": 512,
          "unit_length": true,
          "max_batch": 64,
          "output": "embedding",
          "licence": "Apache-2.0",
          "sha256": "{sha256}",
          "description": "A classical, untrained descriptor (Gabor filters on grids): finds look-alikes and copies of a face crop, not identity."
        }

        """;
}
