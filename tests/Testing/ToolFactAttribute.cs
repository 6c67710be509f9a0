namespace Embeddings.Testing;

/// <summary>
/// A test that needs a program this repository does not bring: an environment variable (<c>QDRANT_BINARY</c>,
/// <c>GRPCURL</c>, <c>GHZ</c>, <c>OTELCOL</c>) holds its path. Skipped, with the reason, if the variable is not set.
/// </summary>
public sealed class ToolFactAttribute : FactAttribute
{
    public ToolFactAttribute(string variable)
    {
        if (Tool.Find(variable) is null)
        {
            Skip = $"{variable} is not set";
        }
    }
}
