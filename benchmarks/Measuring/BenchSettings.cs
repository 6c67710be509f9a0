namespace Embeddings.Benchmarks.Measuring;

/// <summary>Extent and output of a run.</summary>
internal sealed record BenchSettings
{
    /// <summary>True for small counts.</summary>
    public required bool Quick { get; init; }

    /// <summary>The folder of models, stores and results.</summary>
    public required string Directory { get; init; }

    /// <summary>The number of pairs.</summary>
    public int Pairs => Quick ? 7 : 15;

    /// <summary>The approximate duration of one turn of a pair.</summary>
    public TimeSpan Turn => Quick ? TimeSpan.FromSeconds(0.2) : TimeSpan.FromSeconds(1.5);

    private string ScratchFolder => Path.Combine(Directory, "scratch");

    /// <summary>One of two counts.</summary>
    public int Count(int full, int quick) => Quick ? quick : full;

    /// <summary>A folder of its own, empty.</summary>
    public string Scratch(string name)
    {
        var path = Path.Combine(ScratchFolder, name);
        if (System.IO.Directory.Exists(path))
        {
            System.IO.Directory.Delete(path, recursive: true);
        }
        System.IO.Directory.CreateDirectory(path);
        return path;
    }

    /// <summary>Deletes all of them.</summary>
    public void Clear()
    {
        if (System.IO.Directory.Exists(ScratchFolder))
        {
            System.IO.Directory.Delete(ScratchFolder, recursive: true);
        }
    }
}
