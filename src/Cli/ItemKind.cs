namespace Embeddings.Cli;

/// <summary>What a picture is to the service; <c>--kind</c>.</summary>
internal enum ItemKind
{
    /// <summary>A whole image.</summary>
    Image,

    /// <summary>A face, aligned already or with landmarks.</summary>
    Face,
}
