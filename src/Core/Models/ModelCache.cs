using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Embeddings.Core.Inference;
using Microsoft.ML.OnnxRuntime;

namespace Embeddings.Core.Models;

/// <summary>
/// Keeps findings about each model on this machine for the next start: its optimized graph, the results of its test
/// runs, and its best batch size. Files of another model, version, processor or setting, and damaged ones, are not used and
/// are replaced. Several servers may share a folder: each file is complete before it has its name.
/// </summary>
internal sealed class ModelCache(ModelOptions options, TimeProvider time, ILogger log)
{
    /// <summary>Name of the folder in the folder of a model.</summary>
    public const string FolderName = ".cache";

    private int _reported;

    /// <summary>Reads the entry of a model; null if nothing is to be kept.</summary>
    /// <param name="file">Path of the model file.</param>
    /// <param name="manifest">Its manifest.</param>
    /// <param name="inference">Settings of its sessions.</param>
    public CacheEntry? Open(string file, ModelManifest manifest, InferenceOptions inference)
    {
        if (!options.UseCache)
        {
            return null;
        }
        var folder = options.CacheFolder.Length > 0
            ? options.CacheFolder
            : Path.Combine(Path.GetDirectoryName(Path.GetFullPath(file))!, FolderName);
        return new(folder, manifest.Name, CacheKey.Of(manifest, inference), this);
    }

    /// <summary>The time now, for the age of files.</summary>
    public DateTime Now => time.GetUtcNow().UtcDateTime;

    /// <summary>Reports that nothing can be kept in a folder; only the first time.</summary>
    public void ReportNotWritable(string folder, string reason)
    {
        if (Interlocked.Exchange(ref _reported, 1) == 0)
        {
            CoreLog.CacheNotWritable(log, folder, reason);
        }
    }
}

/// <summary>The cache entry of one model. Thread-safe.</summary>
internal sealed class CacheEntry
{
    private const string Data = ".data";

    // Files without an entry may belong to another server that is about to write it.
    private static readonly TimeSpan Abandoned = TimeSpan.FromMinutes(10);

    private readonly Lock _lock = new();
    private readonly string _folder;
    private readonly string _name;
    private readonly string _key;
    private readonly ModelCache _cache;
    private CachedModel _content;

    public CacheEntry(string folder, string name, string key, ModelCache cache)
    {
        _folder = folder;
        _name = name;
        _key = key;
        _cache = cache;
        _content = Read();
        if (_content.Graph.Length > 0 && !IsIntact())
        {
            _content = _content with { Graph = "", Model = null };
        }
    }

    /// <summary>Results of the test runs, or null if there are none; then there is no graph either.</summary>
    public CachedProbe? Probe => _content.Model;

    /// <summary>Path of the optimized graph, or null if there is none.</summary>
    public string? Graph => _content.Graph.Length > 0 ? Path.Combine(_folder, _content.Graph) : null;

    /// <summary>The best batch size, or 0 if it is not known.</summary>
    public int BatchSize => _content.BatchSize;

    /// <summary>Completes when <see cref="Add"/> has ended.</summary>
    public Task Added { get; private set; } = Task.CompletedTask;

    private string File => Path.Combine(_folder, _name + ".json");

    /// <summary>Name of the file with the weights of an optimized graph, in the graph's folder.</summary>
    public static string DataOf(string graph) => Path.GetFileName(graph) + Data;

    /// <summary>True if the optimized graph is the one that was written.</summary>
    public bool IsIntact()
    {
        var content = _content;
        try
        {
            // A name with a path would make the server read arbitrary files.
            return Path.GetFileName(content.Graph) == content.Graph
                && ModelFile.DataSha256(File, [content.Graph, content.Graph + Data]) == content.GraphSha256;
        }
        catch (ModelException)
        {
            return false;
        }
    }

    /// <summary>Drops what was read, since it cannot be used after all.</summary>
    public void Discard()
    {
        lock (_lock)
        {
            _content = new() { Key = _key };
        }
    }

