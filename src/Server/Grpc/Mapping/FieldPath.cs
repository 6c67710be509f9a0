using Embeddings.Primitives;

namespace Embeddings.Server.Grpc.Mapping;

/// <summary>Reads a message within another: faults name their field as the outer one has it.</summary>
internal static class FieldPath
{
    public static T Within<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Fault fault)
        {
            throw fault.Within(path);
        }
    }
}
