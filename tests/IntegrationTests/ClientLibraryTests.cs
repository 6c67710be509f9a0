using Embeddings.Client;
using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;

namespace Embeddings.IntegrationTests;

/// <summary>The .NET client library with a real server. Its own tests use a test double that fails on demand.</summary>
[Collection(SharedServer.Name)]
public sealed class ClientLibraryTests(ServerFixture server)
{
    [Fact]
    public async Task A_job_is_ingested_searched_and_deleted()
    {
        var collection = ServerFixture.NewCollection();
        using var client = EmbeddingsClient.ForAddress(server.Address);
        await client.WaitUntilServingAsync(Bounds.Limit).Bound();
        var acked = new List<string>();
        using var limit = new CancellationTokenSource(Bounds.Limit);
        await foreach (var answer in client.StreamIngestAsync(Requests(collection), limit.Token))
        {
            acked.Add(answer.Ack.PointId);
        }
        Assert.Equal(Enumerable.Range(0, 200).Select(i => $"client-{i}"), acked);
        Assert.Equal(200, await client.CountVectorsAsync(collection).Bound());

        var found = await client.SearchVectorsAsync(new() { Collection = collection, Queries = { new SearchQuery { Face = TestImages.Crop(77) } }, Limit = 1 }).Bound();
        Assert.Equal("client-77", found.Results[0].Points[0].Point.PointId);
        Assert.Equal(200, (await client.DeleteByJobIdAsync(new DeleteByJobIdRequest { JobId = "client", Collection = collection }).Bound()).DeletedCount);
    }

    [Fact]
    public async Task An_error_has_its_status_and_reason()
    {
        using var client = EmbeddingsClient.ForAddress(server.Address);
        var error = await Assert.ThrowsAsync<EmbeddingsException>(() => client.EmbedFaceAsync(new EmbedFaceRequest { Face = TestImages.FloatCrop(float.NaN) }).Bound());
        Assert.Equal(Grpc.Core.StatusCode.InvalidArgument, error.Status);
        Assert.Equal("PIXELS_NOT_FINITE", error.Reason);
    }

    // The steps faces, photo, and persons of clients/README.md.
    [TrainedModelsFact]
    public async Task The_faces_of_a_photo_become_persons()
    {
        await using var trained = await TestServer.StartPlainAsync();
        using var client = EmbeddingsClient.ForAddress(trained.Address);
        var (two, one) = (Drawn("two-faces.jpg"), Drawn("one-face.jpg"));

        var detected = await client.DetectFacesAsync(two).Bound();
        Assert.Equal((480, 240, 0), (detected.Photo.Width, detected.Photo.Height, detected.LeftOut.Count));
        Assert.Equal([0, 1], detected.Faces.Select(found => found.Face.FaceIndex));
        Assert.True(detected.Faces[0].Face.Bbox.X + detected.Faces[0].Face.Bbox.Width < 240 && detected.Faces[1].Face.Bbox.X > 240);
        Assert.All((await client.EmbedFacesAsync(two).Bound()).Faces, face => Assert.InRange(Items.Norm(face.Embedding), 1 - 1e-5, 1 + 1e-5));
        var pairs = (await client.CompareFacesAsync(one, two).Bound()).Pairs;
        Assert.Equal([(0, 0, true), (0, 1, false)], pairs.Select(pair => (pair.FirstIndex, pair.SecondIndex, pair.SamePerson)));
        Assert.InRange(pairs[0].Similarity, 0.8, 1);
        Assert.InRange(pairs[1].Similarity, -1, 0.5);

        var item = new StreamIngestRequest { ItemId = "photo", Photo = new() { JobId = "photo", Photo = TestImages.Encoded(two) } };
        using var limit = new CancellationTokenSource(Bounds.Limit);
        var answer = Assert.Single(await client.StreamIngestAsync(new[] { item }.ToAsyncEnumerable(), limit.Token).ToListAsync(limit.Token));
        Assert.Equal(["photo-0", "photo-1"], answer.PhotoAck.Faces.Select(face => face.PointId));
        var again = (await client.IngestPhotoAsync("photo", one).Bound()).Ack;
        Assert.Equal((1, 1), (again.Faces.Count, again.RemovedCount));
        var back = (await client.IngestPhotoAsync("photo", two).Bound()).Ack;
        Assert.Equal((2, 0), (back.Faces.Count, back.RemovedCount));

        var named = await client.NamePersonAsync("Ada", ["photo-0"]).Bound();
        Assert.Equal(1, named.ChangedCount);
        Assert.Equal(["Ada", ""], (await client.IdentifyFacesAsync(two).Bound()).Faces.Select(face => face.Person));
        var person = Assert.Single(await client.ListAllPersonsAsync(cancellationToken: limit.Token).ToListAsync(limit.Token));
        Assert.Equal(("Ada", 1), (person.Name, person.FaceCount));
        Assert.Equal(1, (await client.UndoPersonChangeAsync(named.ChangeId).Bound()).RestoredCount);
        var messages = await client.ClusterFacesAsync(new() { Apply = true }, limit.Token).ToListAsync(limit.Token);
        Assert.Equal((2, 2), (messages[^1].Summary.PersonCount, messages[^1].Summary.GroupedCount));
        var persons = await client.ListAllPersonsAsync(cancellationToken: limit.Token).ToListAsync(limit.Token);
        Assert.Equal(["person-1", "person-2"], persons.Select(found => found.Name));
        Assert.Equal(1, (await client.MergePersonsAsync(["person-2"], "person-1").Bound()).ChangedCount);
        Assert.Equal(1, (await client.SplitPersonAsync("person-1", ["photo-1"], "Eve").Bound()).ChangedCount);
    }

    private static byte[] Drawn(string name) => File.ReadAllBytes(Path.Combine(Repository.Root, "clients", "testdata", name));

    private static async IAsyncEnumerable<StreamIngestRequest> Requests(string collection)
    {
        for (var i = 0; i < 200; i++)
        {
            await Task.Yield();
            yield return Items.IngestFace(collection, "client", i, TestImages.Crop(i));
        }
    }
}
