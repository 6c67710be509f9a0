using Embeddings.Tooling.Models.Checking;
using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using Embeddings.Cli.Printing;
using Embeddings.Client;
using Embeddings.V1;

namespace Embeddings.Cli.Sampling;

/// <summary>
/// Stores the user's own images, then searches each among the others (leave-one-out): right if the nearest one shows the same subject. In a collection that
/// is dropped afterwards.
/// </summary>
internal sealed class PhotoRun(EmbeddingsClient client, Output output, ItemKind kind)
{
    private const int QueriesPerCall = 64;

    /// <summary>Stores and searches the images of a folder or a list. Always true: that images are hard to tell apart is no failure.</summary>
    public async Task<bool> RunAsync(string path, CancellationToken cancellationToken)
    {
        var images = Read(path);
        var table = new RankTable(output, "query (left out)");
        await using var collection = new ScratchCollection(client);
        var stored = await StoreAsync(images, collection.Name, cancellationToken);
        var subjects = stored.GroupBy(i => images[i].Label).ToList();
        var alone = subjects.Where(subject => subject.Count() == 1).Select(subject => subject.Key).ToList();
        output.Line($"stored      {stored.Count} of {images.Count} images of {subjects.Count} subjects through StreamIngest");
        if (alone.Count > 0)
        {
            output.Line($"not queried {alone.Count} subjects with one image: {string.Join(", ", alone.Take(10))}{(alone.Count > 10 ? ", ..." : "")}");
        }
        var queries = subjects.Where(subject => subject.Count() > 1).SelectMany(subject => subject).Order();
        foreach (var some in queries.Chunk(QueriesPerCall))
        {
            await SearchAsync(images, some, collection.Name, path, table, cancellationToken);
        }
        table.Print();
        return true;
    }

    private static IReadOnlyList<LabelledPicture> Read(string path)
    {
        if (!Directory.Exists(path) && !File.Exists(path))
        {
            throw new CliException($"there is no folder or file '{path}'");
        }
        try
        {
            return LabelledPictures.Read(path);
        }
        catch (InvalidDataException e)
        {
            throw new CliException(e.Message);
        }
    }

    // Indexes of the images that are stored now, in their order.
    private async Task<List<int>> StoreAsync(IReadOnlyList<LabelledPicture> images, string collection, CancellationToken cancellationToken)
    {
        var stored = new List<int>();
        await ProgressView.RunAsync(output, "images", images.Count, async progress =>
        {
            var tally = default(Tally);
            await foreach (var answer in client.StreamIngestAsync(Requests(images, collection, cancellationToken), cancellationToken))
            {
                var index = int.Parse(answer.ItemId, CultureInfo.InvariantCulture);
                if (answer.Error is { } error)
                {
                    output.Note($"not stored: {images[index].Path}: {error.Reason}: {ErrorLine.OneLine(error.Message)}");
                    tally = tally.AddFailed();
                }
                else
                {
                    stored.Add(index);
                    tally = tally.AddStored();
                }
                progress.Report(tally);
            }
        });
        return stored;
    }

    private async IAsyncEnumerable<StreamIngestRequest> Requests(
        IReadOnlyList<LabelledPicture> images, string collection, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var i = 0; i < images.Count; i++)
        {
            Image image;
            try
            {
                image = PictureFile.ToImage(await PictureFile.ReadAsync(images[i].Path, PictureFile.DefaultMaxBytes, cancellationToken));
            }
            catch (ItemFault fault)
            {
                output.Note($"not stored: {ErrorLine.OneLine(fault.Error.Message)}");
                continue;
            }
            yield return Request($"{i}", images[i], image, collection);
        }
    }

    private StreamIngestRequest Request(string id, LabelledPicture picture, Image image, string collection)
    {
        var request = new StreamIngestRequest { ItemId = id, Collection = collection };
        if (kind == ItemKind.Face)
        {
            Vector2[]? points = picture.Landmarks is { } face ? [face.LeftEye, face.RightEye, face.Nose, face.LeftMouthCorner, face.RightMouthCorner] : null;
            var landmarks = points is not null
                ? FacePoints.From([.. points.Select(at => new Point { X = at.X, Y = at.Y })])
                : null;
            request.Face = new FaceItem { JobId = id, MediaStoreId = picture.Label, Face = new FaceCrop { Image = image, Landmarks = landmarks } };
        }
        else
        {
            request.Image = new ImageItem { JobId = id, MediaStoreId = picture.Label, Image = image };
        }
        return request;
    }

    // A query by a stored point leaves the point itself out.
    private async Task SearchAsync(
        IReadOnlyList<LabelledPicture> images, int[] queries, string collection, string root, RankTable table, CancellationToken cancellationToken)
    {
        var request = new SearchVectorsRequest { Collection = collection, Limit = 1 };
        request.Queries.AddRange(queries.Select(i => new SearchQuery { PointId = kind == ItemKind.Face ? $"{i}-0" : $"{i}" }));
        var answer = await client.SearchVectorsAsync(request, cancellationToken);
        var folder = Directory.Exists(root) ? root : Path.GetDirectoryName(Path.GetFullPath(root))!;
        string Name(int i) => Path.GetRelativePath(folder, images[i].Path);
        foreach (var (i, result) in queries.Zip(answer.Results))
        {
            var best = result.Points.FirstOrDefault();
            var found = best is null ? (int?)null : int.Parse(best.Point.Payload.JobId, CultureInfo.InvariantCulture);
            table.Add(Name(i), found is { } index ? Name(index) : null, best, best?.Point.Payload.MediaStoreId == images[i].Label);
        }
    }
}
