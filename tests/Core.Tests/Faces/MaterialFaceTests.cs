using System.Numerics.Tensors;
using Embeddings.Core.Faces;
using Embeddings.Primitives;
using Embeddings.Testing;
using Embeddings.Tooling.Models.Adding;
using Microsoft.Extensions.DependencyInjection;

namespace Embeddings.Core.Tests.Faces;

/// <summary>Real photos, with the default models. docs/faces.md has the figures.</summary>
public sealed class MaterialFaceTests(FaceServices services, ITestOutputHelper output) : IClassFixture<FaceServices>
{
    [TrainedModelsFact(NeedsMaterial = true)]
    public async Task All_faces_of_the_photos_are_found_and_distinguish_people()
    {
        var faces = PersonPhoto.All();
        var vectors = new List<float[]>();
        var (leastOverlap, leastCosine) = (1f, 1f);
        foreach (var face in faces)
        {
            var (photo, embeddings) = await services.Embedder.EmbedFacesAsync(ImageInput.FromFile(face.File));
            var found = photo.Faces.MaxBy(found => found.Box.Overlap(face.Box));
            Assert.True(found is not null, face.Path);
            Assert.True(photo.Faces.Count == 1, $"{face.Path}: {string.Join("; ", photo.Faces.Select(found => found.Box))}");
            leastOverlap = Math.Min(leastOverlap, found.Box.Overlap(face.Box));
            var vector = embeddings[0].Vector;
            var known = await services.Embedder.EmbedAsync(ModelKind.Face, ImageInput.FromFile(face.File, face.Landmarks));
            leastCosine = Math.Min(leastCosine, TensorPrimitives.Dot<float>(vector, known.Vector));
            vectors.Add(vector);

            // The same photo and landmarks give the same bits, whoever aligns the face.
            var again = await services.Embedder.EmbedAsync(ModelKind.Face, ImageInput.FromFile(face.File, found.Landmarks));
            Assert.Equal(again.Vector, vector);
        }
        var pairs = (from a in Enumerable.Range(0, faces.Count)
                     from b in Enumerable.Range(a + 1, faces.Count - a - 1)
                     select (Same: faces[a].Person == faces[b].Person, Cosine: TensorPrimitives.Dot<float>(vectors[a], vectors[b]))).ToList();
        var lowestSame = pairs.Where(pair => pair.Same).Min(pair => pair.Cosine);
        var highestDifferent = pairs.Where(pair => !pair.Same).Max(pair => pair.Cosine);
        output.WriteLine(
            $"{faces.Count} faces: overlap at least {leastOverlap:F3}, cosine to known landmarks at least {leastCosine:F3}; "
                + $"{pairs.Count(pair => pair.Same)} same at least {lowestSame:F3}, {pairs.Count(pair => !pair.Same)} different at most {highestDifferent:F3}");
        Assert.InRange(leastOverlap, 0.6f, 1);
        Assert.InRange(leastCosine, 0.934f, 1);
        Assert.InRange(lowestSame, 0.55f, 1);
        Assert.InRange(highestDifferent, -1, 0.43f);
        Assert.InRange(lowestSame - highestDifferent, 0.15f, 2);
    }

    [TrainedModelsFact(NeedsMaterial = true)]
    public async Task All_faces_of_a_group_photo_of_12_megapixels_are_found()
    {
        foreach (var seed in (int[])[1, 2, 3])
        {
            var group = GroupPhoto.Of(seed);
            var photo = await services.Embedder.FindFacesAsync(ImageInput.FromFile(group.ToJpeg()));
            output.WriteLine($"seed {seed}: {Times(photo)}; {photo.Faces.Count} faces, left out {string.Join(", ", photo.LeftOut.Select(face => $"{face.Reason} {face.Confidence:F2}"))}");
            AssertAllFound(group.Faces, photo, 1);
        }
    }

    [TrainedModelsFact(NeedsMaterial = true)]
    public async Task Turned_photos_are_found_to_be_turned()
    {
        var group = GroupPhoto.Of(1);
        var turned = new byte[group.Pixels.Length];
        foreach (var degrees in (int[])[90, 180, 270])
        {
            PixelRotation.Rotate(group.Pixels, group.Width, group.Height, 3, degrees, turned);
            var (width, height) = degrees == 180 ? (group.Width, group.Height) : (group.Height, group.Width);
            var photo = await services.Embedder.FindFacesAsync(
                new(turned, PixelFormat.Rgb8, width, height), new() { TryRotations = true });
            output.WriteLine($"{degrees}: {Times(photo)}; {photo.Faces.Count} faces");
            Assert.Equal((360 - degrees, group.Width, group.Height), (photo.Rotation, photo.Width, photo.Height));
            AssertAllFound(group.Faces, photo, 1);
        }
    }

