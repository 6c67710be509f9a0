using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings embed FILE...</c>: pictures in, vectors out, nothing stored.</summary>
internal static class EmbedCommand
{
    private const int ShownValues = 6;

    public static Command Create(GlobalOptions globals)
    {
        var files = new Argument<string[]>("files") { Description = "Picture files.", Arity = ArgumentArity.OneOrMore };
        var kind = CommonOptions.Kind();
        var model = CommonOptions.Model();
        var landmarks = LandmarksOption.Create();
        var command = new Command("embed", "Embeds pictures and prints their vectors: shape, norm and first values, or all of them with --json.")
        {
            files, kind, model, landmarks,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var output = globals.Output(parsed);
            var face = LandmarksOption.Read(parsed.GetValue(landmarks), parsed.GetValue(kind));
            using var client = globals.Client(parsed);
            var failures = 0;
            foreach (var file in parsed.GetValue(files)!)
            {
                failures += await EmbedAsync(client, output, file, parsed.GetValue(kind), parsed.GetValue(model)!, face, cancellationToken) ? 0 : 1;
            }
            return failures == 0 ? ExitCode.Done : parsed.GetValue(files)!.Length == 1 ? ExitCode.Failed : ExitCode.SomeItemsFailed;
        });
        return command;
    }

    private static async Task<bool> EmbedAsync(
        EmbeddingsClient client, Output output, string file, ItemKind kind, string model, FaceLandmarks? landmarks, CancellationToken cancellationToken)
    {
        try
        {
            var image = PictureFile.ToImage(await PictureFile.ReadAsync(file, PictureFile.DefaultMaxBytes, cancellationToken));
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
        var norm = Vectors.Norm(embedding.Values);
        output.Object(json =>
        {
            json.WriteString("path", file);
            json.WriteString("kind", kind.Word());
            json.WriteString("model", embedding.Model);
            json.WriteNumber("dimension", embedding.Values.Count);
            json.WriteNumber("norm", norm);
            json.WriteBoolean("unit_length", embedding.UnitLength);
            json.WriteTimings(timings);
            json.WriteValues("values", embedding.Values);
        });
        var beginning = Vectors.Beginning(embedding.Values, ShownValues);
        output.Line($"{ErrorLine.OneLine(file)}: {embedding.Model} ({embedding.Values.Count},) norm {norm:0.000000} {beginning}");
    }

    private static void Report(Output output, string file, ItemError error)
    {
        output.Object(json =>
        {
            json.WriteString("path", file);
            json.WriteError(error);
        });
        output.Note($"embeddings: {ErrorLine.OneLine(file)}: {StatusName.Of(error.Code)} {error.Reason}: {ErrorLine.OneLine(error.Message)}");
    }
}
