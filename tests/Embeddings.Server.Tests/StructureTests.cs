namespace Embeddings.Server.Tests;

/// <summary>Keeps the shape of the code (docs/code-structure.md): what may know what, and how long a file may be.</summary>
public sealed class StructureTests
{
    private static readonly IReadOnlyList<SourceFile> Server = SourceFile.Under("src/Server");
    private static readonly IReadOnlyList<SourceFile> All = SourceFile.Under("src");

    [Fact]
    public void The_sources_are_found() => Assert.True(Server.Count >= 30, $"only {Server.Count} files under src/Server");

    [Fact]
    public void No_folder_points_upward() => AssertNone(Server.SelectMany(StructureRules.UpwardReferences));

    [Fact]
    public void Third_party_namespaces_stay_in_their_folders() => AssertNone(Server.SelectMany(StructureRules.StrayNamespaces));

    [Fact]
    public void Time_comes_from_TimeProvider() => AssertNone(Server.SelectMany(StructureRules.ClockReads));

    [Fact]
    public void No_file_is_long() => AssertNone(All.SelectMany(StructureRules.TooLong));

    [Fact]
    public void Most_files_are_short() => Assert.InRange(StructureRules.MedianLength(All), 1, 80);

    [Theory]
    [InlineData("Pipeline/A.cs", "using Embeddings.Server.Services;")]
    [InlineData("Imaging/A.cs", "using Embeddings.Server.Batching;")]
    [InlineData("Batching/A.cs", "using static Embeddings.Server.Imaging.Pixels;")]
    [InlineData("Inference/A.cs", "using Pixels = Embeddings.Server.Imaging.Pixels;")]
    [InlineData("Inference/A.cs", "class A { Embeddings.Server.Batching.Queue? _queue; }")]
    [InlineData("Inference/A.cs", "namespace Embeddings.Server.Inference; class A { Batching.Queue? _queue; }")]
    [InlineData("Inference/A.cs", "namespace Embeddings.Server.Inference; class A { void M() => new Server.Batching.Queue(); }")]
    [InlineData("Storage/Embedded/A.cs", "using Embeddings.Server.Inference;")]
    [InlineData("Storage/Embedded/A.cs", "using Embeddings.Server.Storage.Qdrant;")]
    [InlineData("Numerics/A.cs", "using Embeddings.Server.Diagnostics;")]
    [InlineData("Diagnostics/A.cs", "using Embeddings.Server.Storage;")]
    [InlineData("Pipeline/A.cs", "using Embeddings.Server.Storage;")]
    [InlineData("Imaging/A.cs", "namespace Embeddings.Server.Pipeline;")]
    [InlineData("Novel/A.cs", "class A;")]
    [InlineData("A.cs", "using Embeddings.Server.Storage;")]
    public void A_folder_that_points_upward_is_seen(string path, string text) => Assert.NotEmpty(StructureRules.UpwardReferences(new(path, text)));

    [Theory]
    [InlineData("Services/A.cs", "using Embeddings.Server.Pipeline; using Embeddings.Server.Storage; using Embeddings.Server.Inference;")]
    [InlineData("Pipeline/A.cs", "using Embeddings.Server.Imaging; using Embeddings.Server.Batching; using Embeddings.Server.Inference;")]
    [InlineData("Imaging/A.cs", "using Embeddings.Server.Inference; using Embeddings.Server.Diagnostics;")]
    [InlineData("Storage/Qdrant/A.cs", "using Embeddings.Server.Storage; using Embeddings.Server.Numerics;")]
    [InlineData("Inference/A.cs", "// Services.Embed calls it.\nclass A { string _text = \"Batching.Queue\"; }")]
    [InlineData("Program.cs", "using Embeddings.Server.Services;")]
    [InlineData("EmbeddingsServerBuilder.cs", "using Embeddings.Server.Services;")]
    public void What_points_downward_is_let_be(string path, string text) => Assert.Empty(StructureRules.UpwardReferences(new(path, text)));

    [Theory]
    [InlineData("Pipeline/A.cs", "using NetVips;")]
    [InlineData("Pipeline/A.cs", "class A { NetVips.Image? _image; }")]
    [InlineData("Pipeline/A.cs", "using VipsImage = global::NetVips.Image;")]
    [InlineData("Imaging/A.cs", "using Microsoft.ML.OnnxRuntime.Tensors;")]
    [InlineData("Storage/Embedded/A.cs", "using System.Numerics.Tensors;")]
    [InlineData("Storage/A.cs", "using Microsoft.Data.Sqlite;")]
    [InlineData("Services/A.cs", "using Qdrant.Client.Grpc;")]
    [InlineData("Storage/Embedded/A.cs", "using Polly;")]
    [InlineData("Pipeline/A.cs", "using Grpc.Core;")]
    [InlineData("Storage/Qdrant/A.cs", "using Grpc.AspNetCore.Server;")]
    [InlineData("Diagnostics/A.cs", "using Google.Rpc;")]
    [InlineData("Pipeline/A.cs", "using Google.Protobuf.WellKnownTypes;")]
    [InlineData("Pipeline/A.cs", "using V1 = Embeddings.V1;")]
    [InlineData("Services/A.cs", "using OpenTelemetry.Metrics;")]
    public void A_stray_namespace_is_seen(string path, string text) => Assert.NotEmpty(StructureRules.StrayNamespaces(new(path, text)));

    [Theory]
    [InlineData("Imaging/A.cs", "using NetVips;")]
    [InlineData("Storage/Qdrant/A.cs", "using Grpc.Core; using Polly.Retry; using Qdrant.Client;")]
    [InlineData("Services/A.cs", "using Grpc.Core; using Embeddings.V1; using Google.Rpc;")]
    [InlineData("Program.cs", "using OpenTelemetry;")]
    [InlineData("Pipeline/A.cs", "/* NetVips.Image */ class A { string _text = \"NetVips.Image\"; }")]
    [InlineData("Storage/Qdrant/A.cs", "namespace Embeddings.Server.Storage.Qdrant; using Embeddings.Server.Storage.Qdrant;")]
    public void A_namespace_at_home_is_let_be(string path, string text) => Assert.Empty(StructureRules.StrayNamespaces(new(path, text)));

    [Theory]
    [InlineData("var now = DateTime.UtcNow;")]
    [InlineData("var now = System.DateTime.Now;")]
    [InlineData("var now = DateTimeOffset.UtcNow;")]
    [InlineData("var watch = Stopwatch.StartNew();")]
    [InlineData("var watch = new Stopwatch();")]
    [InlineData("var ticks = Environment.TickCount64;")]
    public void A_clock_read_is_seen(string text) => Assert.NotEmpty(StructureRules.ClockReads(new("Pipeline/A.cs", text)));

    [Fact]
    public void Lengths_are_seen()
    {
        Assert.Empty(StructureRules.TooLong(Lines(250)));
        Assert.NotEmpty(StructureRules.TooLong(Lines(251)));
        Assert.Equal(20, StructureRules.MedianLength([Lines(10), Lines(20), Lines(300)]));
    }

    private static SourceFile Lines(int count) => new("A.cs", string.Concat(Enumerable.Repeat("x\n", count)));

    private static void AssertNone(IEnumerable<string> findings)
    {
        var all = findings.ToList();
        Assert.True(all.Count == 0, string.Join(Environment.NewLine, all));
    }
}
