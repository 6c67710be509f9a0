using Embeddings.Core.Faces;
using Embeddings.Core.Memory;
using Embeddings.Core.Models;
using Embeddings.Primitives;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.Server.Hosting;
using Embeddings.Storage;
using Grpc.Core;

namespace Embeddings.Server.Grpc.Persons;

/// <summary>
/// Groups the faces of a collection: 1. reads them, 2. groups them on threads of its own, 3. stores the names, if requested,
/// 4. sends the groups. One call at a time does the first three steps, since each can use all processors, and memory for all
/// faces; the others wait.
/// </summary>
internal sealed class ClusterHandler(
    IVectorStore store,
    ModelCatalog models,
    MemoryBudget memory,
    PersonLocks locks,
    PersonOptions options,
    Shutdown shutdown,
    TimeProvider time,
    ILogger<ClusterHandler> log)
{
    private const int MaxMinFaces = 1000;
    private const int FacesPerMessage = 1000;
    private const int NamesPerWrite = 1000;

    private static readonly TimeSpan ProgressInterval = TimeSpan.FromMilliseconds(250);

    private readonly SemaphoreSlim _turn = new(1);

    public async Task ClusterAsync(
        V1.ClusterFacesRequest request, IServerStreamWriter<V1.ClusterFacesResponse> responses, ServerCallContext context)
    {
        var collection = Require.Collection(request.Collection);
        var filter = FilterMapping.ToStored(request.Filter);
        var minFaces = Require.Count(request.MinFaces, "min_faces", 1, MaxMinFaces);
        float? threshold = request.HasThreshold ? Require.InRange(request.Threshold, "threshold", -1, 1) : null;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, shutdown.Ending);
        var info = await store.FindCollectionAsync(collection, stop.Token) ?? throw CollectionFaults.NotFound(collection);
        var job = new Job(info, filter, threshold ?? ThresholdOf(info), minFaces, request.Apply);
        var progress = new ClusterProgressWriter(responses, stop.Token);

        Outcome outcome;
        await _turn.WaitAsync(stop.Token);
        try
        {
            // Names must not change between reading and writing.
            using var turn = job.Apply ? await locks.EnterAsync(collection, stop.Token) : null;
            outcome = await GroupAsync(job, progress, context, stop.Token);
        }
        finally
        {
            _turn.Release();
        }

        // A client that reads slowly keeps neither the turn nor the vectors.
        await progress.EndAsync();
        await SendAsync(job, outcome, responses, stop.Token);
    }

    private float ThresholdOf(CollectionInfo info) =>
        models.All.FirstOrDefault(model => model.Info.Fingerprint == info.Model?.Fingerprint)?.Manifest.SuggestedThreshold
        ?? throw Fault.Invalid(
            Reasons.FieldRequired,
            "threshold",
            info.Model is { } model
                ? $"threshold is required: that of model '{model.Name}', which fills collection '{info.Name}', has not been measured "
                    + "or is not known to this server."
                : $"threshold is required: the model that fills collection '{info.Name}' is not known.");

    private async Task<Outcome> GroupAsync(
        Job job, ClusterProgressWriter progress, ServerCallContext context, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        var total = await store.CountAsync(job.Info.Name, job.Filter, cancellationToken);
        RequireAtMost(total);
        using var space = new ClusterMemory(memory.Messages, total, job.Info.Dimension);
        using var clustering = new Clustering(job.Info.Dimension);
        await ReadAsync(job, clustering, space, progress, total, cancellationToken);
        var groups = await RunAsync(job, clustering, progress, cancellationToken);
        var outcome = await NameAsync(job, clustering.Faces, groups, context, cancellationToken);
        ServerLog.FacesGrouped(
            log, context.Method, clustering.Count, job.Info.Name, outcome.Persons.Count, time.GetElapsedTime(began).TotalMilliseconds);
        return outcome;
    }

    private void RequireAtMost(long faces)
    {
        if (faces > options.MaxClusterFaces)
        {
            throw new Fault(
                FaultKind.ResourceExhausted,
                Reasons.TooManyFaces,
                $"A grouping must have at most {options.MaxClusterFaces} faces (Persons:MaxClusterFaces); {faces} match. Group a "
                    + "part of the collection with a filter, or raise the limit.")
                .With(FaultKeys.Limit, options.MaxClusterFaces)
                .With(FaultKeys.Actual, faces)
                .With(FaultKeys.Setting, "Persons:MaxClusterFaces");
        }
    }

    private async Task ReadAsync(
        Job job,
        Clustering clustering,
        ClusterMemory space,
        ClusterProgressWriter progress,
        long total,
        CancellationToken cancellationToken)
    {
        // Most faces share their person with others.
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        await progress.ReadAsync(0, total);
        await foreach (var page in store.PagesAsync(job.Info.Name, job.Filter, withVectors: true, cancellationToken))
        {
            RequireAtMost(clustering.Count + page.Count);
            foreach (var point in page)
            {
                var payload = point.Payload;
                var person = PersonAttributes.PersonOf(payload.Attributes);
                if (person is not null && !names.TryAdd(person, person))
                {
                    person = names[person];
                }
                var photo = payload is { FaceIndex: not null, JobId.Length: > 0 } ? payload.JobId : null;
                space.Add(point.Id.Length + (photo?.Length ?? 0));
                clustering.Add(new(point.Id, photo, PersonAttributes.QualityOf(payload.Attributes), person), point.Vector.Span);
            }
            await progress.ReadAsync(clustering.Count, Math.Max(total, clustering.Count));
        }
        // Some may have been deleted since they were counted.
        progress.AllRead(clustering.Count);
    }

    private async Task<IReadOnlyList<ClusteringGroup>> RunAsync(
        Job job, Clustering clustering, ClusterProgressWriter progress, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        // Not on the thread pool, whose threads serve the other calls.
        var running = Task.Factory.StartNew(
            () => clustering.Run(job.Threshold, Environment.ProcessorCount, progress.Compared, stop.Token),
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        try
        {
            while (!running.IsCompleted)
            {
                await Task.WhenAny(running, Task.Delay(ProgressInterval, time, CancellationToken.None));
                await progress.ReportAsync();
            }
        }
        finally
        {
            // It uses the vectors.
            await stop.CancelAsync();
            await Task.WhenAny(running);
        }
        return await running;
    }

    /// <summary>Separates persons from groups that are too small, and names the new ones if requested.</summary>
    private async Task<Outcome> NameAsync(
        Job job,
        IReadOnlyList<ClusteringFace> faces,
        IReadOnlyList<ClusteringGroup> groups,
        ServerCallContext context,
        CancellationToken cancellationToken)
    {
        List<ClusteringGroup> persons = [.. groups.Where(group => group.Person is not null || group.Faces.Count >= job.MinFaces)];
        if (!job.Apply)
        {
            return new(faces, persons, "");
        }
        var used = await UsedNumbersAsync(job, faces, cancellationToken);
        var number = 0;
        for (var i = 0; i < persons.Count; i++)
        {
            if (persons[i].Person is null)
            {
                while (!used.Add(++number))
                {
                }
                persons[i] = persons[i] with { Person = PersonNames.Generated(number) };
            }
        }
        var change = PersonHandler.NewChange();
        var changed = 0L;
        try
        {
            foreach (var chunk in persons
                .SelectMany(person => person.Faces.Where(face => face.Joined).Select(face => (faces[face.Index].Id, Person: person.Person!)))
                .Chunk(NamesPerWrite))
            {
                var names = chunk.ToDictionary(face => face.Id, face => face.Person, StringComparer.Ordinal);
                changed += await store.UpdateExistingAsync(
                    job.Info.Name,
                    [.. names.Keys],
                    // Another server may have named it since it was read.
                    face => PersonAttributes.PersonOf(face.Payload.Attributes) is null
                        ? PersonAttributes.Named(face.Payload.Attributes, names[face.Id], change)
                        : null,
                    cancellationToken);
            }
        }
        finally
        {
            // A call that fails may have named some faces.
            if (changed > 0)
            {
                ServerLog.PersonsChanged(log, context.Method, changed, job.Info.Name, change);
            }
        }
        return new(faces, persons, changed > 0 ? change : "");
    }

    // The numbers of generated names that are in use anywhere in the collection.
    private async Task<HashSet<int>> UsedNumbersAsync(
        Job job, IReadOnlyList<ClusteringFace> faces, CancellationToken cancellationToken)
    {
        var used = faces.Select(face => face.Person).OfType<string>().Select(PersonNames.NumberIn).OfType<int>().ToHashSet();
        if (!job.Filter.IsEmpty)
        {
            var named = PersonNames.Having(new(PersonAttributes.Person, Exists: true));
            await foreach (var page in store.PagesAsync(job.Info.Name, named, withVectors: false, cancellationToken))
            {
                used.UnionWith(page
                    .Select(face => PersonAttributes.PersonOf(face.Payload.Attributes))
                    .OfType<string>()
                    .Select(PersonNames.NumberIn)
                    .OfType<int>());
            }
        }
        return used;
    }

    private async Task SendAsync(
        Job job, Outcome outcome, IServerStreamWriter<V1.ClusterFacesResponse> responses, CancellationToken cancellationToken)
    {
        var index = 0;
        foreach (var person in outcome.Persons)
        {
            var cover = await CoverAsync(job.Info.Name, outcome.Faces, person, cancellationToken);
            foreach (var part in person.Faces.Chunk(FacesPerMessage))
            {
                var message = new V1.PersonGroup
                {
                    Index = index,
                    Person = person.Person ?? "",
                    FaceCount = person.Faces.Count,
                    Cover = cover,
                    Faces =
                    {
                        part.Select(face => new V1.ClusteredFace
                        {
                            PointId = outcome.Faces[face.Index].Id,
                            Similarity = face.Similarity,
                            Joined = face.Joined,
                        }),
                    },
                };
                await responses.WriteAsync(new() { Person = message }, cancellationToken);
                // In the first message only.
                cover = null;
            }
            index++;
        }
        var grouped = outcome.Persons.Sum(person => (long)person.Faces.Count);
        var summary = new V1.ClusterSummary
        {
            PersonCount = outcome.Persons.Count,
            GroupedCount = grouped,
            UngroupedCount = outcome.Faces.Count - grouped,
            Threshold = job.Threshold,
            ChangeId = outcome.Change,
        };
        await responses.WriteAsync(new() { Summary = summary }, cancellationToken);
    }

    // Absent if the face has been deleted since.
    private async Task<V1.VectorPoint?> CoverAsync(
        string collection, IReadOnlyList<ClusteringFace> faces, ClusteringGroup person, CancellationToken cancellationToken)
    {
        var best = person.Faces.Select(face => faces[face.Index]).Aggregate((best, face) =>
            face.Quality > best.Quality || (face.Quality == best.Quality && string.CompareOrdinal(face.Id, best.Id) < 0) ? face : best);
        var point = await store.GetAsync(collection, best.Id, cancellationToken);
        return point is null ? null : PointMapping.ToContract(point with { Vector = default });
    }

    /// <summary>The checked parameters of a call.</summary>
    private sealed record Job(CollectionInfo Info, PointFilter Filter, float Threshold, int MinFaces, bool Apply);

    /// <summary>The result of a call.</summary>
    /// <param name="Faces">All faces.</param>
    /// <param name="Persons">The persons.</param>
    /// <param name="Change">The id of the change; empty if nothing changed.</param>
    private sealed record Outcome(IReadOnlyList<ClusteringFace> Faces, IReadOnlyList<ClusteringGroup> Persons, string Change);
}
