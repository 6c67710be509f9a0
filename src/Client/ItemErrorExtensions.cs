using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Client;

/// <summary>From an item's error to an exception.</summary>
public static class ItemErrorExtensions
{
    /// <summary>The exception that the same error would have been in a unary call.</summary>
    /// <param name="error">The error of a stream's item.</param>
    public static EmbeddingsException ToException(this ItemError error)
    {
        ArgumentNullException.ThrowIfNull(error);
        return new EmbeddingsException((StatusCode)error.Code, error.Reason, error.Message, error.Field);
    }
}
