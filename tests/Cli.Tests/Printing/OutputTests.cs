using System.Text.Json;
using Embeddings.Cli.Printing;
using Embeddings.Tooling.Charts;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;

namespace Embeddings.Cli.Tests.Printing;

public sealed class OutputTests
{
    [Fact]
    public void With_json_there_is_one_object_per_line_and_nothing_else()
    {
        var (output, read) = New(json: true);
        output.Line("for a person");
        output.Table(new TextTable("a"));
        output.Object(JsonFields.Of(Point()), omitNulls: true);
        output.Object(new { LineBreak = "line\nbreak", Absent = (string?)null });
        var result = read();
        Assert.Equal(2, result.Lines.Count);
        var point = result.Objects[0];
        Assert.Equal("job-1-0", point.GetProperty("point_id").GetString());
        Assert.Equal("media ä", point.GetProperty("media_store_id").GetString());
        Assert.Equal(0, point.GetProperty("face_index").GetInt32());
        Assert.Equal(3, point.GetProperty("bbox").GetProperty("width").GetSingle());
        Assert.Equal(0.1f, point.GetProperty("confidence").GetSingle());
        Assert.Equal(6, point.GetProperty("landmarks")[2][1].GetSingle());
        Assert.Equal("v", point.GetProperty("attributes").GetProperty("k").GetString());
        Assert.Equal([0.1f, -3e-8f], point.GetProperty("vector").EnumerateArray().Select(value => value.GetSingle()));
        Assert.False(point.TryGetProperty("rank", out _));
        Assert.Equal("line\nbreak", result.Objects[1].GetProperty("line_break").GetString());
        Assert.Equal(JsonValueKind.Null, result.Objects[1].GetProperty("absent").ValueKind);
    }

    [Fact]
    public void Without_json_there_is_only_text()
    {
        var (output, read) = New(json: false);
        output.Object(new { A = "b" });
        output.Line("for a person");
        Assert.Equal(["for a person"], read().Lines);
    }

    [Fact]
    public void Markup_and_control_characters_in_stored_names_are_text()
    {
        var (output, read) = New(json: false);
        var table = new TextTable("[red]name[/]");
        table.Add("[link=http://example.org]x[/]\u001b[31m");
        output.Table(table);
        Assert.Contains("[link=http://example.org]x[/] [31m", read().Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Notes_go_to_standard_error()
    {
        var (output, read) = New(json: true);
        output.Note("progress");
        Assert.Equal(("", "{\"note\":\"progress\"}"), (read().Output, Assert.Single(read().ErrorLines)));
        (output, read) = New(json: false);
        output.Note("progress");
        Assert.Equal(("", "progress"), (read().Output, Assert.Single(read().ErrorLines)));
    }

    [Fact]
    public void A_piped_table_has_tabs_and_is_not_wrapped()
    {
        var (output, read) = New(json: false);
        output.Table(Wide());
        Assert.Equal($"point\tattributes\njob-1\t{Words}\n", read().Output.ReplaceLineEndings("\n"));
    }

    [Theory]
    [InlineData(20)]
    [InlineData(40)]
    [InlineData(80)]
    [InlineData(2000)]
    public void A_table_on_a_terminal_is_never_broken_within_a_word(int width)
    {
        var (output, read) = New(json: false, width);
        output.Table(Wide());
        var lines = read().Lines;
        Assert.Equal(
            Words.Split(' ').Append("job-1").Order(StringComparer.Ordinal),
            lines.Skip(2).SelectMany(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Order(StringComparer.Ordinal));
        Assert.True(lines.Count > 3 == width < 100);
        Assert.All(lines, line => Assert.True(line.Length <= Math.Max(width, Longest.Length + 12), line));
    }

    [Fact]
    public void The_text_histogram_has_a_bar_for_every_bin_with_a_pair()
    {
        float[] same = [0.62f, 0.72f, 0.73f, 0.99f];
        float[] different = [-0.18f, 0.01f, 0.05f, 0.05f, 0.31f];
        var lines = TextChart.Lines(new CosineHistogram(same, different, 12), 0.46).ToList();
        Assert.Equal(13, lines.Count);
        Assert.Equal(3, lines.Count(line => line.Contains('█', StringComparison.Ordinal)));
        Assert.Equal(3, lines.Count(line => line.Contains('░', StringComparison.Ordinal)));
        Assert.Contains("threshold 0.460", Assert.Single(lines, line => line.Contains("<-", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    private static VectorPoint Point() => new()
    {
        PointId = "job-1-0",
        Vector = { 0.1f, -3e-8f },
        Payload = new Payload
        {
            JobId = "job-1",
            MediaStoreId = "media ä",
            FaceIndex = 0,
            Bbox = new BoundingBox { X = 1, Y = 2, Width = 3, Height = 4 },
            Confidence = 0.1f,
            Landmarks = FacePoints.From([.. Enumerable.Range(0, 5).Select(i => new Point { X = (2 * i) + 1, Y = (2 * i) + 2 })]),
            Attributes = new Struct { Fields = { ["k"] = Value.ForString("v") } },
        },
    };

    private static readonly string Longest = new('x', 30);

    private static readonly string Words = string.Join(' ', Enumerable.Range(100, 30).Select(i => $"key{i}={i}").Append(Longest));

    private static TextTable Wide()
    {
        var table = new TextTable("point", "attributes");
        table.Add("job-1", Words);
        return table;
    }

    private static (Output Output, Func<CommandResult> Read) New(bool json, int? width = null)
    {
        var (stdout, stderr) = (new StringWriter(), new StringWriter());
        return (new Output(stdout, stderr, json, width), () => new CommandResult(0, stdout.ToString(), stderr.ToString()));
    }
}
