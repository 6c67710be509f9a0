using Embeddings.Cli.Samples;
using Embeddings.Client;
using Embeddings.V1;

namespace Embeddings.Cli.Demos;

/// <summary>Stores faces: adds, gets, searches by vector and by media item, and deletes by job.</summary>
internal static class FaceStoreDemo
{
    private const string Job = "job-123";
    private const string OtherJob = "job-124";

    public static async Task RunAsync(Demo demo, CancellationToken cancellationToken)
    {
        var collection = ItemKind.Face.Collection();
        var steps = new StoreSteps(demo, collection);
        var points = new List<VectorPoint>();
        for (var index = 0; index < 2; index++)
        {
            var face = SampleSet.Get(ItemKind.Face, index + 1, 1);
            var (point, model) = await PointAsync(demo, face, index, cancellationToken);
            await steps.AddAsync(point, model, cancellationToken);
            points.Add(point);
        }
        var box = (await steps.GetAsync(points[0], cancellationToken)).Payload.Bbox;
        demo.Print("payload", $"face_index=0 bbox=({box.X}, {box.Y}, {box.Width}, {box.Height})");
        await steps.SearchAsync(points[1], cancellationToken);

        var item = new FaceItem
        {
            JobId = OtherJob,
            MediaStoreId = "media-457",
            Face = SampleSet.Get(ItemKind.Face, 1, 2).Face,
            Confidence = 0.98f,
        };
        var ack = (await demo.Client.IngestFaceAsync(new IngestFaceRequest { Item = item }, cancellationToken)).Ack;
        steps.PrintIngested(ack);
        var isNamed = ack.PointId == $"{OtherJob}-0" && ack.Collection == collection;
        demo.Check(isNamed, "a face's point id is job_id-face_index");

        var query = new SearchQuery { Face = SampleSet.Get(ItemKind.Face, 1, 3).Face };
        var search = new SearchByMediaStoreIdRequest { MediaStoreId = "media-456", Query = query };
        var found = (await demo.Client.SearchByMediaStoreIdAsync(search, cancellationToken)).Result.Points;
        steps.PrintFound("search by media item", "face-01 among the faces of media-456", found);
        demo.Check(
            found.Count == 2 && found[0].Point.PointId == points[0].PointId,
            "the search finds the two faces of the media item and no other, the correct one first");

        var deleted = await demo.Client.DeleteByJobIdAsync(Job, collection, cancellationToken);
        demo.Print("delete by job", $"{Job}: {deleted} deleted", ("deleted", deleted));
        demo.Check(deleted == 2, "both faces of the job are deleted");
        await steps.CheckGoneAsync(points[0].PointId, cancellationToken);
        await steps.CountAsync(1, cancellationToken);
    }

    private static async Task<(VectorPoint Point, string Model)> PointAsync(
        Demo demo, Sample face, int index, CancellationToken cancellationToken)
    {
        var embedding = await demo.EmbedAsync(face.Face, cancellationToken);
        var payload = new Payload
        {
            JobId = Job,
            MediaStoreId = "media-456",
            FaceIndex = index,
            Bbox = new BoundingBox { X = 100 + (200 * index), Y = 150, Width = 80, Height = 90 },
            Confidence = 0.99f,
            Landmarks = face.Landmarks,
        };
        var point = new VectorPoint { PointId = $"{Job}-{index}", Vector = { embedding.Values }, Payload = payload };
        return (point, embedding.Model);
    }
}