    /// <summary>
    /// Makes an empty file for an optimized graph and returns its path, or null if the folder cannot be written.
    /// </summary>
    public string? NewGraph()
    {
        var path = Path.Combine(_folder, $"{_name}-{Guid.NewGuid():N}.onnx");
        return TryWrite(() =>
        {
            Directory.CreateDirectory(_folder);
            System.IO.File.Create(path).Dispose();
            return path;
        });
    }

    /// <summary>Deletes a graph of <see cref="NewGraph"/> that is not used.</summary>
    public void Delete(string graph) => TryWrite(() =>
    {
        System.IO.File.Delete(graph);
        System.IO.File.Delete(graph + Data);
        return graph;
    });

    /// <summary>Keeps a graph of <see cref="NewGraph"/> and the results of the test runs; in the background.</summary>
    public void Add(string graph, CachedProbe model) => Added = Task.Run(() =>
    {
        var name = Path.GetFileName(graph);
        string sha256;
        try
        {
            // A graph without weights has no such file.
            System.IO.File.Open(graph + Data, FileMode.OpenOrCreate).Dispose();
            sha256 = ModelFile.DataSha256(graph, [name, name + Data]);
        }
        catch (Exception e) when (e is ModelException or IOException or UnauthorizedAccessException)
        {
            _cache.ReportNotWritable(_folder, e.Message);
            return;
        }
        lock (_lock)
        {
            _content = _content with { Graph = name, GraphSha256 = sha256, Model = model };
            Write();
        }
        DeleteAbandoned();
    });

    /// <summary>Keeps the best batch size.</summary>
    public void SetBatchSize(int size)
    {
        lock (_lock)
        {
            _content = _content with { BatchSize = size };
            Write();
        }
    }

    // An empty one of this key if there is none that can be used.
    private CachedModel Read()
    {
        try
        {
            var content = JsonSerializer.Deserialize(System.IO.File.ReadAllBytes(File), CacheJson.Default.CachedModel);
            if (content is not null && content.Key == _key)
            {
                return content;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or NotSupportedException)
        {
            // Replaced by the next one.
        }
        return new() { Key = _key };
    }

    private void Write() => TryWrite(() =>
    {
        Directory.CreateDirectory(_folder);
        var written = Path.Combine(_folder, $"{_name}-{Guid.NewGuid():N}.tmp");
        System.IO.File.WriteAllBytes(written, JsonSerializer.SerializeToUtf8Bytes(_content, CacheJson.Default.CachedModel));
        System.IO.File.Move(written, File, overwrite: true);
        return written;
    });

    private void DeleteAbandoned() => TryWrite(() =>
    {
        var current = Read().Graph;
        foreach (var path in Directory.EnumerateFiles(_folder, $"{_name}-*"))
        {
            var name = Path.GetFileName(path);
            if (name != current && name != current + Data && System.IO.File.GetLastWriteTimeUtc(path) < _cache.Now - Abandoned)
            {
                System.IO.File.Delete(path);
            }
        }
        return _folder;
    });

    private string? TryWrite(Func<string> write)
    {
        try
        {
            return write();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _cache.ReportNotWritable(_folder, e.Message);
            return null;
        }
    }
}

/// <summary>The content of a file of the cache.</summary>
internal sealed record CachedModel
{
    /// <summary>Hash of everything that the content depends on (<see cref="CacheKey"/>).</summary>
    public required string Key { get; init; }

    /// <summary>Name of the optimized graph's file; its weights are in a second file. Empty if there is none.</summary>
    public string Graph { get; init; } = "";

    /// <summary>SHA-256 of both files.</summary>
    public string GraphSha256 { get; init; } = "";

    /// <summary>Results of the test runs, or null if there is no graph.</summary>
    public CachedProbe? Model { get; init; }

