namespace Embeddings.Models.Maker;

/// <summary>The manifests of the default models, in the order of fields in which the server writes them.</summary>
internal static class Manifests
{
    public const string ResNet18Origin = "NuGet Microsoft.ML.DnnImageFeaturizer.ResNet18 0.23.1: ResNet18.onnx, ResNetPreprocess.onnx";

    public const string MobileFaceNetOrigin = "npm faceplugin-face-recognition-js 0.0.1: model/fr_feature.onnx";

    public const string ResNet18 =
        $$"""
        {
          "name": "resnet18",
          "kind": "image",
          "input": {
            "width": 224,
            "height": 224,
            "color_order": "bgr",
            "mean": [0, 0, 0],
            "std": [1, 1, 1],
            "resize": "stretch",
            "resize_to": 0,
            "interpolation": "bilinear"
          },
          "dimension": 512,
          "unit_length": false,
          "max_batch": 16,
          "output": "embedding",
          "licence": "MIT",
          "origin": "{{ResNet18Origin}}",
          "sha256": "{sha256}",
          "data_sha256": "{data_sha256}",
          "description": "ResNet-18 trained to name 1,000 kinds of things (ImageNet), without its last layer: finds images that show alike things and scenes. It does not recognise people, read text or understand words."
        }

        """;

    public const string MobileFaceNet =
        $$"""
        {
          "name": "mobilefacenet",
          "kind": "face",
          "input": {
            "width": 112,
            "height": 112,
            "color_order": "bgr",
            "mean": [127.5, 127.5, 127.5],
            "std": [127.5, 127.5, 127.5],
            "resize": "stretch",
            "resize_to": 0,
            "interpolation": "bilinear"
          },
          "dimension": 512,
          "unit_length": true,
          "max_batch": 32,
          "output": "embedding",
          "licence": "MIT",
          "origin": "{{MobileFaceNetOrigin}}",
          "sha256": "{sha256}",
          "description": "MobileFaceNet trained to tell people apart by aligned face crops. It finds no faces in photos, and a match is not proof of identity. Its publisher does not state what data it was trained on.",
          "suggested_threshold": 0.509
        }

        """;
}
