using Embeddings.Cli.Sampling;
using Embeddings.Client;
using Embeddings.V1;

namespace Embeddings.Cli.Doctor;

/// <summary>Whether every model embeds, and the kinds' own collections are of the models that fill them.</summary>
internal sealed class ModelChecks(EmbeddingsClient client, DoctorReport report)
{
    // What the contract promises of unit-length vectors.
    private const double NormTolerance = 1e-6;

    private readonly SampleSet _samples = new();

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var models = new List<Model>();
        await report.CheckAsync(
            "server",
            async () =>
            {
                await foreach (var model in client.ListAllModelsAsync(cancellationToken: cancellationToken))
                {
                    models.Add(model);
                }
                return models.Count > 0 ? $"answers; {models.Count} models" : throw new CliException("it answers, but has no model");
            },
            needed: true);
        foreach (var model in models)
        {
            await report.CheckAsync($"model {model.Name}", () => EmbedAsync(model, cancellationToken));
        }
        foreach (var model in models.Where(model => model.DefaultForKind))
        {
            await report.CheckAsync($"collection of {model.Name}", () => CollectionAsync(model, cancellationToken));
        }
    }

    private async Task<string> EmbedAsync(Model model, CancellationToken cancellationToken)
    {
        var embedding = model.Kind == ModelKind.Face
            ? (await client.EmbedFaceAsync(new EmbedFaceRequest { Face = _samples.Draw(ItemKind.Face, 1, 1).Face, Model = model.Name }, cancellationToken)).Embedding
            : (await client.EmbedImageAsync(new EmbedImageRequest { Image = _samples.Draw(ItemKind.Image, 1, 1).Image, Model = model.Name }, cancellationToken)).Embedding;
        var norm = Math.Sqrt(embedding.Values.Sum(value => (double)value * value));
        if (embedding.Values.Count != model.Dimension)
        {
            throw new CliException($"it made {embedding.Values.Count} numbers instead of {model.Dimension}");
        }
        return !model.UnitLength || Math.Abs(norm - 1) <= NormTolerance
            ? $"{model.Dimension}-d, norm {norm:F4}, on {model.ExecutionProvider}"
            : throw new CliException($"its vector has norm {norm:R} instead of 1");
    }

    private async Task<string> CollectionAsync(Model model, CancellationToken cancellationToken)
    {
        var name = (model.Kind == ModelKind.Face ? ItemKind.Face : ItemKind.Image).Collection();
        await foreach (var collection in client.ListAllCollectionsAsync(cancellationToken: cancellationToken))
        {
            if (collection.Name == name)
            {
                return Compare(collection, model);
            }
        }
        return $"{name} is not there yet; it is made with the first item";
    }

    private static string Compare(Collection collection, Model model) =>
        collection.Dimension != model.Dimension
            ? throw new CliException($"{collection.Name} holds {collection.Dimension}-dimensional vectors, the default model {model.Name} makes {model.Dimension}")
        : collection.ModelFingerprint.Length > 0 && collection.ModelFingerprint != model.Fingerprint
            ? throw new CliException($"{collection.Name} is filled by the model {collection.Model}, the default one is {model.Name}: another fingerprint")
        : $"{collection.Name}: {collection.PointCount:N0} points, {collection.Dimension}-d";
}
