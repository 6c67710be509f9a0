using System.Runtime.InteropServices;
using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.V1;
using Google.Protobuf;

namespace Embeddings.Cli.Demos;

/// <summary>
/// Prints the steps of a demonstration and checks its claims. A claim that does not hold fails the command.
/// </summary>
internal sealed class Demo(EmbeddingsClient client, Output output)
{
    public EmbeddingsClient Client => client;

    /// <summary>Prints a step: a line of text, or with <c>--json</c> an object with <c>step</c> and the fields.</summary>
    public void Print(string step, string text, params (string, object)[] fields)
    {
        output.Line($"{step,-22}{text}");
        output.Object(fields.Prepend(("step", (object)step)).ToDictionary());
    }

    /// <summary>Prints a summary of a vector.</summary>
    public void PrintVector(string step, string of, Embedding embedding) => Print(
        step,
        $"{of} -> {Vectors.Summary(embedding.Values, 4)}",
        ("of", of),
        ("dimension", embedding.Values.Count),
        ("norm", Vectors.Norm(embedding.Values)));

    /// <summary>Prints the cosines of a vector with the same subject in another light and with another subject.</summary>
    public void Compare(string subject, Embedding one, Embedding same, Embedding other)
    {
        var (near, far) = (Vectors.Cosine(one.Values, same.Values), Vectors.Cosine(one.Values, other.Values));
        Print(
            "compare",
            $"cosine with the same {subject} in another light {near:0.0000}, with another {subject} {far:0.0000}",
            ("same", near),
            ("other", far));
        Check(
            near > far,
            $"the cosine with the same {subject} in another light is above the cosine with another {subject}");
    }

    public async Task<Embedding> EmbedAsync(Image image, CancellationToken cancellationToken) =>
        (await client.EmbedImageAsync(new EmbedImageRequest { Image = image }, cancellationToken)).Embedding;

    public async Task<Embedding> EmbedAsync(FaceCrop face, CancellationToken cancellationToken) =>
        (await client.EmbedFaceAsync(new EmbedFaceRequest { Face = face }, cancellationToken)).Embedding;

    public void Check(bool holds, string claim)
    {
        if (!holds)
        {
            throw new ToolException($"The demonstration failed: {claim} does not hold.");
        }
    }

    /// <summary>Returns the default model of a kind.</summary>
    public async Task<Model> DefaultModelAsync(ModelKind kind, CancellationToken cancellationToken)
    {
        var model = await client.ListAllModelsAsync(cancellationToken)
            .FirstOrDefaultAsync(model => model.Kind == kind && model.DefaultForKind, cancellationToken)
            ?? throw new ToolException($"The server has no default {kind.ToString().ToLowerInvariant()} model.");
        var size = $"{model.InputWidth}x{model.InputHeight}";
        Print("model", $"{model.Name}: input {size}, dimension {model.Dimension}", ("name", model.Name));
        return model;
    }

    /// <summary>Returns normally distributed values in the scale and size of a model, the same in every run.</summary>
    public static Image RandomPixels(Model model)
    {
        var random = new Random(7);
        var values = new float[model.InputWidth * model.InputHeight * 3];
        for (var i = 0; i < values.Length; i++)
        {
            // Box-Muller transform. The argument of the logarithm must not be 0.
            var radius = MathF.Sqrt(-2 * MathF.Log(1 - random.NextSingle()));
            values[i] = radius * MathF.Cos(2 * MathF.PI * random.NextSingle());
        }
        return new Image
        {
            Pixels = new PixelBuffer
            {
                Width = model.InputWidth,
                Height = model.InputHeight,
                Format = PixelFormat.RgbF32,
                Data = ByteString.CopyFrom(MemoryMarshal.AsBytes<float>(values)),
            },
        };
    }
}
