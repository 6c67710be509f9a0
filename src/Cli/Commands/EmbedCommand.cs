using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.V1;
using Grpc.Core;

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
        var command = new Command("embed", "Embeds images and prints their vectors: shape, norm and first values, or "
            + "all values with --json.")
        {
            files, kind, model, landmarks,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var output = globals.Output(parsed);
            var face = CommonOptions.ParseLandmarks(parsed.GetValue(landmarks), parsed.GetValue(kind));
            using var client = globals.Client(parsed);
            var failures = 0;
            foreach (var file in parsed.GetValue(files)!)
            {
                failures += await EmbedAsync(client, output, file, parsed.GetValue(kind), parsed.GetValue(model)!, face, cancellationToken)
                    ? 0
                    : 1;
            }
            if (failures == 0)
            {
                return ExitCode.Done;
            }
            return parsed.GetValue(files)!.Length == 1 ? ExitCode.Failed : ExitCode.SomeItemsFailed;
        });
        return command;
    }

    private static async Task<bool> EmbedAsync(
        EmbeddingsClient client, Output output, string file, ItemKind kind, string model, FaceLandmarks? landmarks, CancellationToken cancellationToken)
    {
        try
        {
            var image = await ImageFile.ReadAsync(file, ImageFile.DefaultMaxBytes, cancellationToken);
            var (embedding, timings) = await EmbedAsync(client, image, kind, model, landmarks, cancellationToken);
            Print(output, file, kind, embedding, timings);
            return true;
        }
        catch (ItemFault fault)
        {
            Report(output, file, fault.Error);
        }
        catch (EmbeddingsException e) when (e.Status is StatusCode.InvalidArgument or StatusCode.ResourceExhausted)
        {
            Report(output, file, new ItemError { Code = (int)e.Status, Reason = e.Reason, Message = e.Message, Field = e.Field });
        }
        return false;
    }

    private static async Task<(Embedding Embedding, Timings Timings)> EmbedAsync(
        EmbeddingsClient client, Image image, ItemKind kind, string model, FaceLandmarks? landmarks, CancellationToken cancellationToken)
    {
        if (kind == ItemKind.Image)
        {
            var whole = await client.EmbedImageAsync(new EmbedImageRequest { Image = image, Model = model }, cancellationToken);
            return (whole.Embedding, whole.Timings);
        }
        var crop = new FaceCrop { Image = image, Landmarks = landmarks };
        var face = await client.EmbedFaceAsync(new EmbedFaceRequest { Face = crop, Model = model }, cancellationToken);
        return (face.Embedding, face.Timings);
    }

    private static void Print(Output output, string file, ItemKind kind, Embedding embedding, Timings? timings)
    {
        output.Object(json =>
        {
            json.WriteString("path", file);
            json.WriteString("kind", kind.Word());
            json.WriteString("model", embedding.Model);
            json.WriteNumber("dimension", embedding.Values.Count);
            json.WriteNumber("norm", Vectors.Norm(embedding.Values));
            json.WriteBoolean("unit_length", embedding.UnitLength);
            json.WriteTimings(timings);
            json.WriteValues("values", embedding.Values);
        });
        output.Line($"{ErrorLine.OneLine(file)}: {embedding.Model} {Vectors.Summary(embedding.Values)}");
    }

    private static void Report(Output output, string file, ItemError error)
    {
        output.Object(json =>
        {
            json.WriteString("path", file);
            json.WriteError(error);
        });
        output.Note($"embeddings: {ErrorLine.OneLine(file)}: {ErrorLine.Of(error)}");
    }
}
