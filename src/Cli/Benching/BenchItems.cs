using Embeddings.Cli.Sampling;
using Embeddings.Client;
using Embeddings.Tooling.Imaging;
using Embeddings.V1;
using Google.Protobuf;
using V1Format = Embeddings.V1.PixelFormat;

namespace Embeddings.Cli.Benching;

/// <summary>What a load sends: pictures of random pixels, made by code, the same ones every time.</summary>
internal static class BenchItems
{
    // Enough that no cache holds them all.
    private const int Count = 64;
    private const int JpegQuality = 85;

    /// <summary>The model of this name, or the kind's default one; <see cref="CliException"/> where there is none.</summary>
    public static async Task<Model> ModelAsync(EmbeddingsClient client, string name, ItemKind kind, CancellationToken cancellationToken)
    {
        var wanted = kind == ItemKind.Face ? ModelKind.Face : ModelKind.Image;
        await foreach (var model in client.ListAllModelsAsync(cancellationToken))
        {
            if (name.Length > 0 ? model.Name == name : model.DefaultForKind && model.Kind == wanted)
            {
                return model.Kind == wanted ? model : throw new CliException($"model '{name}' embeds no {kind.Word()}s; choose another --kind");
            }
        }
        throw new CliException(name.Length > 0 ? $"the server has no model '{name}'" : $"the server has no default model for {kind.Word()}s");
    }

    /// <summary>Raw pictures of the model's own size, or JPEG files of another.</summary>
    /// <param name="model">Who embeds them.</param>
    /// <param name="jpeg">Width and height of the files; null for raw pixels.</param>
    public static IReadOnlyList<StreamEmbedRequest> Make(Model model, (int Width, int Height)? jpeg) =>
        [.. Enumerable.Range(0, Count).Select(number => Request(model, number, jpeg is { } size ? Jpeg(size, number) : Raw(model, number)))];

    private static StreamEmbedRequest Request(Model model, int number, Image image)
    {
        var request = new StreamEmbedRequest { ItemId = $"bench-{number}", Model = model.Name };
        if (model.Kind == ModelKind.Face)
        {
            request.Face = new FaceCrop { Image = image };
        }
        else
        {
            request.Image = image;
        }
        return request;
    }

    private static Image Raw(Model model, int number) => new()
    {
        Pixels = new PixelBuffer
        {
            Width = model.InputWidth,
            Height = model.InputHeight,
            Format = V1Format.Rgb8,
            Data = UnsafeByteOperations.UnsafeWrap(Pixels(model.InputWidth, model.InputHeight, number)),
        },
    };

    private static Image Jpeg((int Width, int Height) size, int number) =>
        new() { Encoded = UnsafeByteOperations.UnsafeWrap(JpegEncoder.Encode(Pixels(size.Width, size.Height, number), size.Width, size.Height, JpegQuality)) };

    // Soft waves under grain: as a JPEG about as long, and as slow to decode, as a photograph.
    private static byte[] Pixels(int width, int height, int number)
    {
        var dice = new Dice((ulong)number);
        var (across, down, phase) = (dice.Between(2, 20), dice.Between(2, 20), dice.Between(0, 6));
        var pixels = new byte[width * height * 3];
        for (var i = 0; i < pixels.Length; i++)
        {
            var (x, y) = (i / 3 % width / (float)width, i / 3 / width / (float)height);
            pixels[i] = (byte)(128 + (90 * MathF.Sin((x * across) + (y * down) + phase + (i % 3))) + dice.Between(-12, 12));
        }
        return pixels;
    }
}
