using Embeddings.V1;

namespace Embeddings.Cli.Ingesting;

/// <summary>Something to ingest, or the reason why it cannot be.</summary>
internal sealed record IngestItem
{
    private IngestItem()
    {
    }

    /// <summary>Its line in the manifest, or its place among the folder's files; from 1.</summary>
    public long Number { get; private init; }

    /// <summary>What is known of it; null where its line is malformed.</summary>
    public ManifestLine? Line { get; private init; }

    /// <summary>The picture's file, absolute; empty where the line is malformed.</summary>
    public string File { get; private init; } = "";

    /// <summary>What is wrong with its line; null where nothing is.</summary>
    public ItemError? Error { get; private init; }

    /// <summary>The malformed line's beginning; empty where it is not malformed.</summary>
    public string Text { get; private init; } = "";

    public static IngestItem Good(long number, ManifestLine line, string file) => new() { Number = number, Line = line, File = file };

    public static IngestItem Malformed(long number, ItemError error, string text) => new() { Number = number, Error = error, Text = text };
}
