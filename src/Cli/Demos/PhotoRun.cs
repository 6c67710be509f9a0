using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.Tooling.Ingesting;
using Embeddings.Tooling.Models.Checking;
using Embeddings.V1;

namespace Embeddings.Cli.Demos;

/// <summary>
/// Stores images of the user and searches each among the others (leave-one-out): a match is correct if it shows the same
/// subject. Uses a collection that is deleted afterwards.
/// </summary>
internal sealed class PhotoRun(EmbeddingsClient client, Output output, ItemKind kind)
{
    private const int QueriesPerCall = 64;

    /// <summary>
    /// Stores and searches the images of a directory or an item list. Always returns true: a wrong match is not a
    /// failure.
    /// </summary>
    public async Task<bool> RunAsync(string path, CancellationToken cancellationToken)
    {
        var images = LabelledImages.Read(path);
        var table = new RankTable(output, "query (left out)");
        await using var collection = new ScratchCollection(client);
        var stored = await StoreAsync(images, collection.Name, cancellationToken);
        var subjects = stored.GroupBy(i => images[i].Label).ToList();
        var share = $"{stored.Count} of {images.Count} images";
        output.Line($"stored      {share} of {subjects.Count} subjects through StreamIngest");
        var alone = subjects.Where(subject => subject.Count() == 1).Select(subject => subject.Key).ToList();
        if (alone.Count > 0)
        {
            output.Line($"not queried {alone.Count} subjects with one image: "
                + $"{string.Join(", ", alone.Take(10))}{(alone.Count > 10 ? ", ..." : "")}");
        }
        var queries = subjects.Where(subject => subject.Count() > 1).SelectMany(subject => subject).Order();
        foreach (var chunk in queries.Chunk(QueriesPerCall))
        {
            await SearchAsync(images, chunk, collection.Name, path, table, cancellationToken);
        }
        table.Print();
        return true;
    }

    // Returns the indexes of the stored images in order.
    private async Task<List<int>> StoreAsync(
        IReadOnlyList<LabelledImage> images, string collection, CancellationToken cancellationToken)
    {
        var stored = new List<int>();
        await Progress.RunAsync(output, "images", images.Count, async progress =>
        {
            var failed = 0;
            var requests = Requests(images, collection, cancellationToken);
            await foreach (var response in client.StreamIngestAsync(requests, cancellationToken))
            {
                var index = int.Parse(response.ItemId, CultureInfo.InvariantCulture);
                if (response.Error is { } error)
                {
                    var why = $"{error.Reason}: {ErrorLine.OneLine(error.Message)}";
                    output.Note($"not stored: {images[index].Path}: {why}");
                    failed++;
                }
                else
                {
                    stored.Add(index);
                }
                progress.Report(new ItemCounts(stored.Count, 0, failed));
            }
        });
        return stored;
    }

    private async IAsyncEnumerable<StreamIngestRequest> Requests(
        IReadOnlyList<LabelledImage> images,
        string collection,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var i = 0; i < images.Count; i++)
        {
            Image image;
            try
            {
                image = await ImageFile.ReadAsync(images[i].Path, ImageFile.DefaultMaxBytes, cancellationToken);
            }
            catch (ItemFault fault)
            {
                output.Note($"not stored: {ErrorLine.OneLine(fault.Error.Message)}");
                continue;
            }
            yield return Request($"{i}", images[i], image, collection);
        }
    }

    private StreamIngestRequest Request(string id, LabelledImage labelled, Image image, string collection)
    {
        var request = new StreamIngestRequest { ItemId = id, Collection = collection };
        if (kind == ItemKind.Image)
        {
            request.Image = new ImageItem { JobId = id, MediaStoreId = labelled.Label, Image = image };
            return request;
        }
        var crop = new FaceCrop { Image = image };
        if (labelled.Landmarks is { } face)
        {
            Vector2[] points = [face.LeftEye, face.RightEye, face.Nose, face.LeftMouthCorner, face.RightMouthCorner];
            crop.Landmarks = FacePoints.From(points.Select(point => (point.X, point.Y)));
        }
        request.Face = new FaceItem { JobId = id, MediaStoreId = labelled.Label, Face = crop };
        return request;
    }

    // A query by a stored point excludes the point itself.
    private async Task SearchAsync(
        IReadOnlyList<LabelledImage> images,
        int[] queries,
        string collection,
        string root,
        RankTable table,
        CancellationToken cancellationToken)
    {
        var suffix = kind == ItemKind.Face ? "-0" : "";
        var request = new SearchVectorsRequest { Collection = collection, Limit = 1 };
        request.Queries.AddRange(queries.Select(i => new SearchQuery { PointId = $"{i}{suffix}" }));
        var response = await client.SearchVectorsAsync(request, cancellationToken);
        var folder = Directory.Exists(root) ? root : Path.GetDirectoryName(Path.GetFullPath(root))!;
        string Name(int i) => Path.GetRelativePath(folder, images[i].Path);
        foreach (var (i, result) in queries.Zip(response.Results))
        {
            var best = result.Points.FirstOrDefault();
            var found = best is null ? null : Name(int.Parse(best.Point.Payload.JobId, CultureInfo.InvariantCulture));
            table.Add(Name(i), found, best, best?.Point.Payload.MediaStoreId == images[i].Label);
        }
    }
}