    [TrainedModelsFact(NeedsMaterial = true)]
    public async Task A_photo_of_one_face_is_turned_rightly()
    {
        foreach (var face in PersonPhoto.All())
        {
            var photo = await services.Embedder.FindFacesAsync(ImageInput.FromFile(face.File), new() { TryRotations = true });
            Assert.True(photo.Rotation == 0, face.Path);
            Assert.True(photo.Faces[0].Box.Overlap(face.Box) > 0.6f, face.Path);
        }
    }

    [TrainedModelsFact(NeedsMaterial = true)]
    public async Task Photos_without_faces_have_hardly_any()
    {
        // With people, or a cat.
        string[] people =
        [
            "celebrities", "faces", "objects", "person", "astronaut", "camera", "chelsea", "hopper", "Portrait", "Landscape", "lena",
        ];
        var files = Directory.EnumerateFiles(Material.Path("images"), "*.*", SearchOption.AllDirectories)
            .Where(file => Path.GetExtension(file) is ".jpg" or ".png")
            .Where(file => !file.Contains("pillow", StringComparison.Ordinal))
            .Where(file => !people.Any(name => Path.GetFileName(file).StartsWith(name, StringComparison.Ordinal)));
        var photos = 0;
        var scores = new List<float>();
        foreach (var file in files.Order(StringComparer.Ordinal))
        {
            PhotoFaces photo;
            try
            {
                photo = await services.Embedder.FindFacesAsync(ImageInput.FromFile(File.ReadAllBytes(file)), new() { MinConfidence = 0.5f });
            }
            catch (Fault)
            {
                continue;
            }
            photos++;
            foreach (var face in photo.Faces)
            {
                scores.Add(face.Confidence);
                output.WriteLine($"{Path.GetRelativePath(Material.Path("images"), file)}: {face.Confidence:F3} {face.Box} quality {face.Quality.Overall:F2}");
            }
        }
        output.WriteLine($"{photos} photos; {string.Join(", ", ((float[])[0.5f, 0.6f, 0.65f, 0.7f, 0.8f, 0.9f]).Select(least => $"{scores.Count(score => score >= least)} from {least}"))}");
        Assert.InRange(photos, 60, 200);
        Assert.InRange(scores.Count(score => score >= 0.7f), 0, photos / 20);
    }

    [TrainedModelsFact(NeedsMaterial = true)]
    public async Task Files_of_all_kinds_have_faces_or_a_clear_error()
    {
        foreach (var file in Directory.EnumerateFiles(Material.Path("images", "pillow")))
        {
            try
            {
                var photo = await services.Embedder.FindFacesAsync(ImageInput.FromFile(File.ReadAllBytes(file)));
                Assert.InRange(photo.Faces.Count, 0, 3);
            }
            catch (Fault fault)
            {
                Assert.Equal(FaultKind.InvalidArgument, fault.Kind);
                Assert.StartsWith("photo", fault.Field, StringComparison.Ordinal);
                Assert.DoesNotContain('\n', fault.Message);
            }
        }
        Assert.Equal(0, services.Memory.Photos.Used);
        Assert.Equal(0, services.Memory.Decoding.Used);
    }

    [TrainedModelsFact]
    public async Task The_smallest_and_the_narrowest_photos_have_no_faces()
    {
        foreach (var (width, height) in ((int, int)[])[(1, 1), (1, 500), (500, 1), (2, 3), (16_384, 1), (1, 16_384), (39, 39)])
        {
            var pixels = new ImageInput(TestImages.Busy(width, height), PixelFormat.Rgb8, width, height);
            var photo = await services.Embedder.FindFacesAsync(pixels, new() { TryRotations = true, MinFaceSize = 10 });
            Assert.Empty(photo.Faces);
            Assert.Equal(0, photo.Rotation);
            Assert.Equal((width, height), (photo.Width, photo.Height));
        }
    }

