using System.Globalization;
using System.Numerics;
using Embeddings.Core.Imaging;
using Embeddings.Core.Memory;
using Embeddings.Core.Models;
using Embeddings.Primitives;

namespace Embeddings.Core.Faces;

/// <summary>
/// The flow of a photo, from a file to aligned faces:
/// <list type="number">
/// <item>the models are looked up, and what can be refused without decoding is refused;</item>
/// <item>the photo is admitted to the memory for photos, all of it: streams wait, unary calls fail fast;</item>
/// <item>it is decoded once, at full size, on a bounded number of threads;</item>
/// <item>the detector runs over its tiles (<see cref="TilePlan"/>), and the candidates of all tiles are joined;</item>
/// <item>landmarks of all faces are found together, unless the detector has found them;</item>
/// <item>each face is aligned from the full photo, and measured; the largest that pass are kept.</item>
/// </list>
/// Nothing that holds a place in a model's queue waits for memory or for a decoder, so that photos cannot block each other.
/// Thread-safe.
/// </summary>
internal sealed class FaceFinder(
    ModelCatalog models, ImagingOptions imaging, MemoryBudget memory, EmbeddingMetrics metrics, TimeProvider time)
{
    /// <summary>Most runs of the detector for one photo.</summary>
    internal const int MaxTiles = 4_096;

    private const int MaxLeftOut = 1_000;

    // Of a confidence that is rounded to 1: the difference to it counts, for many detectors are almost certain of everything.
    private const double LeastDoubt = 1e-7;

    private const string PhotoField = "image";
    private const string Options = "options";
    private const string SizeField = $"{Options}.min_face_size";

    /// <summary>Finds the faces of a photo.</summary>
    /// <param name="photo">An encoded file or eight-bit pixels; its landmarks are ignored.</param>
    /// <param name="search">Which faces to find, within the ranges of <see cref="FaceSearch"/>.</param>
    /// <param name="crop">Size of the aligned crops, pixels.</param>
    /// <param name="wait">True to wait while the memory for photos is in use (streams), false to fail at once (unary calls).</param>
    /// <param name="path">
    /// Path of the photo in the caller's message, for faults that name a field of it; the options are its neighbour
    /// <c>options</c>.
    /// </param>
    /// <param name="cancellationToken">Ends the search at its next step.</param>
    /// <exception cref="Fault">The photo or the search is not valid, or a model or memory is not available.</exception>
    public async Task<PhotoFaces> FindAsync(
        ImageInput photo,
        FaceSearch search,
        (int Width, int Height) crop,
        bool wait,
        string path,
        CancellationToken cancellationToken) =>
        await await StartAsync(photo, search, crop, wait, path, cancellationToken);

    /// <summary>
    /// Starts to find the faces of a photo. Completes when the photo is admitted, so that a stream which awaits it reads no
    /// further while the memory is in use. Errors are those of the inner task.
    /// </summary>
    public async ValueTask<Task<PhotoFaces>> StartAsync(
        ImageInput photo,
        FaceSearch search,
        (int Width, int Height) crop,
        bool wait,
        string path,
        CancellationToken cancellationToken)
    {
        EncodedImage? file = null;
        try
        {
            var clock = new PhotoClock(time);
            Check(search);
            var chosen = Choose(search);
            photo = photo with { Landmarks = null };
            Check(photo, chosen.Detector.Manifest.Input);
            file = photo.Format == PixelFormat.Encoded ? EncodedImage.Open(photo.Data, imaging) : null;
            var (width, height) = file is null ? (photo.Width, photo.Height) : (file.Width, file.Height);
            var charge = Cost(photo, file, width, height, search, chosen.Detector.Manifest);
            clock.Preprocess(clock.Began);
            var began = clock.Start();
            charge = await EnterAsync(charge, wait, cancellationToken);
            clock.Queue(began);
            var opened = file;
            return Task.Run(
                () => FindAdmittedAsync(new(photo, opened, search, chosen, crop, !wait, clock), charge, path, cancellationToken),
                CancellationToken.None);
        }
        catch (Exception e)
        {
            file?.Dispose();
            return Task.FromException<PhotoFaces>(e is Fault fault ? WithPath(fault, path) : e);
        }
    }

    private async Task<PhotoFaces> FindAdmittedAsync(Job job, Charge charge, string path, CancellationToken cancellationToken)
    {
        try
        {
            using var photo = await LoadAsync(job, cancellationToken);
            var result = await FindBestAsync(job, photo, cancellationToken);
            metrics.StageTook(EmbeddingMetrics.QueueStage, result.Queued);
            metrics.StageTook(EmbeddingMetrics.PreprocessStage, result.Preprocessed);
            return result;
        }
        catch (Fault fault)
        {
            throw WithPath(fault, path);
        }
        finally
        {
            job.File?.Dispose();
            memory.Photos.Exit(charge);
        }
    }

    private async Task<PhotoFaces> FindBestAsync(Job job, Photo photo, CancellationToken cancellationToken)
    {
        Photo? rotated = null;
        try
        {
            var best = await SearchAsync(job, photo, 0, cancellationToken);
            if (job.Search.TryRotations)
            {
                foreach (var degrees in (int[])[90, 180, 270])
                {
                    using var turned = await LongWork.RunAsync(photo.Bytes, job.Clock, () => photo.Rotate(degrees));
                    var other = await SearchAsync(job, turned, degrees, cancellationToken);
                    best = other.Certainty > best.Certainty ? other : best;
                }
            }
            if (best.Rotation != 0)
            {
                rotated = await LongWork.RunAsync(photo.Bytes, job.Clock, () => photo.Rotate(best.Rotation));
            }
            return await KeepAsync(job, rotated ?? photo, best, cancellationToken);
        }
        finally
        {
            rotated?.Dispose();
        }
    }

    private async Task<Photo> LoadAsync(Job job, CancellationToken cancellationToken)
    {
        if (job.File is not { } file)
        {
            return Photo.Of(job.Input);
        }

        // The photo's memory is charged already; this bounds the number of decoders, fairly between callers.
        var work = DecodeCost.Work(file, 1);
        var slot = new Charge(0, work, work > DecodeCost.LargeWork);
        var began = job.Clock.Start();
        await memory.Decoding.EnterAsync(slot, Caller.Current, cancellationToken);
        job.Clock.Queue(began);
        try
        {
            return await LongWork.RunAsync(work, job.Clock, () => Photo.Decode(file, cancellationToken));
        }
        finally
        {
            memory.Decoding.Exit(slot);
        }
    }

    /// <summary>Finds all faces of a photo that is upright if it was turned by <paramref name="degrees"/> rightly.</summary>
    private async Task<Hits> SearchAsync(Job job, Photo photo, int degrees, CancellationToken cancellationToken)
    {
        var hits = new Hits(degrees);
        List<Candidate> candidates;
        float least;
        var lease = await job.Models.Detector.AdmitAsync(0, wait: true, cancellationToken);
        await using (var run = new ModelRun(lease, job.Clock, cancellationToken))
        {
            var levels = FaceDetector.Plan(run.Manifest, photo.Width, photo.Height, job.Search.MinFaceSize);
            run.IsAlone = job.IsUnary && TilePlan.Tiles(levels) == 1;
            var detector = new FaceDetector(run, job.Clock, cancellationToken);
            var found = await detector.FindAsync(photo, levels);
            least = job.Search.MinConfidence ?? run.Manifest.Detector!.MinConfidence;
            var likely = found.Where(candidate => candidate.Score >= least).ToList();
            run.IsAlone = job.IsUnary && likely.Count == 1;
            candidates = [.. await detector.ConfirmAsync(photo, likely), .. found.Where(candidate => candidate.Score < least)];
        }
        foreach (var candidate in candidates.OrderByDescending(candidate => candidate.Box.Area))
        {
            if (candidate.Score < least)
            {
                hits.LeaveOut(
                    candidate,
                    LeftOutReason.LowConfidence,
                    $"The confidence must be at least {Text(least)} (min_confidence); it is {Text(candidate.Score)}.");
            }
            else if (candidate.Box.ShorterSide < job.Search.MinFaceSize)
            {
                hits.LeaveOut(
                    candidate,
                    LeftOutReason.TooSmall,
                    $"The shorter side of the box must be at least {job.Search.MinFaceSize} pixels (min_face_size); "
                        + $"it is {Text(candidate.Box.ShorterSide)}.");
            }
            else
            {
                hits.Candidates.Enqueue(candidate);
            }
        }

        // Those that will be kept if they pass. Only if some do not are landmarks of further ones needed.
        await LocateAsync(job, photo, hits, job.Search.MaxFaces, cancellationToken);
        return hits;
    }

    /// <summary>Finds the landmarks of the next candidates, the largest.</summary>
    private static async Task LocateAsync(Job job, Photo photo, Hits hits, int count, CancellationToken cancellationToken)
    {
        var next = new List<Candidate>();
        while (next.Count < count && hits.Candidates.TryDequeue(out var candidate))
        {
            next.Add(candidate);
        }
        var landmarks = await LandmarksAsync(job, photo, next, cancellationToken);
        for (var i = 0; i < next.Count; i++)
        {
            if (LandmarkRules.IsFace(landmarks[i], photo.Width, photo.Height))
            {
                hits.Located.Enqueue((next[i], landmarks[i]!));
                hits.Certainty -= Math.Log(Math.Max(1.0 - next[i].Score, LeastDoubt));
            }
            else
            {
                hits.LeaveOut(
                    next[i],
                    LeftOutReason.LandmarksInvalid,
                    "The landmarks must be arranged as those of a face, so that it can be aligned; those found in the box are not.");
            }
        }
    }

    private static async Task<Landmarks?[]> LandmarksAsync(
        Job job, Photo photo, List<Candidate> candidates, CancellationToken cancellationToken)
    {
        if (job.Models.Landmarks is not { } model)
        {
            return [.. candidates.Select(candidate => candidate.Landmarks)];
        }
        var landmarks = new Landmarks?[candidates.Count];
        await RunAsync(
            job,
            model,
            photo,
            candidates.Count,
            (i, manifest) => FaceCrops.ForLandmarks(candidates[i].Box, manifest.Landmarks!),
            (i, part, values) => landmarks[i] = new(
                At(part, values, 0), At(part, values, 2), At(part, values, 4), At(part, values, 6), At(part, values, 8)),
            cancellationToken);
        return landmarks;

        static Vector2 At(SourceBox part, float[] values, int index) => new(
            (float)(part.Left + (values[index] * part.Width)), (float)(part.Top + (values[index + 1] * part.Height)));
    }

    /// <summary>Aligns and measures the located faces, and keeps the largest that pass.</summary>
    private static async Task<PhotoFaces> KeepAsync(Job job, Photo photo, Hits hits, CancellationToken cancellationToken)
    {
        var search = job.Search;
        var faces = new List<FoundFace>();
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            (Candidate Candidate, Landmarks Landmarks)[] located = [.. hits.Located];
            hits.Located.Clear();
            var poses = await PosesAsync(job, photo, located, cancellationToken);
            var began = job.Clock.Start();
            for (var i = 0; i < located.Length; i++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var (candidate, landmarks) = located[i];
                var (crop, quality) = FaceCrops.Align(photo, landmarks, job.Crop, poses[i], candidate.Score);
                if (quality.Overall < search.MinQuality)
                {
                    hits.LeaveOut(
                        candidate,
                        LeftOutReason.LowQuality,
                        $"The overall quality must be at least {Text(search.MinQuality.Value)} (min_quality); it is {Text(quality.Overall)}.");
                }
                else
                {
                    faces.Add(new(candidate.Box, candidate.Score, landmarks, quality, poses[i], null, crop));
                }
            }
            job.Clock.Preprocess(began);
            if (faces.Count == search.MaxFaces || hits.Candidates.Count == 0)
            {
                break;
            }
            await LocateAsync(job, photo, hits, search.MaxFaces - faces.Count, cancellationToken);
        }
        foreach (var candidate in hits.Candidates)
        {
            hits.LeaveOut(
                candidate,
                LeftOutReason.OverMaxFaces,
                $"There are {search.MaxFaces} larger faces, as many as are kept (max_faces).");
        }
        await AddLivenessAsync(job, photo, faces, cancellationToken);
        return new(
            photo.Width,
            photo.Height,
            job.File?.Orientation.Tag ?? 1,
            hits.Rotation,
            faces,
            [.. hits.LeftOut.OrderByDescending(face => face.Box.Area).Take(MaxLeftOut)],
            job.Clock.Queued,
            job.Clock.Preprocessed,
            job.Clock.Other);
    }

    private static async Task<HeadPose[]> PosesAsync(
        Job job, Photo photo, (Candidate Candidate, Landmarks Landmarks)[] faces, CancellationToken cancellationToken)
    {
        if (job.Models.Pose is not { } model)
        {
            return [.. faces.Select(face => FaceMeasures.Pose(face.Landmarks))];
        }
        var poses = new HeadPose[faces.Length];
        await RunAsync(
            job,
            model,
            photo,
            faces.Length,
            (i, manifest) => FaceCrops.Around(faces[i].Candidate.Box, manifest.Pose!.CropScale),
            (i, _, values) => poses[i] = new(values[0], values[1], values[2]),
            cancellationToken);
        return poses;
    }

    private static async Task AddLivenessAsync(Job job, Photo photo, List<FoundFace> faces, CancellationToken cancellationToken)
    {
        if (job.Models.Liveness is not { } model)
        {
            return;
        }
        var lives = new float[faces.Count];
        await RunAsync(
            job,
            model,
            photo,
            faces.Count,
            (i, manifest) => FaceCrops.Within(faces[i].Box, manifest.Liveness!.CropScale, photo.Width, photo.Height),
            (i, _, values) => lives[i] = values[0],
            cancellationToken);
        for (var i = 0; i < lives.Length; i++)
        {
            faces[i] = faces[i] with { Liveness = lives[i] };
        }
    }

    // Runs a model on a part of the photo for each face, stretched to its input.
    private static async Task RunAsync(
        Job job,
        ServedModel model,
        Photo photo,
        int count,
        Func<int, ModelManifest, SourceBox> box,
        Action<int, SourceBox, float[]> read,
        CancellationToken cancellationToken)
    {
        if (count == 0)
        {
            return;
        }
        var lease = await model.AdmitAsync(0, wait: true, cancellationToken);
        await using var run = new ModelRun(lease, job.Clock, cancellationToken) { IsAlone = job.IsUnary && count == 1 };
        for (var i = 0; i < count; i++)
        {
            var index = i;
            var part = box(i, run.Manifest);
            await run.AddAsync(
                FaceCrops.Draw, (photo, part, run.Manifest.Input), photo.Format, values => read(index, part, values));
        }
        await run.CompleteAsync();
    }

    private SearchModels Choose(FaceSearch search)
    {
        var detector = models.Get(search.Detector, ModelKind.Detector, $"{Options}.detector");
        var needsLandmarks = search.LandmarkModel.Length > 0 || detector.Manifest.Detector!.Keypoints == 0;
        return new(
            detector,
            needsLandmarks ? models.Get(search.LandmarkModel, ModelKind.Landmarks, $"{Options}.landmark_model") : null,
            models.DefaultOf(ModelKind.Pose),
            search.WithLiveness ? models.Get("", ModelKind.Liveness, $"{Options}.with_liveness") : null);
    }

    private static void Check(FaceSearch search)
    {
        CheckRange("max_faces", search.MaxFaces, 1, 1_000);
        CheckRange("min_face_size", search.MinFaceSize, 10, 4_096);
        CheckRange("min_confidence", search.MinConfidence ?? 0, 0, 1);
        CheckRange("min_quality", search.MinQuality ?? 0, 0, 1);
    }

    private static void CheckRange(string name, float value, int least, int most)
    {
        // Written so that NaN is outside too.
        if (!(value >= least && value <= most))
        {
            throw Fault.Invalid(
                Reasons.FieldInvalid,
                $"{Options}.{name}",
                string.Create(CultureInfo.InvariantCulture, $"{name} must be between {least} and {most}; got {value}."));
        }
    }

    private void Check(in ImageInput photo, InputSpec input)
    {
        if (photo.Format is PixelFormat.RgbF32 or PixelFormat.BgrF32)
        {
            throw Fault.Invalid(
                Reasons.PixelFormatInvalid,
                ImageRules.Format,
                $"The pixel format of a photo must be an eight-bit one, such as RGB8; got {photo.Format}: float pixels are the "
                    + "input of a model.");
        }
        ImageRules.Check(photo, input, imaging);
    }

    /// <summary>The memory and the work of a photo. Throws a fault if they exceed a limit.</summary>
    private Charge Cost(
        in ImageInput photo, EncodedImage? file, int width, int height, FaceSearch search, ModelManifest detector)
    {
        var sides = search.TryRotations ? 4 : 1;
        var levels = FaceDetector.Plan(detector, width, height, search.MinFaceSize);
        if (TilePlan.Tiles(levels) * sides > MaxTiles)
        {
            var least = search.MinFaceSize;
            while (TilePlan.Tiles(FaceDetector.Plan(detector, width, height, least)) * sides > MaxTiles && least < 1 << 20)
            {
                least += (least / 16) + 1;
            }
            throw Fault.Invalid(
                Reasons.FieldInvalid,
                SizeField,
                $"min_face_size must be at least {least} for a photo of {width} x {height} pixels; got {search.MinFaceSize}: the "
                    + $"detector would run {TilePlan.Tiles(levels) * sides:N0} times, and may run at most {MaxTiles:N0} times.")
                .With(FaultKeys.Limit, least)
                .With(FaultKeys.Actual, search.MinFaceSize);
        }
        var bytes = FaceDetector.Memory(levels, width, height);
        var pixels = 3L * width * height;
        long work = width * (long)height;
        if (file is not null)
        {
            // The file, of which libvips has a copy, and the decoded photo.
            bytes += (2L * photo.Data.Length) + pixels + DecodeCost.Bytes(file, 1, 0);
            work = DecodeCost.Work(file, 1);
        }
        else
        {
            bytes += photo.Data.Length + (new RawPixels(photo).IsPlain ? 0 : pixels);
        }
        bytes += search.TryRotations ? pixels : 0;
        var gate = memory.Photos;
        return bytes <= gate.Largest
            ? new(bytes, work * sides, bytes > gate.Largest / 6)
            : throw ImageRules.TooMuchMemory(bytes, gate.Largest, file is null ? ImageRules.Data : ImageRules.Encoded);
    }

    private async ValueTask<Charge> EnterAsync(Charge charge, bool wait, CancellationToken cancellationToken)
    {
        if (wait)
        {
            await memory.Photos.EnterAsync(charge, Caller.Current, cancellationToken);
        }
        else if (!memory.Photos.TryEnter(ref charge, Caller.Current))
        {
            throw new Fault(
                FaultKind.ResourceExhausted,
                Reasons.MemoryFull,
                "The memory for photos is in use by other calls; try again, or raise the server's memory limit (Memory:LimitBytes).",
                retryAfter: TimeSpan.FromMilliseconds(500));
        }
        return charge;
    }

    private static string Text(float value) => value.ToString("0.###", CultureInfo.InvariantCulture);

    // Fields of the photo begin with "image", which has another name in the caller's message.
    private static Fault WithPath(Fault fault, string path)
    {
        if (fault.Field.StartsWith(PhotoField, StringComparison.Ordinal))
        {
            return fault.At(path + fault.Field[PhotoField.Length..]);
        }
        var parent = path.LastIndexOf('.');
        return fault.Field.StartsWith(Options, StringComparison.Ordinal) && parent > 0 ? fault.Within(path[..parent]) : fault;
    }

    /// <summary>The models of a search.</summary>
    /// <param name="Detector">The detector.</param>
    /// <param name="Landmarks">The landmark model; null for the detector's own landmarks.</param>
    /// <param name="Pose">The pose model; null for the pose of the landmarks.</param>
    /// <param name="Liveness">The liveness model; null if liveness is not wanted.</param>
    private sealed record SearchModels(ServedModel Detector, ServedModel? Landmarks, ServedModel? Pose, ServedModel? Liveness);

    private sealed record Job(
        ImageInput Input,
        EncodedImage? File,
        FaceSearch Search,
        SearchModels Models,
        (int Width, int Height) Crop,
        bool IsUnary,
        PhotoClock Clock);

    /// <summary>The faces found at one rotation.</summary>
    private sealed class Hits(int rotation)
    {
        public int Rotation { get; } = rotation;

        /// <summary>
        /// Minus the logarithm of the probability that none of the faces is one, if the detector is right about each.
        /// </summary>
        public double Certainty { get; set; }

        /// <summary>Candidates without landmarks, the largest first.</summary>
        public Queue<Candidate> Candidates { get; } = new();

        public Queue<(Candidate Candidate, Landmarks Landmarks)> Located { get; } = new();

        public List<LeftOutFace> LeftOut { get; } = [];

        public void LeaveOut(in Candidate candidate, LeftOutReason reason, string message) =>
            LeftOut.Add(new(candidate.Box, candidate.Score, reason, message));
    }
}
