using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Primitives.Numerics;
using Embeddings.Testing;
using Xunit.Abstractions;

namespace Embeddings.Core.Tests.Models;

/// <summary>What the built-in models are for: a varied copy finds its own among others.</summary>
public sealed class RetrievalTests(ITestOutputHelper output)
{
    private static readonly (string Name, Func<Picture, Picture> Apply)[] Variations =
    [
        ("darker", p => p.Light(0.6, 0, 1)),
        ("brighter", p => p.Light(1.25, 15, 0.8)),
        ("crop", p => p.Crop(0.06, 0.04, 0.04, 0.06)),
        ("one side", p => p.Crop(0.1, 0, 0, 0.08)),
        ("small", p => p.Resize(60, 60).Resize(112, 112)),
        ("jpeg", p => p.Jpeg(25)),
        ("all", p => p.Crop(0.03, 0.05, 0.05, 0.02).Light(0.8, 10, 1.1).Jpeg(50)),
    ];

    [Fact]
    public void Drawn_scenes_find_themselves() => Assert.True(RankOne("builtin-image", Enumerable.Range(0, 16).Select(Drawings.Scene)) >= 0.98);

    [Fact]
    public void Drawn_faces_find_themselves() => Assert.True(RankOne("builtin-face", Enumerable.Range(0, 24).Select(Drawings.Face)) >= 0.98);

    [MaterialFact]
    public void Real_photographs_find_themselves()
    {
        var photos = Directory.GetFiles(Material.Path("images", "azure-samples"), "*.jpg", SearchOption.AllDirectories).Order().Take(24).Select(Picture.Read);
        Assert.True(RankOne("builtin-image", photos) >= 0.95);
    }

    [MaterialFact]
    public void Real_faces_find_themselves() =>
        Assert.True(RankOne("builtin-face", Directory.GetFiles(Material.Path("crops"), "*.png").Order().Select(Picture.Read)) >= 0.95);

    private double RankOne(string name, IEnumerable<Picture> pictures)
    {
        using var model = BuiltInModelTests.Load(name);
        using var tensor = model.CreateTensor();
        // The input's size is far below a photograph's: variations of what is left of it are the harder ones.
        var originals = pictures.Select(p => p.Resize(model.Manifest.Input.Width, model.Manifest.Input.Height)).ToArray();
        var stored = originals.Select(p => Embed(model, tensor, p)).ToArray();
        var others = stored.SelectMany((a, i) => stored.Skip(i + 1).Select(b => VectorMath.CosineSimilarity(a, b))).Order().ToArray();
        output.WriteLine($"{name}: different ones: median {others[others.Length / 2]:F3}, highest {others[^1]:F3}");
        var right = 0;
        foreach (var (variation, apply) in Variations)
        {
            var (hits, lowest) = (0, 1f);
            for (var i = 0; i < originals.Length; i++)
            {
                var query = Embed(model, tensor, apply(originals[i]));
                var scores = stored.Select(s => VectorMath.CosineSimilarity(query, s)).ToArray();
                // Some photographs are there twice.
                hits += scores.Where((s, j) => s > scores[i] && VectorMath.CosineSimilarity(stored[i], stored[j]) < 0.98f).Any() ? 0 : 1;
                lowest = Math.Min(lowest, scores[i]);
            }
            output.WriteLine($"  {variation}: {hits}/{originals.Length}, lowest own {lowest:F3}");
            right += hits;
        }
        return (double)right / (originals.Length * Variations.Length);
    }

    private static float[] Embed(IEmbeddingModel model, BatchTensor tensor, Picture picture)
    {
        var input = model.Manifest.Input;
        var rgb = picture.Resize(input.Width, input.Height).Rgb;
        var item = tensor.Item(0);
        var plane = input.Width * input.Height;
        for (var i = 0; i < item.Length; i++)
        {
            item[i] = (rgb[(i % plane * 3) + (i / plane)] - input.Mean[i / plane]) / input.Std[i / plane];
        }
        model.Run(0, tensor, 0, 1);
        model.Finish(tensor.Vector(0));
        return tensor.Vector(0).ToArray();
    }
}
