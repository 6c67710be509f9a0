using Embeddings.Core.Models;

namespace Embeddings.Core;

/// <summary>A model as its manifest describes it.</summary>
public sealed class ModelInfo
{
    internal ModelInfo(ModelManifest manifest)
    {
        Manifest = manifest;
        Fingerprint = Models.Fingerprint.Of(manifest);
    }

    /// <summary>Name that requests use.</summary>
    public string Name => Manifest.Name;

    /// <summary>Purpose of the model.</summary>
    public ModelKind Kind => Manifest.Kind;

    /// <summary>Number of values in its vectors; 0 if it has none.</summary>
    public int Dimension => Manifest.Dimension;

    /// <summary>True if its vectors have L2 norm 1.</summary>
    public bool UnitLength => Manifest.UnitLength;

    /// <summary>Width of its input, pixels.</summary>
    public int InputWidth => Manifest.Input.Width;

    /// <summary>Height of its input, pixels.</summary>
    public int InputHeight => Manifest.Input.Height;

    /// <summary>
    /// SHA-256 over the weights and the preprocessing, 64 hex digits: vectors of equal fingerprints can be compared.
    /// </summary>
    public string Fingerprint { get; }

    internal ModelManifest Manifest { get; }
}

/// <summary>Purpose of a model; the values are those of the contract.</summary>
public enum ModelKind
{
    /// <summary>Embeds complete images, with vectors as the model produces them.</summary>
    Image = 1,

    /// <summary>Embeds face crops; vectors of L2 norm 1.</summary>
    Face = 2,

    /// <summary>Finds faces in photos; no vectors.</summary>
    Detector = 3,

    /// <summary>Finds five points in a crop of a face; no vectors.</summary>
    Landmarks = 4,

    /// <summary>Estimates whether a face was taken from life; no vectors.</summary>
    Liveness = 5,

    /// <summary>Estimates the rotation of a head; no vectors.</summary>
    Pose = 6,
}

/// <summary>
/// A model that cannot be used: a manifest that is not valid, or a model file that is missing, damaged or does not fit its
/// manifest. The message is one line: the file, the field if there is one, the reason.
/// </summary>
public sealed class ModelException : Exception
{
    internal ModelException(string file, string message, Exception? inner = null)
        : base($"{Path.GetFileName(file)}: {OneLine(message)}", inner) => Field = "";

    internal ModelException(string file, string field, string message, Exception? inner = null)
        : base(field.Length == 0 ? $"{file}: {message}" : $"{file}: {field}: {message}", inner) => Field = field;

    /// <summary>
    /// Path of the manifest's field at fault, for example <c>input.width</c>; empty if it is not one field.
    /// </summary>
    public string Field { get; }

    // Messages of ONNX Runtime have several lines.
    private static string OneLine(string text) =>
        string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
