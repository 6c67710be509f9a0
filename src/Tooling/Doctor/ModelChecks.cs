using Embeddings.Client;
using Embeddings.Tooling.Items;
using Embeddings.V1;

namespace Embeddings.Tooling.Doctor;

/// <summary>
/// Checks that every model embeds, that every detector searches a photo, and that the default collections match the default models.
/// </summary>
/// <param name="client">Client to use.</param>
/// <param name="report">Runs the checks.</param>
/// <param name="image">Image to embed with image models, and to search with detectors.</param>
/// <param name="face">Face to embed with face models.</param>
internal sealed class ModelChecks(EmbeddingsClient client, DoctorReport report, Image image, FaceCrop face)
{
    // The contract's bound for unit-length vectors.
    private const double NormTolerance = 1e-6;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var models = new List<Model>();
        await report.CheckAsync(
            "server",
            async () =>
            {
                models.AddRange(await client.ListAllModelsAsync(cancellationToken).ToListAsync(cancellationToken));
                return models.Count > 0 ? $"{models.Count} models" : throw new ToolException("The server has no models.");
            },
            required: true);
        foreach (var model in models)
        {
            await report.CheckAsync($"model {model.Name}", () => model.Kind switch
            {
                ModelKind.Image or ModelKind.Face => EmbedAsync(model, cancellationToken),
                ModelKind.Detector => DetectAsync(model, cancellationToken),
                _ => Task.FromResult(model.Loaded ? $"loaded, on {model.ExecutionProvider}" : "not loaded"),
            });
        }
        foreach (var model in models.Where(model => model is { DefaultForKind: true, Kind: ModelKind.Image or ModelKind.Face }))
        {
            await report.CheckAsync($"collection of {model.Name}", () => CollectionAsync(model, cancellationToken));
        }
    }

    private async Task<string> EmbedAsync(Model model, CancellationToken cancellationToken)
    {
        var embedding = model.Kind == ModelKind.Face
            ? (await client.EmbedFaceAsync(new() { Face = face, Model = model.Name }, cancellationToken)).Embedding
            : (await client.EmbedImageAsync(new() { Image = image, Model = model.Name }, cancellationToken)).Embedding;
        var norm = Math.Sqrt(embedding.Values.Sum(value => (double)value * value));
        if (embedding.Values.Count != model.Dimension)
        {
            throw new ToolException($"The vector must have {model.Dimension} dimensions; got {embedding.Values.Count}.");
        }
        return !model.UnitLength || Math.Abs(norm - 1) <= NormTolerance
            ? $"{model.Dimension} dimensions, norm {norm:F4}, on {model.ExecutionProvider}"
            : throw new ToolException($"The L2 norm of the vector must be 1; got {norm:R}.");
    }

    private async Task<string> DetectAsync(Model model, CancellationToken cancellationToken)
    {
        var request = new DetectFacesRequest { Photo = image, Options = new() { Detector = model.Name } };
        var found = await client.DetectFacesAsync(request, cancellationToken);
        return $"searched {found.Photo?.Width}x{found.Photo?.Height} pixels, on {model.ExecutionProvider}";
    }

    private async Task<string> CollectionAsync(Model model, CancellationToken cancellationToken)
    {
        var name = (model.Kind == ModelKind.Face ? ItemKind.Face : ItemKind.Image).Collection();
        var collection = await client.ListAllCollectionsAsync(cancellationToken)
            .FirstOrDefaultAsync(known => known.Name == name, cancellationToken);
        if (collection is null)
        {
            return $"{name} does not exist yet; the first item creates it";
        }
        if (collection.Dimension != model.Dimension)
        {
            throw new ToolException(
                $"{name} contains {collection.Dimension}-dimensional vectors; the default model {model.Name} returns "
                + $"{model.Dimension} dimensions.");
        }
        return collection.ModelFingerprint.Length == 0 || collection.ModelFingerprint == model.Fingerprint
            ? $"{name}: {collection.PointCount:N0} points, {collection.Dimension} dimensions"
            : throw new ToolException(
                $"{name} contains vectors of model {collection.Model}; the fingerprint of the default model {model.Name} "
                + "differs.");
    }
}
