using System.Text.RegularExpressions;

namespace Embeddings.Server.Tests;

/// <summary>The rules of <see cref="StructureTests"/>. Each takes a file and yields a sentence for every breach.</summary>
internal static partial class StructureRules
{
    private const int LongestFile = 250;

    // What each folder of src/Server may know, besides itself. Storage's folders know Storage, never each other.
    private static readonly Dictionary<string, string[]> MayKnow = new()
    {
        ["Services"] = ["Pipeline", "Imaging", "Batching", "Inference", "Storage", "Numerics", "Diagnostics"],
        ["Pipeline"] = ["Imaging", "Batching", "Inference", "Numerics", "Diagnostics"],
        ["Imaging"] = ["Inference", "Numerics", "Diagnostics"],
        ["Batching"] = ["Inference", "Numerics", "Diagnostics"],
        ["Inference"] = ["Numerics", "Diagnostics"],
        ["Storage"] = ["Numerics", "Diagnostics"],
        ["Numerics"] = [],
        ["Diagnostics"] = [],
        // What stands beside the folders and does not put the parts together.
        [""] = [],
    };

    // The more special name first: a path is judged by the first that fits.
    private static readonly (string Namespace, string[] Homes)[] Homes =
    [
        ("NetVips", ["Imaging/"]),
        ("Microsoft.ML.OnnxRuntime", ["Inference/"]),
        ("System.Numerics.Tensors", ["Numerics/"]),
        ("Microsoft.Data.Sqlite", ["Storage/Embedded/"]),
        ("Qdrant.Client", ["Storage/Qdrant/"]),
        ("Polly", ["Storage/Qdrant/"]),
        ("Grpc.Core", ["Services/", "Storage/Qdrant/"]),
        ("Grpc.Net.Client", ["Storage/Qdrant/"]),
        ("Grpc", ["Services/"]),
        ("Google.Protobuf", ["Services/"]),
        ("Google.Rpc", ["Services/"]),
        ("Embeddings.V1", ["Services/"]),
        ("OpenTelemetry", ["Diagnostics/"]),
    ];

    // Files that measure time in ticks on purpose, each with its reason beside it in the code. None yet.
    private static readonly string[] MayReadTheClock = [];

    public static IEnumerable<string> UpwardReferences(SourceFile file)
    {
        if (IsComposition(file))
        {
            yield break;
        }
        if (!MayKnow.TryGetValue(file.Folder, out var known))
        {
            yield return $"{file.Path}: the folder {file.Folder} has no place in the order";
            yield break;
        }
        foreach (var reference in FolderName().Matches(file.Code).Select(match => match.Groups["folder"].Value).Distinct())
        {
            if (reference != file.Folder && !known.Contains(reference))
            {
                yield return $"{file.Path}: {file.Folder} must not know {reference}";
            }
        }
        foreach (Match match in StoreName().Matches(file.Code))
        {
            var store = match.Groups["store"].Value;
            if (file.Folder == "Storage" && !file.Path.StartsWith($"Storage/{store}/", StringComparison.Ordinal))
            {
                yield return $"{file.Path}: only the composition knows Storage.{store}";
            }
        }
    }

    public static IEnumerable<string> StrayNamespaces(SourceFile file)
    {
        if (IsComposition(file))
        {
            yield break;
        }
        foreach (var name in ThirdPartyName().Matches(file.Code).Select(match => match.Value).Distinct())
        {
            var (home, folders) = Homes.First(entry => name == entry.Namespace || name.StartsWith(entry.Namespace + ".", StringComparison.Ordinal));
            if (!folders.Any(folder => file.Path.StartsWith(folder, StringComparison.Ordinal)))
            {
                yield return $"{file.Path}: {name} belongs to {string.Join(" and ", folders)} alone (rule for {home})";
            }
        }
    }

    public static IEnumerable<string> ClockReads(SourceFile file) =>
        MayReadTheClock.Contains(file.Path) ? [] : Clock().Matches(file.Code).Select(match => $"{file.Path}: {match.Value}; use TimeProvider");

    public static IEnumerable<string> TooLong(SourceFile file) =>
        file.Lines > LongestFile ? [$"{file.Path}: {file.Lines} lines, more than {LongestFile}"] : [];

    public static int MedianLength(IReadOnlyCollection<SourceFile> files) =>
        files.Select(file => file.Lines).Order().ElementAt((files.Count - 1) / 2);

    // Program.cs and EmbeddingsServer*.cs put the parts together, so they know all of them.
    private static bool IsComposition(SourceFile file) =>
        file.Folder.Length == 0 && (file.Path == "Program.cs" || file.Path.StartsWith("EmbeddingsServer", StringComparison.Ordinal));

    // After Embeddings.Server, or after Server as seen from within Embeddings; else bare before a type's name, as seen from within Embeddings.Server.
    [GeneratedRegex(@"(?<![\w.])(?:(?:Embeddings\.)?Server\.(?<folder>Services|Pipeline|Imaging|Batching|Inference|Storage|Numerics|Diagnostics)\b|(?<folder>Services|Pipeline|Imaging|Batching|Inference|Storage|Numerics|Diagnostics)\.(?=[A-Z]))")]
    private static partial Regex FolderName();

    [GeneratedRegex(@"(?<![\w.])(?:(?:Embeddings\.)?Server\.)?Storage\.(?<store>Embedded|Qdrant)\b")]
    private static partial Regex StoreName();

    // A name that begins with one of the namespaces: at the start of a dotted name, and followed by its parts or the end of a using.
    [GeneratedRegex(@"(?<![\w.])(?:NetVips|Microsoft\.ML\.OnnxRuntime|System\.Numerics\.Tensors|Microsoft\.Data\.Sqlite|Qdrant\.Client|Polly|Grpc|Google\.Protobuf|Google\.Rpc|Embeddings\.V1|OpenTelemetry)(?=[.;])(?:\.\w+)*")]
    private static partial Regex ThirdPartyName();

    [GeneratedRegex(@"\bDateTime(?:Offset)?\.(?:Utc)?Now\b|\bDateTime\.Today\b|\bStopwatch\.(?:StartNew|GetTimestamp)\b|\bnew Stopwatch\b|\bEnvironment\.TickCount(?:64)?\b")]
    private static partial Regex Clock();
}
