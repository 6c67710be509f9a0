using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Client;

/// <summary>Converts item errors to exceptions.</summary>
public static class ItemErrorExtensions
{
    /// <summary>Returns the exception that a unary call with the same error would throw.</summary>
    /// <param name="error">Error of a stream item.</param>
    public static EmbeddingsException ToException(this ItemError error)
    {
        ArgumentNullException.ThrowIfNull(error);
        return new EmbeddingsException((StatusCode)error.Code, error.Reason, error.Message, error.Field);
    }
}
