using Embeddings.Client;
using Embeddings.Tooling.Items;
using Embeddings.V1;
using Google.Protobuf;
using NetVips;
using Image = Embeddings.V1.Image;

namespace Embeddings.Tooling.Benching;

/// <summary>Items of a load: generated images, the same in every run.</summary>
internal static class BenchItems
{
    // Enough that no cache holds all of them.
    private const int Count = 64;
    private const int JpegQuality = 85;

    /// <summary>Returns the model of this name, or the default model of the kind.</summary>
    /// <exception cref="ToolException">The model does not exist or has another kind.</exception>
    public static async Task<Model> ModelAsync(
        EmbeddingsClient client, string name, ItemKind kind, CancellationToken cancellationToken)
    {
        var wanted = kind == ItemKind.Face ? ModelKind.Face : ModelKind.Image;
        var model = await client.ListAllModelsAsync(cancellationToken)
            .FirstOrDefaultAsync(
                known => name.Length > 0 ? known.Name == name : known.DefaultForKind && known.Kind == wanted,
                cancellationToken);
        if (model?.Kind == wanted)
        {
            return model;
        }
        var missing = name.Length > 0 ? $"model '{name}'" : $"default {kind.Word()} model";
        throw new ToolException(model is null
            ? $"The server has no {missing}."
            : $"Model '{name}' does not embed {kind.Word()}s. Choose another model or another --kind.");
    }

    /// <summary>Creates raw images of the model's input size, or JPEG files of another size.</summary>
    /// <param name="model">Model that embeds them.</param>
    /// <param name="jpeg">Width and height of the JPEG files, or null for raw pixels.</param>
    public static IReadOnlyList<StreamEmbedRequest> Create(Model model, (int Width, int Height)? jpeg) =>
        [.. Enumerable.Range(0, Count).Select(number => Request(model, number, Draw(model, jpeg, number)))];

    private static StreamEmbedRequest Request(Model model, int number, Image image)
    {
        var request = new StreamEmbedRequest { ItemId = $"bench-{number}", Model = model.Name };
        if (model.Kind == ModelKind.Face)
        {
            // The images are of any size; what they show does not matter.
            request.Face = new FaceCrop { Image = image, Aligned = true };
        }
        else
        {
            request.Image = image;
        }
        return request;
    }

    // Smooth waves with noise: as a JPEG about as large, and as slow to decode, as a photograph.
    private static Image Draw(Model model, (int Width, int Height)? jpeg, int number)
    {
        var (width, height) = jpeg ?? (model.InputWidth, model.InputHeight);
        NetVips.Image Channel(int i)
        {
            using var waves = NetVips.Image.Sines(width, height, hfreq: 1 + (number % 5) + i, vfreq: 1 + (number % 7));
            using var noise = NetVips.Image.Gaussnoise(width, height, sigma: 7, mean: 128, seed: (3 * number) + i);
            return (waves * 90) + noise;
        }
        using var red = Channel(0);
        using var green = Channel(1);
        using var blue = Channel(2);
        using var joined = red.Bandjoin(green, blue);
        using var pixels = joined.Cast(Enums.BandFormat.Uchar);
        using var image = pixels.Copy(interpretation: Enums.Interpretation.Srgb);
        if (jpeg is not null)
        {
            return new Image { Encoded = UnsafeByteOperations.UnsafeWrap(image.JpegsaveBuffer(q: JpegQuality)) };
        }
        var data = UnsafeByteOperations.UnsafeWrap(image.WriteToMemory<byte>());
        return new Image { Pixels = new() { Width = width, Height = height, Format = PixelFormat.Rgb8, Data = data } };
    }
}