    [TrainedModelsFact(NeedsMaterial = true)]
    public async Task A_detector_with_landmarks_of_its_own_finds_all_faces_too()
    {
        using var models = new TempFolder();
        ModelAdder.Add(new()
        {
            File = Material.Path("models", "face_detection_yunet_2023mar.onnx"),
            Directory = models.Path,
            Preset = "yunet",
            Replace = true,
        });
        await using var core = new ServiceCollection()
            .AddEmbeddingCore(new() { Models = new() { UseDefaults = false, Directories = [models.Path] } })
            .BuildServiceProvider();
        var embedder = core.GetRequiredService<Embedder>();
        var (leastOverlap, cosines) = (1f, new List<float>());
        foreach (var face in PersonPhoto.All())
        {
            var photo = await embedder.FindFacesAsync(ImageInput.FromFile(face.File));
            var found = photo.Faces.MaxBy(found => found.Box.Overlap(face.Box));
            Assert.True(found is not null, $"{face.Path}: {string.Join("; ", photo.LeftOut)}");
            leastOverlap = Math.Min(leastOverlap, found.Box.Overlap(face.Box));
            var crop = new ImageInput(found.Crop, PixelFormat.Rgb8, 112, 112);
            var vector = (await services.Embedder.EmbedAsync(ModelKind.Face, crop)).Vector;
            var known = (await services.Embedder.EmbedAsync(ModelKind.Face, ImageInput.FromFile(face.File, face.Landmarks))).Vector;
            var cosine = TensorPrimitives.Dot<float>(vector, known);
            output.WriteLine($"{Path.GetFileName(face.Path)}: overlap {found.Box.Overlap(face.Box):F3}, cosine {cosine:F3}");
            cosines.Add(cosine);
        }
        output.WriteLine($"overlap at least {leastOverlap:F3}, cosine to known landmarks at least {cosines.Min():F3}");
        Assert.InRange(leastOverlap, 0.6f, 1);

        // Its own points of one photo are far from those of the other detector.
        Assert.Equal(28, cosines.Count(cosine => cosine >= 0.88f));
    }

    [TrainedModelsFact(NeedsMaterial = true)]
    public async Task Colors_in_another_order_and_orientations_change_nothing()
    {
        var face = PersonPhoto.All()[0];
        var expected = await services.Embedder.EmbedFacesAsync(ImageInput.FromFile(face.File));
        var pixels = TestImages.Rgb(ImageInput.FromFile(face.File), TestImages.Spec(expected.Photo.Width, expected.Photo.Height));
        var swapped = (byte[])pixels.Clone();
        for (var i = 0; i < swapped.Length; i += 3)
        {
            (swapped[i], swapped[i + 2]) = (swapped[i + 2], swapped[i]);
        }
        foreach (var input in (ImageInput[])
            [
                new(pixels, PixelFormat.Rgb8, expected.Photo.Width, expected.Photo.Height),
                new(swapped, PixelFormat.Bgr8, expected.Photo.Width, expected.Photo.Height),
            ])
        {
            var actual = await services.Embedder.EmbedFacesAsync(input);
            Assert.Equal(expected.Photo.Faces[0].Box, actual.Photo.Faces[0].Box);
            Assert.True(expected.Photo.Faces[0].Crop.Span.SequenceEqual(actual.Photo.Faces[0].Crop.Span));
            Assert.Equal(expected.Embeddings[0].Vector, actual.Embeddings[0].Vector);
        }

        // Gray: other pixels, but the same face.
        var gray = new byte[pixels.Length / 3];
        for (var i = 0; i < gray.Length; i++)
        {
            gray[i] = (byte)((0.299f * pixels[3 * i]) + (0.587f * pixels[(3 * i) + 1]) + (0.114f * pixels[(3 * i) + 2]));
        }
        var (photo, embeddings) = await services.Embedder.EmbedFacesAsync(new(gray, PixelFormat.Gray8, expected.Photo.Width, expected.Photo.Height));
        Assert.InRange(photo.Faces[0].Box.Overlap(face.Box), 0.6f, 1);
        var again = await services.Embedder.EmbedAsync(
            ModelKind.Face, new(gray, PixelFormat.Gray8, photo.Width, photo.Height, photo.Faces[0].Landmarks));
        Assert.Equal(again.Vector, embeddings[0].Vector);
    }

    private static string Times(PhotoFaces photo) =>
        $"queued {photo.Queued.TotalMilliseconds:F0} ms, preprocessed {photo.Preprocessed.TotalMilliseconds:F0} ms, ran {photo.Ran.TotalMilliseconds:F0} ms";

    private static void AssertAllFound(IReadOnlyList<PersonPhoto> faces, PhotoFaces photo, int others)
    {
        foreach (var face in faces)
        {
            Assert.True(
                photo.Faces.Max(found => found.Box.Overlap(face.Box)) >= 0.6f,
                $"{face.Path} at {face.Box}: left out {string.Join("; ", photo.LeftOut.Where(found => found.Box.Overlap(face.Box) > 0.3f))}");
        }
        Assert.InRange(photo.Faces.Count, faces.Count, faces.Count + others);
    }
}
