using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;

namespace Embeddings.Models.Maker;

/// <summary>A file of a published package from which a default model is made.</summary>
/// <param name="Package">Registry and name of the package.</param>
/// <param name="Version">Version of the package.</param>
/// <param name="Path">Path of the file in the package.</param>
/// <param name="Sha256">SHA-256 of the file, 64 lower-case hexadecimal digits, or empty for any content.</param>
public sealed record PublishedFile(string Package, string Version, string Path, string Sha256)
{
    private const string ResNetPackage = "NuGet Microsoft.ML.DnnImageFeaturizer.ResNet18";
    private const string ResNetVersion = "0.23.1";
    private const string FacePackage = "npm faceplugin-face-recognition-js";
    private const string FaceVersion = "0.0.1";

    /// <summary>ResNet-18 without its classifier.</summary>
    public static PublishedFile ResNet18 { get; } = new(
        ResNetPackage, ResNetVersion, "tools/DnnImageModels/ResNet18Onnx/ResNet18.onnx", "e2552f19db2dfdb01b3669537b6a0f1b44da38d18279535492ed5dfc2ef1ff8f");

    /// <summary>Preprocessing of ResNet-18.</summary>
    public static PublishedFile ResNetPreprocess { get; } = new(
        ResNetPackage, ResNetVersion, "tools/DnnImageModels/ResNetPrepOnnx/ResNetPreprocess.onnx",
        "84bf8def78d0befaa3f6e73745d57d7016c6a192ead76f79686bd438c1047004");

    /// <summary>Licence of the package with ResNet-18.</summary>
    public static PublishedFile ResNetLicence { get; } = new(ResNetPackage, ResNetVersion, "LICENSE", "");

    /// <summary>MobileFaceNet.</summary>
    public static PublishedFile MobileFaceNet { get; } = new(
        FacePackage, FaceVersion, "model/fr_feature.onnx", "87aacdfe57510db2af90c0251df680e8eec88f122ee94712121d09bcaaaf3581");

    /// <summary>Ultra-Light-Fast-Generic-Face-Detector, a detector.</summary>
    public static PublishedFile UltraFace { get; } = new(
        FacePackage, FaceVersion, "model/fr_detect.onnx", "6c0256ccd3164f844736a401faf936ec2930764a87ae39442180887d0c5c8854");

    /// <summary>Landmarks of faces.</summary>
    public static PublishedFile Landmarks68 { get; } = new(
        FacePackage, FaceVersion, "model/fr_landmark.onnx", "f10b0ba1d2a8a099adefede1ebf3733e44fe370715e7303dbeb7f59c02142258");

    /// <summary>Liveness of faces.</summary>
    public static PublishedFile Liveness { get; } = new(
        FacePackage, FaceVersion, "model/fr_liveness.onnx", "afa783b7e902fdfcf323a7240cac2a1c580c25314ea4161129dc1b0d100dc32d");

    /// <summary>Pose of heads.</summary>
    public static PublishedFile Pose { get; } = new(
        FacePackage, FaceVersion, "model/fr_pose.onnx", "72d032ec941b7153bf8d3f2c03a4c165453cc7e63d479041ec7c6ef087e5839d");

    /// <summary>Licence of the package with the models of faces.</summary>
    public static PublishedFile FaceLicence { get; } = new(FacePackage, FaceVersion, "LICENSE", "");

    /// <summary>Name of the file without directories.</summary>
    public string Name => System.IO.Path.GetFileName(Path);

    /// <summary>Reads the file from a directory with the files of the package.</summary>
    /// <exception cref="InvalidDataException">The file is missing or has unexpected content.</exception>
    public byte[] ReadFrom(string folder)
    {
        var file = System.IO.Path.Combine(folder, Path);
        return File.Exists(file)
            ? Check(File.ReadAllBytes(file))
            : throw new InvalidDataException($"{Package} {Version}: file {file} does not exist.");
    }

    /// <summary>Reads the file from an archive created by <c>npm pack</c>.</summary>
    /// <exception cref="InvalidDataException">The file is missing or has unexpected content.</exception>
    public byte[] ReadFromArchive(string archive)
    {
        using var stream = File.OpenRead(archive);
        using var unpacked = new GZipStream(stream, CompressionMode.Decompress);
        using var tar = new TarReader(unpacked);
        while (tar.GetNextEntry() is { } entry)
        {
            // npm puts all files in one directory.
            if (entry.Name == $"package/{Path}" && entry.DataStream is { } data)
            {
                using var content = new MemoryStream();
                data.CopyTo(content);
                return Check(content.ToArray());
            }
        }
        throw new InvalidDataException($"{Package} {Version}: file {Path} does not exist in {archive}.");
    }

    /// <summary>Returns the content if its checksum is correct.</summary>
    /// <exception cref="InvalidDataException">The checksum does not match.</exception>
    public byte[] Check(byte[] content)
    {
        var actual = Convert.ToHexStringLower(SHA256.HashData(content));
        return Sha256.Length == 0 || actual == Sha256
            ? content
            : throw new InvalidDataException($"{Package} {Version}: checksum mismatch of {Path}: SHA-256 must be "
                + $"{Sha256}; got {actual}.");
    }
}
