namespace Embeddings.Tooling.Models.Inspection;

/// <summary>An input or output as the runtime sees it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Of its values, for example <c>Float</c> or <c>Float16</c>.</param>
/// <param name="Shape">Its sizes; 0 or less for one known only at run time.</param>
internal sealed record GraphTensor(string Name, string Type, IReadOnlyList<int> Shape)
{
    /// <summary>Whether the service can fill or read it: float32 or float16.</summary>
    public bool IsFloat => Type is "Float" or "Float16";

    public override string ToString() => $"{Name} {Type} [{string.Join(", ", Shape.Select(size => size > 0 ? $"{size}" : "any"))}]";
}
