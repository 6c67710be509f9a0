using System.Text;
using Grpc.Core;

namespace Embeddings.Cli.Printing;

/// <summary>The gRPC status codes by the names their documentation has: INVALID_ARGUMENT for 3.</summary>
internal static class StatusName
{
    public static string Of(int code)
    {
        if (!Enum.IsDefined((StatusCode)code))
        {
            return $"STATUS_{code}";
        }
        var name = new StringBuilder();
        foreach (var c in ((StatusCode)code).ToString())
        {
            if (char.IsUpper(c) && name.Length > 0)
            {
                name.Append('_');
            }
            name.Append(char.ToUpperInvariant(c));
        }
        return name.ToString();
    }
}
