using Embeddings.Core.Faces;
using static Embeddings.Core.Tests.Faces.SyntheticFaces;

namespace Embeddings.Core.Tests.Faces;

[Collection(ClusteringCollection.Name)]
public sealed class ClusteringTests(ITestOutputHelper output)
{
    private const float Threshold = 0.45f;

    [Theory]
    [InlineData(1, 0.6)]
    [InlineData(2, 0.9)]
    [InlineData(3, 0.95)]
    public void Faces_of_synthetic_people_are_grouped_by_person(int seed, double noise)
    {
        var random = new Random(seed);
        var faces = new List<(ClusteringFace, float[])>();
        for (var person = 0; person < 60; person++)
        {
            var direction = Direction(random, 128);
            for (var i = random.Next(1, 40); i >= 0; i--)
            {
                var face = new ClusteringFace($"{person:D2}-{i:D2}", null, 0.3f + (0.7f * random.NextSingle()), null);
                faces.Add((face, Near(direction, noise, random)));
            }
        }
        var compared = 0;

        var groups = Run(faces, Threshold, out var ids, compared: count => Interlocked.Add(ref compared, count));

        var (precision, recall) = PairwiseScores(groups, ids);
        output.WriteLine($"{faces.Count} faces, {groups.Count} groups: precision {precision:F4}, recall {recall:F4}");
        Assert.Equal(1, precision);
        Assert.InRange(recall, 0.95, 1);
        Assert.Equal(faces.Count, compared);
        Assert.Equal(faces.Count, groups.Sum(group => group.Faces.Count));
        Assert.Equal(groups.OrderByDescending(group => group.Faces.Count).Select(group => group.Faces.Count), groups.Select(group => group.Faces.Count));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.35)]
    [InlineData(0.8)]
    [InlineData(-1)]
    public void Groups_are_those_of_plain_average_linkage(double threshold)
    {
        for (var seed = 0; seed < 12; seed++)
        {
            var random = new Random(seed);
            var people = Enumerable.Range(0, 6).Select(_ => Direction(random, 24)).ToList();
            var photos = random.Next(8, 80);
            var faces = Enumerable.Range(0, random.Next(2, 120))
                .Select(i => (
                    new ClusteringFace(
                        $"{random.Next(1000):D3}-{i:D3}", random.Next(3) == 0 ? null : $"{random.Next(photos)}", 0.3f + (0.7f * random.NextSingle()), null),
                    Near(people[random.Next(people.Count)], 1.2, random)))
                .ToList();

            Assert.Equal(PlainLinkage(faces, threshold), Group(faces, (float)threshold));
        }
    }

    [Fact]
    public void The_order_of_the_faces_and_the_number_of_threads_do_not_matter()
    {
        var random = new Random(5);
        var faces = Mixed(random, people: 40, photos: 150);
        var expected = Group(faces, Threshold, threads: 1);

        foreach (var threads in (int[])[2, 5])
        {
            var shuffled = faces.ToArray();
            random.Shuffle(shuffled);
            Assert.Equal(expected, Group(shuffled, Threshold, threads));
        }
    }

    [Fact]
    public void Siblings_in_one_photo_are_never_merged_even_if_they_are_closer_than_the_threshold()
    {
        var random = new Random(6);
        var first = Direction(random, 64);
        // A similarity of about 0.9.
        var second = Near(first, 0.33, random);
        Assert.InRange(Dot(first, second), 0.8, 0.97);
        var faces = Enumerable.Range(0, 20).SelectMany(photo => ((ClusteringFace, float[])[])
        [
            (new($"first-{photo:D2}", $"photo{photo}", 1, null), Near(first, 0.2, random)),
            (new($"second-{photo:D2}", $"photo{photo}", 1, null), Near(second, 0.2, random)),
        ]).ToList();

        var groups = Group(faces, 0.5f);

        Assert.Equal(
            [
                ":" + string.Join(',', Enumerable.Range(0, 20).Select(i => $"first-{i:D2}")),
                ":" + string.Join(',', Enumerable.Range(0, 20).Select(i => $"second-{i:D2}")),
            ],
            groups);
        // A twin in another photo may join either, but without photos both are one person.
        Assert.Single(Group(faces.Select(face => (face.Item1 with { Photo = null }, face.Item2)), 0.5f));
        // Many copies of one face in one photo: none joins another.
        Assert.Equal(30, Group(Enumerable.Range(0, 30).Select(i => (new ClusteringFace($"{i}", "one photo", 1, null), first)), 0.5f).Count);
    }

    [Fact]
    public void No_group_has_two_faces_of_a_photo_whatever_the_threshold()
    {
        var random = new Random(7);
        var faces = Mixed(random, people: 10, photos: 60);
        foreach (var threshold in (float[])[-1, -0.2f, 0, 0.2f, 0.5f, 0.9f])
        {
            foreach (var group in Run(faces, threshold, out _))
            {
                var photos = group.Faces.Where(face => face.Joined).Select(face => faces[face.Index].Face.Photo).OfType<string>().ToList();
                Assert.Equal(photos.Count, photos.Distinct().Count());
            }
        }
    }

    [Fact]
    public void New_faces_join_existing_persons_which_keep_their_faces_and_are_never_merged()
    {
        var random = new Random(8);
        var direction = Direction(random, 64);
        var other = Direction(random, 64);
        List<(ClusteringFace Face, float[] Vector)> faces =
        [
            // One person under two names, as a user wants it.
            .. Enumerable.Range(0, 4).Select(i => (new ClusteringFace($"anna{i}", $"a{i}", 1, "Anna"), Near(direction, 0.3, random))),
            .. Enumerable.Range(0, 4).Select(i => (new ClusteringFace($"ann{i}", $"n{i}", 1, "Ann"), Near(direction, 0.5, random))),
            // And a person with a face that does not look like it.
            (new("wrong", "w", 1, "Anna"), other),
        ];
        var before = Group(faces, 0.4f);
        Assert.Equal(["Ann:ann0,ann1,ann2,ann3", "Anna:anna0,anna1,anna2,anna3,wrong"], before);

        faces.AddRange(Enumerable.Range(0, 6).Select(i => (new ClusteringFace($"new{i}", $"p{i}", 1, null), Near(direction, 0.4, random))));
        faces.AddRange(Enumerable.Range(0, 3).Select(i => (new ClusteringFace($"x{i}", $"p{i}", 1, null), Near(Direction(random, 64), 0.1, random))));

        var groups = Run(faces, 0.4f, out var ids);
        var anna = groups.Single(group => group.Person == "Anna");
        var ann = groups.Single(group => group.Person == "Ann");
        // Anna has a face that is not hers, so Ann's faces are more similar.
        Assert.Equal(["ann0", "ann1", "ann2", "ann3", "new0", "new1", "new2", "new3", "new4", "new5"], Ids(ann));
        Assert.Equal(["anna0", "anna1", "anna2", "anna3", "wrong"], Ids(anna));
        Assert.Equal(6, ann.Faces.Count(face => face.Joined));
        Assert.DoesNotContain(anna.Faces, face => face.Joined);
        Assert.Equal(3, groups.Count(group => group.Person is null));

        List<string> Ids(ClusteringGroup group) => [.. group.Faces.Select(face => ids[face.Index]).Order(StringComparer.Ordinal)];
    }

    [Fact]
    public void Of_two_faces_of_a_photo_the_more_similar_one_joins_and_the_other_tries_the_next_person()
    {
        var random = new Random(9);
        var direction = Direction(random, 64);
        var twin = Near(direction, 0.5, random);
        List<(ClusteringFace, float[])> faces =
        [
            (new("anna", "1", 1, "Anna"), direction),
            (new("berta", "2", 1, "Berta"), twin),
            (new("close", "3", 1, null), Near(direction, 0.1, random)),
            (new("less", "3", 1, null), Near(direction, 0.2, random)),
            // Anna is in this photo already.
            (new("anna again", "4", 1, "Anna"), direction),
            (new("second", "4", 1, null), Near(twin, 0.1, random)),
            (new("third", "4", 1, null), Near(direction, 0.1, random)),
        ];

        Assert.Equal([":third", "Anna:anna,anna again,close", "Berta:berta,less,second"], Group(faces, 0.5f));
    }

    [Fact]
    public void More_persons_than_a_list_holds_are_tried_until_one_has_room()
    {
        var random = new Random(10);
        var direction = Direction(random, 64);
        const int Persons = 50;
        var faces = Enumerable.Range(0, Persons).SelectMany(i => ((ClusteringFace, float[])[])
        [
            (new($"known{i:D2}", "crowd", 1, $"P{i:D2}"), Near(direction, 0.1 + (0.001 * i), random)),
        ]).ToList();
        // One person is not in the photo: the least similar one.
        faces.Add((new("absent", "elsewhere", 1, "Absent"), Near(direction, 0.9, random)));
        faces.Add((new("new", "crowd", 1, null), direction));

        Assert.Contains("Absent:absent,new", Group(faces, 0.4f));
    }

    [Fact]
    public void Unclear_faces_join_but_do_not_glue_groups_together()
    {
        var random = new Random(11);
        var anna = Direction(random, 128);
        var berta = Direction(random, 128);
        // Blurred faces look alike more than the people do: each has a large part of one direction, whoever it shows.
        var blur = Direction(random, 128);
        float[] Blurred(float[] person) => Near([.. person.Zip(blur, (p, b) => (0.75f * p) + (0.9f * b))], 0.1, random);
        List<(ClusteringFace Face, float[] Vector)> faces =
        [
            .. Enumerable.Range(0, 12).Select(i => (new ClusteringFace($"anna{i:D2}", $"a{i}", 0.8f, null), Near(anna, 0.5, random))),
            .. Enumerable.Range(0, 12).Select(i => (new ClusteringFace($"berta{i:D2}", $"b{i}", 0.8f, null), Near(berta, 0.5, random))),
            .. Enumerable.Range(0, 30).Select(i => (new ClusteringFace($"anna-blurred{i:D2}", $"c{i}", 0.1f, null), Blurred(anna))),
            .. Enumerable.Range(0, 30).Select(i => (new ClusteringFace($"berta-blurred{i:D2}", $"d{i}", 0.1f, null), Blurred(berta))),
        ];

        var groups = Run(faces, Threshold, out var ids);
        Assert.Equal(2, groups.Count);
        Assert.All(groups, group => Assert.Single(group.Faces.Select(face => ids[face.Index][..4]).Distinct()));
        Assert.All(groups, group => Assert.Equal(42, group.Faces.Count));
        // As clear faces, they would be one person.
        Assert.NotEqual(2, Group(faces.Select(face => (face.Face with { Quality = 1 }, face.Vector)), Threshold).Count);
    }

    [Fact]
    public void People_with_unclear_faces_only_are_grouped_too()
    {
        var random = new Random(12);
        var people = Enumerable.Range(0, 3).Select(_ => Direction(random, 64)).ToList();
        var faces = Enumerable.Range(0, 30)
            .Select(i => (new ClusteringFace($"{i % 3}-{i:D2}", null, 0, null), Near(people[i % 3], 0.4, random))).ToList();

        var groups = Run(faces, Threshold, out var ids);
        Assert.Equal([10, 10, 10], groups.Select(group => group.Faces.Count));
        Assert.Equal((1, 1), PairwiseScores(groups, ids));
    }

    [Fact]
    public void Similarities_are_the_mean_of_those_to_the_other_faces_and_the_most_typical_face_is_first()
    {
        var random = new Random(13);
        var direction = Direction(random, 32);
        var vectors = Enumerable.Range(0, 9).Select(i => Near(direction, 0.1 + (0.1 * i), random)).ToList();
        var faces = vectors.Select((vector, i) => (new ClusteringFace($"{i}", null, 0.5f, null), vector));

        var group = Assert.Single(Run(faces, 0, out _));
        foreach (var face in group.Faces)
        {
            var expected = vectors.Where((_, i) => i != face.Index).Average(vector => Dot(vector, vectors[face.Index]));
            Assert.Equal(expected, face.Similarity, 1e-5);
        }
        Assert.Equal(group.Faces.OrderByDescending(face => face.Similarity), group.Faces);
        Assert.Equal(1, Assert.Single(Run([(new("alone", null, 1, null), direction)], 0, out _)[0].Faces).Similarity);
    }

    [Fact]
    public void Copies_are_one_person_at_the_threshold_1_and_any_number_of_ties_ends()
    {
        var random = new Random(14);
        var (first, second) = (Direction(random, 64), Direction(random, 64));
        var faces = Enumerable.Range(0, 400)
            .Select(i => (new ClusteringFace($"{i:D3}", null, 1, null), i % 2 == 0 ? first : [.. second.Select(value => value * 3)]))
            .ToList();
        Assert.Equal([200, 200], Run(faces, 1, out _).Select(group => group.Faces.Count));
        // All copies are in the same ten photos: no group has two of a photo.
        var inPhotos = faces.Select((face, i) => (face.Item1 with { Photo = $"{i % 10}" }, face.Item2));
        Assert.All(Run(inPhotos, 1, out _), group => Assert.Equal(5, group.Faces.Count));
    }

    [Fact]
    public void A_chain_of_ever_closer_faces_is_grouped_like_by_plain_average_linkage()
    {
        // Each pair is the best of only one of the two, except for the last: the worst case for merging in parallel.
        var faces = new List<(ClusteringFace, float[])>();
        var angle = 0.0;
        for (var i = 0; i < 120; i++)
        {
            angle += 0.1 / (1 + (0.02 * i));
            faces.Add((new($"{i:D3}", null, 1, null), [(float)Math.Cos(angle), (float)Math.Sin(angle)]));
        }
        Assert.Equal(PlainLinkage(faces, 0.9), Group(faces, 0.9f));
    }

    [Fact]
    public void No_faces_one_face_and_faces_without_direction_are_no_problem()
    {
        Assert.Empty(Run([], 0.5f, out _));
        Assert.Equal([":a"], Group([(new("a", "p", 1, null), [1, 0])], 0.5f));
        Assert.Equal([":a", ":b", ":c"], Group([(new("a", "", 1, null), [0, 0]), (new("b", "", 0, null), [0, 0]), (new("c", null, 1, null), [1, 0])], 0.5f));
        Assert.Equal(["P:a"], Group([(new("a", "p", 0, "P"), [1, 0])], 0.5f));
    }

    [Fact]
    public void A_cancelled_run_ends()
    {
        var random = new Random(15);
        using var clustering = new Clustering(64);
        for (var i = 0; i < 3000; i++)
        {
            clustering.Add(new($"{i}", null, 1, null), Direction(random, 64));
        }
        using var stop = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() => clustering.Run(0.5f, 2, _ => stop.Cancel(), stop.Token));
    }

    [Fact]
    public void Twenty_thousand_faces_take_no_more_memory_than_estimated()
    {
        const int Faces = 20_000;
        const int Dimension = 128;
        var random = new Random(16);
        var people = Enumerable.Range(0, 200).Select(_ => Direction(random, Dimension)).ToList();
        using var clustering = new Clustering(Dimension);
        for (var i = 0; i < Faces; i++)
        {
            // One person has a quarter of all faces, which makes twelve million similar pairs. Nobody is twice in a photo.
            var person = i % 4 == 0 ? 0 : (3 * random.Next(1, people.Count / 3)) + (i % 3);
            clustering.Add(new($"{person:D3}-{i:D5}", $"{i / 3}", random.NextSingle(), null), Near(people[person], 0.8, random));
        }
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var most = before;

        var groups = clustering.Run(Threshold, 2, _ => Measure(), CancellationToken.None);

        var (precision, recall) = PairwiseScores(groups, [.. clustering.Faces.Select(face => face.Id)]);
        output.WriteLine($"{groups.Count} groups, precision {precision:F4}, recall {recall:F4}; managed memory {(most - before) >> 20} MiB");
        Assert.InRange(precision, 0.999, 1);
        Assert.InRange(recall, 0.95, 1);
        Assert.InRange(most - before, 0, Clustering.BytesFor(Faces, Dimension));

        // Without young garbage, whose amount depends on the caches of the processor.
        void Measure()
        {
            GC.Collect(1, GCCollectionMode.Forced, blocking: true);
            most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: false));
        }
    }

    private static List<(ClusteringFace Face, float[] Vector)> Mixed(Random random, int people, int photos)
    {
        var directions = Enumerable.Range(0, people).Select(_ => Direction(random, 48)).ToList();
        return
        [
            .. Enumerable.Range(0, photos * 3).Select(i =>
            {
                var person = random.Next(people);
                var name = random.Next(6) == 0 ? $"P{person}" : null;
                var photo = random.Next(5) == 0 ? null : $"{random.Next(photos)}";
                return (new ClusteringFace($"{random.Next(10_000):D4}-{i}", photo, random.NextSingle(), name), Near(directions[person], 1, random));
            }),
        ];
    }

    /// <summary>Merges the best pair of all groups, again and again.</summary>
    private static List<string> PlainLinkage(IReadOnlyList<(ClusteringFace Face, float[] Vector)> faces, double threshold)
    {
        var groups = faces.OrderBy(face => face.Face.Id, StringComparer.Ordinal).Select(face => new[] { face }.ToList()).ToList();
        var dots = faces.ToDictionary(a => a.Face.Id, a => faces.ToDictionary(b => b.Face.Id, b => Dot(a.Vector, b.Vector)));
        while (true)
        {
            var best = (
                from left in groups
                from right in groups
                where string.CompareOrdinal(left[0].Face.Id, right[0].Face.Id) < 0
                    && !left.Any(a => a.Face.Photo is not null && right.Any(b => b.Face.Photo == a.Face.Photo))
                let weights = left.Sum(a => (double)a.Face.Quality) * right.Sum(b => (double)b.Face.Quality)
                let similarity = left.Sum(a => right.Sum(b => a.Face.Quality * b.Face.Quality * dots[a.Face.Id][b.Face.Id])) / weights
                where similarity >= threshold
                orderby similarity descending
                select (left, right)).FirstOrDefault();
            if (best.left is null)
            {
                return [.. groups.Select(group => ":" + string.Join(',', group.Select(face => face.Face.Id).Order(StringComparer.Ordinal))).Order(StringComparer.Ordinal)];
            }
            best.left.AddRange(best.right);
            groups.Remove(best.right);
        }
    }

    // Of the pairs in one group, those of one person; of the pairs of one person, those in one group. Ids begin with the person.
    private static (double Precision, double Recall) PairwiseScores(IReadOnlyList<ClusteringGroup> groups, IReadOnlyList<string> ids)
    {
        var cells = groups.SelectMany((group, i) => group.Faces.Select(face => (Group: i, Person: ids[face.Index].Split('-')[0]))).ToList();
        var together = cells.GroupBy(cell => cell).Sum(cell => Pairs(cell.Count()));
        return (
            together / Math.Max(1, cells.GroupBy(cell => cell.Group).Sum(cell => Pairs(cell.Count()))),
            together / Math.Max(1, cells.GroupBy(cell => cell.Person).Sum(cell => Pairs(cell.Count()))));
    }

    private static double Pairs(int count) => count * (count - 1.0) / 2;
}

/// <summary>Not in parallel with other tests, whose memory would be measured.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ClusteringCollection
{
    public const string Name = "clustering alone";
}
