using Embeddings.Cli.Samples;
using Embeddings.V1;

namespace Embeddings.Cli.Demos;

/// <summary>Stores images: adds, gets, searches, deletes, and embeds and stores in one call.</summary>
internal static class ImageStoreDemo
{
    public static async Task RunAsync(Demo demo, CancellationToken cancellationToken)
    {
        var collection = ItemKind.Image.Collection();
        var steps = new StoreSteps(demo, collection);
        var points = new List<VectorPoint>();
        for (var subject = 1; subject <= 3; subject++)
        {
            var scene = SampleSet.Get(ItemKind.Image, subject, 1);
            var embedding = await demo.EmbedAsync(scene.Image, cancellationToken);
            var point = new VectorPoint
            {
                PointId = $"job-{122 + subject}",
                Vector = { embedding.Values },
                Payload = new Payload { JobId = $"job-{122 + subject}", MediaStoreId = $"media-{455 + subject}" },
            };
            await steps.AddAsync(point, embedding.Model, cancellationToken);
            points.Add(point);
        }
        await steps.GetAsync(points[0], cancellationToken);
        await steps.SearchAsync(points[0], cancellationToken);

        var image = SampleSet.Get(ItemKind.Image, 4, 1).Image;
        var item = new ImageItem { JobId = "job-126", MediaStoreId = "media-459", Image = image };
        var ack = (await demo.Client.IngestImageAsync(new IngestImageRequest { Item = item }, cancellationToken)).Ack;
        steps.PrintIngested(ack);
        demo.Check(ack.PointId == item.JobId && ack.Collection == collection, "an image's point id is its job_id");

        var query = new SearchQuery { Image = SampleSet.Get(ItemKind.Image, 4, 2).Image };
        var search = new SearchVectorsRequest { Collection = collection, Queries = { query }, Limit = 2 };
        var found = (await demo.Client.SearchVectorsAsync(search, cancellationToken)).Results[0].Points;
        steps.PrintFound("search", "with the same scene in another light", found);
        demo.Check(found[0].Point.PointId == ack.PointId, "another image of the scene finds it");

        var delete = new DeleteVectorsRequest { Collection = collection, PointIds = { points[0].PointId } };
        var deleted = (await demo.Client.DeleteVectorsAsync(delete, cancellationToken)).DeletedCount;
        demo.Print("delete", $"{points[0].PointId}: {deleted} deleted", ("deleted", deleted));
        demo.Check(deleted == 1, "one point is deleted");
        await steps.CheckGoneAsync(points[0].PointId, cancellationToken);
        await steps.CountAsync(3, cancellationToken);
    }
}
