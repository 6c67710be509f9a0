namespace Embeddings.Models.Maker;

/// <summary>Manifests of the default models, with their fields in the order in which the server writes them.</summary>
internal static class Manifests
{
    public const string ResNet18Origin = "NuGet Microsoft.ML.DnnImageFeaturizer.ResNet18 0.23.1: ResNet18.onnx, "
        + "ResNetPreprocess.onnx";

    public const string MobileFaceNetOrigin = "npm faceplugin-face-recognition-js 0.0.1: model/fr_feature.onnx";

    public const string UltraFaceOrigin = "npm faceplugin-face-recognition-js 0.0.1: model/fr_detect.onnx";

    public const string Landmarks68Origin = "npm faceplugin-face-recognition-js 0.0.1: model/fr_landmark.onnx";

    public const string LivenessOrigin = "npm faceplugin-face-recognition-js 0.0.1: model/fr_liveness.onnx";

    public const string PoseOrigin = "npm faceplugin-face-recognition-js 0.0.1: model/fr_pose.onnx";

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
            "interpolation": "bilinear",
            "decode": "scaled"
          },
          "dimension": 512,
          "unit_length": false,
          "max_batch": 16,
          "output": "embedding",
          "licence": "MIT",
          "origin": "{{ResNet18Origin}}",
          "sha256": "{sha256}",
          "data_sha256": "{data_sha256}",
          "description": "ResNet-18 trained on the 1,000 classes of ImageNet, without its last layer: finds images of similar objects and scenes. It does not recognize people or read text, and cannot search by words."
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
            "interpolation": "bilinear",
            "decode": "scaled"
          },
          "dimension": 512,
          "unit_length": true,
          "max_batch": 32,
          "output": "embedding",
          "licence": "MIT",
          "origin": "{{MobileFaceNetOrigin}}",
          "sha256": "{sha256}",
          "description": "MobileFaceNet trained to distinguish people by aligned face crops. It does not find faces in photos, and a match is not proof of identity. Its publisher does not state what data it was trained on.",
          "suggested_threshold": 0.509,
          "false_match_rate": 0
        }

        """;

    public const string UltraFace =
        $$"""
        {
          "name": "ultraface",
          "kind": "detector",
          "input": {
            "width": 320,
            "height": 240,
            "color_order": "rgb",
            "mean": [127, 127, 127],
            "std": [128, 128, 128],
            "resize": "stretch",
            "resize_to": 0,
            "interpolation": "bilinear"
          },
          "max_batch": 16,
          "licence": "MIT",
          "origin": "{{UltraFaceOrigin}}",
          "sha256": "{sha256}",
          "description": "Ultra-Light-Fast-Generic-Face-Detector (RFB) at 320x240: finds faces in photos, without landmarks. It finds mainly upright faces from 16 pixels of its input on. Its publisher does not state what data it was trained on.",
          "detector": {
            "boxes": "corners",
            "scores": "probability",
            "strides": [],
            "anchors": [],
            "anchor_offset": 0,
            "outputs": {
              "scores": ["scores"],
              "objectness": [],
              "boxes": ["boxes"],
              "keypoints": []
            },
            "nms": 0.4,
            "min_confidence": 0.7,
            "min_score": 0.3,
            "min_face": 16,
            "max_face": 180
          }
        }

        """;

    public const string Landmarks68 =
        $$"""
        {
          "name": "landmarks68",
          "kind": "landmarks",
          "input": {
            "width": 64,
            "height": 64,
            "color_order": "gray",
            "mean": [0],
            "std": [256],
            "resize": "stretch",
            "resize_to": 0,
            "interpolation": "bilinear"
          },
          "max_batch": 64,
          "licence": "MIT",
          "origin": "{{Landmarks68Origin}}",
          "sha256": "{sha256}",
          "description": "Finds 68 landmarks in the box of a face, of which five points are used to align it. Its publisher does not state what data it was trained on.",
          "landmarks": {
            "output": "landmarks",
            "scale": 1,
            "points": [[37, 38, 40, 41], [43, 44, 46, 47], [30], [48, 60], [54, 64]],
            "crop_scale": 1.1,
            "crop_height": 0.82,
            "crop_down": 0.06
          }
        }

        """;

    public const string Liveness =
        $$"""
        {
          "name": "liveness",
          "kind": "liveness",
          "input": {
            "width": 128,
            "height": 128,
            "color_order": "bgr",
            "mean": [0, 0, 0],
            "std": [1, 1, 1],
            "resize": "stretch",
            "resize_to": 0,
            "interpolation": "bilinear"
          },
          "max_batch": 32,
          "licence": "MIT",
          "origin": "{{LivenessOrigin}}",
          "sha256": "{sha256}",
          "description": "Estimates whether a face was taken from life or from a picture or screen. A hint, no protection: it has not been measured on attacks here, and its publisher states neither its accuracy nor what data it was trained on.",
          "liveness": {
            "output": "classes",
            "live_class": 0,
            "crop_scale": 2.7
          }
        }

        """;

    public const string Pose =
        $$"""
        {
          "name": "pose",
          "kind": "pose",
          "input": {
            "width": 224,
            "height": 224,
            "color_order": "rgb",
            "mean": [123.675, 116.28, 103.53],
            "std": [58.395, 57.12, 57.375],
            "resize": "stretch",
            "resize_to": 0,
            "interpolation": "bilinear"
          },
          "max_batch": 32,
          "licence": "MIT",
          "origin": "{{PoseOrigin}}",
          "sha256": "{sha256}",
          "description": "Estimates yaw, pitch and roll of a head. Its pitch is some degrees too low on average. Its publisher does not state what data it was trained on.",
          "pose": {
            "yaw": "yaw",
            "pitch": "pitch",
            "roll": "roll",
            "first_bin": -99,
            "bin_size": 3,
            "signs": [-1, 1, 1],
            "crop_scale": 1.5
          }
        }

        """;
}