    /// <summary>The best batch size; 0 if it is not known.</summary>
    public int BatchSize { get; init; }
}

/// <summary>The declarations of a model's graph and the results of its test runs.</summary>
/// <param name="Signature">Input and outputs.</param>
/// <param name="OutputShape">As in <see cref="TensorLayout"/>.</param>
/// <param name="FixedBatch">As in <see cref="TensorLayout"/>.</param>
/// <param name="Buckets">As in <see cref="TensorLayout"/>.</param>
/// <param name="MaxBatch">The largest usable batch.</param>
/// <param name="Notices">Notices for the operator.</param>
/// <param name="Sizes">Sizes of the outputs; none if the model embeds.</param>
internal sealed record CachedProbe(
    ModelSignature Signature,
    long[]? OutputShape,
    int FixedBatch,
    bool Buckets,
    int MaxBatch,
    string[] Notices,
    OutputSize[] Sizes)
{
    public static CachedProbe Of(ModelSignature signature, ProbeResult probe) => new(
        signature,
        probe.Layout.OutputShape?.ToArray(),
        probe.Layout.FixedBatch,
        probe.Layout.Buckets,
        probe.MaxBatch,
        [.. probe.Notices],
        [.. probe.Decoder?.Sizes ?? []]);

    /// <summary>The results as the test runs gave them.</summary>
    /// <exception cref="ModelException">They do not fit the manifest.</exception>
    public ProbeResult Restore(string file, ModelManifest manifest) =>
        MaxBatch >= 1 && MaxBatch <= Math.Max(manifest.MaxBatch, FixedBatch)
            ? new(
                new TensorLayout(
                    manifest.Input, manifest.Dimension, Signature.HalfInput, Signature.HalfOutput, OutputShape, FixedBatch, Buckets),
                MaxBatch,
                Notices,
                manifest.Embeds ? null : OutputDecoder.Create(file, manifest, Sizes))
            : throw new ModelException(file, "has a cache entry that does not fit its manifest");
}

[JsonSourceGenerationOptions(
    WriteIndented = true,
    NewLine = "\n",
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(CachedModel))]
internal sealed partial class CacheJson : JsonSerializerContext;

/// <summary>Everything that the content of the cache depends on, as one hash.</summary>
internal static class CacheKey
{
    /// <summary>SHA-256 of the model, the runtime, the processor and the settings, 64 lower-case hex digits.</summary>
    public static string Of(ModelManifest manifest, InferenceOptions inference) => Of(manifest, inference, Processor());

    /// <summary>The same for a processor.</summary>
    internal static string Of(ModelManifest manifest, InferenceOptions inference, string processor) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join(
            '\n',
            "embeddings-cache 1",
            Fingerprint.Of(manifest),
            Number(manifest.MaxBatch),
            OrtEnv.Instance().GetVersionString(),
            RuntimeInformation.RuntimeIdentifier,
            processor,
            Number(Environment.ProcessorCount),
            ProviderSetup.Word(inference.Provider),
            Number(inference.Device),
            Number(inference.Sessions),
            Number(inference.IntraOpThreads),
            Number(inference.InterOpThreads),
            inference.Spinning.ToString(),
            inference.BatchBuckets.ToString(),
            Number(inference.ProbeBatch)))));

    // A graph is optimized for the vector instructions of the processor.
    private static string Processor()
    {
        if (!X86Base.IsSupported)
        {
            return $"{RuntimeInformation.ProcessArchitecture} {AdvSimd.IsSupported} {Dp.IsSupported} {ArmCores()}";
        }
        var text = new StringBuilder();
        // The second value of leaf 1 differs from core to core.
        var (model, _, features, moreFeatures) = X86Base.CpuId(1, 0);
        text.Append(CultureInfo.InvariantCulture, $"{model:x} {features:x} {moreFeatures:x} ");
        // AVX2, AVX-512 and the later extensions.
        var (_, extended, moreExtended, _) = X86Base.CpuId(7, 0);
        text.Append(CultureInfo.InvariantCulture, $"{extended:x} {moreExtended:x} {X86Base.CpuId(7, 1).Eax:x} ");
        // The name.
        for (var leaf = unchecked((int)0x80000002); leaf <= unchecked((int)0x80000004); leaf++)
        {
            var (a, b, c, d) = X86Base.CpuId(leaf, 0);
            text.Append(Encoding.ASCII.GetString(MemoryMarshal.AsBytes<int>([a, b, c, d])));
        }
        return text.ToString();
    }

    private static string ArmCores()
    {
        try
        {
            return string.Join(' ', System.IO.File.ReadLines("/proc/cpuinfo")
                .Where(static line => line.StartsWith("CPU ", StringComparison.Ordinal) || line.StartsWith("Features", StringComparison.Ordinal))
                .Distinct());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
