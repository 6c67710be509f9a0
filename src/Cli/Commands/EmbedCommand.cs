using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings embed FILE...</c>: embeds images without storing them.</summary>
internal static class EmbedCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var files = new Argument<string[]>("files") { Description = "Image files.", Arity = ArgumentArity.OneOrMore };
        var kind = CommonOptions.Kind();
        var model = CommonOptions.Model();
        var landmarks = CommonOptions.Landmarks();
        var aligned = CommonOptions.Aligned();
        var command = new Command(
            "embed", "Embeds images and prints their vectors: shape, norm and first values, or all values with --json.")
        {
            files, kind, model, landmarks, aligned,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var output = globals.Output(parsed);
            var face = CommonOptions.ParseLandmarks(parsed.GetValue(landmarks), parsed.GetValue(kind));
            using var client = globals.Client(parsed);
            return await PhotoFiles.RunAsync(
                output,
                parsed.GetValue(files)!,
                async (file, image) =>
                {
                    var crop = new FaceCrop { Image = image, Landmarks = face, Aligned = parsed.GetValue(aligned) };
                    var (embedding, timings) =
                        await EmbedAsync(client, crop, parsed.GetValue(kind), parsed.GetValue(model)!, cancellationToken);
                    Print(output, file, parsed.GetValue(kind), embedding, timings);
                },
                cancellationToken);
        });
        return command;
    }

    private static async Task<(Embedding Embedding, Timings Timings)> EmbedAsync(
        EmbeddingsClient client, FaceCrop crop, ItemKind kind, string model, CancellationToken cancellationToken)
    {
        if (kind == ItemKind.Image)
        {
            var request = new EmbedImageRequest { Image = crop.Image, Model = model };
            var whole = await client.EmbedImageAsync(request, cancellationToken);
            return (whole.Embedding, whole.Timings);
        }
        var face = await client.EmbedFaceAsync(new EmbedFaceRequest { Face = crop, Model = model }, cancellationToken);
        return (face.Embedding, face.Timings);
    }

    private static void Print(Output output, string file, ItemKind kind, Embedding embedding, Timings? timings)
    {
        output.Object(new
        {
            Path = file,
            Kind = kind.Word(),
            embedding.Model,
            Dimension = embedding.Values.Count,
            Norm = Vectors.Norm(embedding.Values),
            embedding.UnitLength,
            Timings = JsonFields.Of(timings),
            embedding.Values,
        });
        output.Line($"{ErrorLine.OneLine(file)}: {embedding.Model} {Vectors.Summary(embedding.Values)}");
    }
}
