using System.Runtime.InteropServices;
using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Tooling.Models.Adding;
using Embeddings.V1;
using Google.Protobuf;
using Files = Embeddings.Testing.Material;

namespace Embeddings.IntegrationTests.RealModels;

/// <summary>A server with real models that were added with the command line; started once, and only if there are models.</summary>
public sealed class MaterialServer : IAsyncLifetime
{
    public const string Faces = "mobilefacenet128";
    public const string Objects = "mobilenetv3small";
    public const string People = "osnet";
    public const string Squeeze = "squeezenet";

    private readonly TempFolder _models = new();
    private TestServer? _server;

    public Api Api => _server!.Api;

    public async ValueTask InitializeAsync()
    {
        if (Files.Root is null)
        {
            return;
        }
        Add("mobilefacenet128_foamliu_fp32_dynbatch", Faces, "mobilefacenet-imagenet");
        Add("mobilenetv3small_576_fp32_dynbatch", Objects, "imagenet-torchvision");
        Add("osnet_x0_25_msmt17_512_fp32_dynbatch", People, "imagenet-torchvision", request => request with { Resize = Embeddings.Core.Models.ResizeMode.Stretch });
        Add("SqueezeNet_fp16", Squeeze, "squeezenet-caffe", request => request with { Output = "fire9/concat_1" });
        _server = await TestServer.StartAsync($"--Models:Directories:0={_models.Path}", "--Inference:ProbeBatch=2");
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
        _models.Dispose();
    }

    /// <summary>Embeds everything in one stream, so that it runs in batches.</summary>
    internal async Task<List<float[]>> StreamAsync(IEnumerable<StreamEmbedRequest> requests)
    {
        var answers = await Api.Embedding.StreamEmbed().ExchangeAsync(requests);
        return [.. answers.Select(answer => answer.Embedding is { } made ? made.Values.ToArray() : throw new InvalidOperationException($"{answer.ItemId}: {answer.Error}"))];
    }

    internal static StreamEmbedRequest Image(string model, string path) =>
        Image(model, path, File.ReadAllBytes(path));

    internal static StreamEmbedRequest Image(string model, string id, byte[] file) =>
        new() { ItemId = id, Model = model, Image = new() { Encoded = ByteString.CopyFrom(file) } };

    internal static double Cosine(float[] left, float[] right) =>
        left.Zip(right, (a, b) => (double)a * b).Sum() / Math.Sqrt(left.Sum(v => (double)v * v) * right.Sum(v => (double)v * v));

    /// <summary>Converts planes of floats to the interleaved layout of the contract.</summary>
    internal static PixelBuffer Pixels(ReadOnlySpan<float> planes, int width, int height)
    {
        var plane = width * height;
        var pixels = new float[3 * plane];
        for (var i = 0; i < pixels.Length; i++)
        {
            pixels[i] = planes[(i % 3 * plane) + (i / 3)];
        }
        return new() { Width = width, Height = height, Format = PixelFormat.RgbF32, Data = ByteString.CopyFrom(MemoryMarshal.AsBytes<float>(pixels)) };
    }

    internal static float[] Floats(string file) => MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Files.Path("golden", file))).ToArray();

    private void Add(string file, string name, string preset, Func<AddRequest, AddRequest>? more = null)
    {
        var request = new AddRequest { File = Files.Path("models", file + ".onnx"), Directory = _models.Path, Name = name, Preset = preset, MaxBatch = 8 };
        ModelAdder.Add(more is null ? request : more(request));
    }
}
