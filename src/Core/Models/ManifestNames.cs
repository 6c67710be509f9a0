using System.Text.Json;

namespace Embeddings.Core.Models;

/// <summary>How the values of enumerations are written in manifests: <c>CenterCrop</c> is <c>center_crop</c>.</summary>
internal static class ManifestNames
{
    public static string Of<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());
}
