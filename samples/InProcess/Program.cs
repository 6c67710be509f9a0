using Embeddings.Core;
using Embeddings.Primitives;
using Microsoft.Extensions.DependencyInjection;

if (args.Length == 0)
{
    Console.Error.WriteLine("Usage: dotnet run --project samples/InProcess -- FILE...");
    return 2;
}

await using var services = new ServiceCollection().AddEmbeddingCore().BuildServiceProvider();
var embedder = services.GetRequiredService<Embedder>();
// Those that embed; others find faces in photos, for example.
foreach (var model in embedder.Models.Where(model => model.Dimension > 0))
{
    Console.WriteLine($"{model.Name}: {model.Kind}, {model.InputWidth} x {model.InputHeight}, {model.Dimension} dimensions");
}

// Concurrent calls share batches.
var results = await Task.WhenAll(args.Select(EmbedAsync));
return results.All(succeeded => succeeded) ? 0 : 1;

async Task<bool> EmbedAsync(string path)
{
    try
    {
        var image = ImageInput.FromFile(await File.ReadAllBytesAsync(path));
        var result = await embedder.EmbedAsync(ModelKind.Image, image);
        var values = string.Join(", ", result.Vector.Take(4).Select(value => value.ToString("0.000")));
        Console.WriteLine($"{path}: [{values}, ...] in a batch of {result.BatchSize}");
        return true;
    }
    catch (Exception e) when (e is Fault or IOException or UnauthorizedAccessException)
    {
        Console.Error.WriteLine($"{path}: {e.Message}");
        return false;
    }
}
