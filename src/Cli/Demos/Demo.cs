using System.Runtime.InteropServices;
using System.Text.Json;
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
    public void Print(string step, string text, Action<Utf8JsonWriter>? fields = null)
    {
        output.Line($"{step,-22}{text}");
        output.Object(json =>
        {
            json.WriteString("step", step);
            fields?.Invoke(json);
        });
    }

    /// <summary>Prints a summary of a vector.</summary>
    public void PrintVector(string step, string of, Embedding embedding)
    {
        Print(step, $"{of} -> {Vectors.Summary(embedding.Values, 4)}", json =>
        {
            json.WriteString("of", of);
            json.WriteNumber("dimension", embedding.Values.Count);
            json.WriteNumber("norm", Vectors.Norm(embedding.Values));
        });
    }

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
        await foreach (var model in client.ListAllModelsAsync(cancellationToken))
        {
            if (model.Kind == kind && model.DefaultForKind)
            {
                Print("model", $"{model.Name}: input {model.InputWidth}x{model.InputHeight}, dimension {model.Dimension}",
                    json => json.WriteString("name", model.Name));
                return model;
            }
        }
        throw new ToolException($"The server has no default {kind.ToString().ToLowerInvariant()} model.");
    }

    /// <summary>Returns normally distributed values in the scale and size of a model, the same in every run.</summary>
    public static Image RandomPixels(Model model)
    {
        var random = new Random(7);
        var values = new float[model.InputWidth * model.InputHeight * 3];
        for (var i = 0; i < values.Length; i++)
        {
            // Box-Muller transform. The argument of the logarithm must not be 0.
            values[i] = MathF.Sqrt(-2 * MathF.Log(1 - random.NextSingle())) * MathF.Cos(2 * MathF.PI * random.NextSingle());
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
