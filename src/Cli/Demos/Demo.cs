using System.Text.Json;
using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.V1;

namespace Embeddings.Cli.Demos;

/// <summary>What a demo works with. Everything it says is printed; everything it claims is checked, and a claim that does not hold ends the command.</summary>
internal sealed class Demo(EmbeddingsClient client, Output output)
{
    public const ulong Seed = 7;

    public EmbeddingsClient Client => client;

    /// <summary>Says what was done: a line for a person, or an object with <c>step</c> and the fields for a program.</summary>
    public void Say(string step, string text, Action<Utf8JsonWriter>? fields = null)
    {
        output.Line($"{step,-22}{text}");
        output.Object(json =>
        {
            json.WriteString("step", step);
            fields?.Invoke(json);
        });
    }

    /// <summary>Says what a vector is like.</summary>
    public void SayVector(string step, string of, Embedding embedding)
    {
        var norm = Vectors.Norm(embedding.Values);
        Say(step, $"{of} -> ({embedding.Values.Count},) norm {norm:0.0000000} {Vectors.Beginning(embedding.Values, 4)}", json =>
        {
            json.WriteString("of", of);
            json.WriteNumber("dimension", embedding.Values.Count);
            json.WriteNumber("norm", norm);
        });
    }

    public void Check(bool holds, string claim)
    {
        if (!holds)
        {
            throw new CliException($"the demo expected that {claim}, and it is not so");
        }
    }

    /// <summary>The server's default model of a kind.</summary>
    public async Task<Model> DefaultModelAsync(ModelKind kind, CancellationToken cancellationToken)
    {
        await foreach (var model in client.ListAllModelsAsync(cancellationToken))
        {
            if (model.Kind == kind && model.DefaultForKind)
            {
                Say("model", $"{model.Name}: input {model.InputWidth}x{model.InputHeight}, dimension {model.Dimension}",
                    json => json.WriteString("name", model.Name));
                return model;
            }
        }
        throw new CliException($"the server has no default model for {kind.ToString().ToLowerInvariant()}s");
    }
}
