using System.Text.RegularExpressions;
using Embeddings.Cli.Hosting;

namespace Embeddings.Cli.Tests.EndToEnd;

/// <summary>From a folder of photographs to named people, with the default models.</summary>
public sealed class PhotosTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private LocalServer? _server;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
        _folder.Dispose();
    }

    [TrainedModelsFact(NeedsMaterial = true)]
    public async Task A_folder_of_photos_becomes_people_who_are_named_and_recognized()
    {
        var photos = Material.Path("faces");
        var total = Directory.GetFiles(photos, "*.jpg").Length;
        var ingested = await RunAsync("ingest", photos, "--kind", "photo");
        Assert.Equal((ExitCode.Done, ""), (ingested.ExitCode, string.Concat(ingested.ErrorLines.Where(line => line.Contains("failed:")))));
        Assert.StartsWith($"{total} photos stored, 0 skipped, 0 failed in ", ingested.Lines[^1], StringComparison.Ordinal);
        var faces = int.Parse(ingested.Lines[0].Split(' ')[0]);
        Assert.InRange(faces, total, total + 3);

        // The persons are those before __ in the names of the files.
        var found = (await RunAsync("people", "--apply", "--json")).Objects;
        var groups = found.Where(line => line.TryGetProperty("faces", out _))
            .Select(line => line.GetProperty("faces").EnumerateArray().Select(face => face.GetProperty("point_id").GetString()!).ToList())
            .ToList();
        var pairs = groups.SelectMany(ids => ids.SelectMany((a, i) => ids.Skip(i + 1).Select(b => (a, b)))).ToList();
        Assert.All(pairs, pair => Assert.Equal(PersonOf(pair.a), PersonOf(pair.b)));
        var same = Directory.GetFiles(photos, "*.jpg").CountBy(file => PersonOf(Path.GetFileName(file))).Sum(person => person.Value * (person.Value - 1) / 2);
        Assert.InRange(pairs.Count / (double)same, 0.95, 1);

        // Name a person by the group of one of its faces.
        var listed = await RunAsync("people", "list", "--json");
        var change = found[^1].GetProperty("summary").GetProperty("change_id").GetString()!;
        Assert.NotEmpty(change);
        var person = found.First(line => line.TryGetProperty("faces", out var members)
            && members.EnumerateArray().Any(face => face.GetProperty("point_id").GetString() == "obama__obama1.jpg-0")).GetProperty("person").GetString()!;
        Assert.Contains(listed.Objects, line => line.TryGetProperty("name", out var name) && name.GetString() == person);
        var renamed = await RunAsync("people", "merge", person, "--into", "Barack");
        Assert.Equal(ExitCode.Done, renamed.ExitCode);

        var identified = Assert.Single((await RunAsync("identify", Path.Combine(photos, "obama__obama2.jpg"), "--json")).Objects);
        Assert.Equal("Barack", identified.GetProperty("faces")[0].GetProperty("person").GetString());

        var drawn = _folder.File("drawn.jpg");
        var detected = Assert.Single((await RunAsync("detect", Path.Combine(photos, "obama__obama2.jpg"), "--draw", drawn, "--json")).Objects);
        Assert.Equal("Barack", detected.GetProperty("persons")[0].GetProperty("person").GetString());
        Assert.True(new FileInfo(drawn).Length > 1_000);

        var report = _folder.File("people.html");
        Assert.Equal(ExitCode.Done, (await RunAsync("people", "--report", report)).ExitCode);
        var page = await File.ReadAllTextAsync(report);
        Assert.Equal(faces, Regex.Count(page, "src=\"data:image/jpeg;base64,"));
        Assert.Contains("Barack", page, StringComparison.Ordinal);

        var resumed = await RunAsync("ingest", photos, "--kind", "photo", "--resume");
        Assert.StartsWith($"0 photos stored, {total} skipped", resumed.Lines[^1], StringComparison.Ordinal);

        // The grouping is undone for the faces whose person was not changed since.
        var undone = Assert.Single((await RunAsync("people", "undo", change, "--json")).Objects);
        var left = (await RunAsync("people", "list", "--json")).Objects;
        Assert.Equal(undone.GetProperty("restored_count").GetInt64(), left[^1].GetProperty("summary").GetProperty("unnamed_count").GetInt64());
        Assert.Equal("Barack", Assert.Single(left, line => line.TryGetProperty("name", out _)).GetProperty("name").GetString());
    }

    [TrainedModelsFact(NeedsMaterial = true)]
    public async Task Photos_in_folders_of_their_persons_are_named_and_compared()
    {
        foreach (var name in new[] { "biden__biden.jpg", "biden__biden2.jpg", "obama__obama1.jpg" })
        {
            var target = _folder.File($"in/{PersonOf(name)}/{name}");
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(Material.Path("faces", name), target);
        }
        _folder.Write("in/nobody.png", TestImages.Png(1));
        var ingested = await RunAsync("ingest", _folder.File("in"), "--kind", "photo", "--person-from-folder", "--attribute", "year=2024");
        Assert.StartsWith("3 faces stored", ingested.Lines[0], StringComparison.Ordinal);
        Assert.EndsWith(", 1 photo without a face", ingested.Lines[0], StringComparison.Ordinal);
        var listed = await RunAsync("people", "list");
        Assert.Equal("2 persons, no face without a name", listed.Lines[^1]);
        Assert.Equal("3", Assert.Single((await RunAsync("count", "--kind", "face", "--attribute", "year=2024")).Lines));

        var same = await RunAsync("compare", Material.Path("faces", "obama__obama3.jpg"), Material.Path("faces", "obama__obama2.jpg"));
        Assert.EndsWith(" same", same.Lines[3], StringComparison.Ordinal);
        var different = await RunAsync("compare", Material.Path("faces", "obama__obama2.jpg"), Material.Path("faces", "biden__biden.jpg"));
        Assert.EndsWith(" different", different.Lines[3], StringComparison.Ordinal);

        var asFaces = await RunAsync("ingest", _folder.File("in"), "--kind", "face", "-c", "crops", "--failed", _folder.File("failed.jsonl"));
        Assert.Equal(ExitCode.SomeItemsFailed, asFaces.ExitCode);
        Assert.Equal(4, asFaces.ErrorLines.Count(line =>
            line.Contains("FACE_NOT_CROPPED", StringComparison.Ordinal) && line.Contains("--kind photo", StringComparison.Ordinal)));
    }

    private static string PersonOf(string name) => name[..name.IndexOf("__", StringComparison.Ordinal)];

    private async Task<CommandResult> RunAsync(params string[] arguments)
    {
        _server ??= await LocalServer.StartAsync(
            ["--Server:GrpcPort=0", "--Server:HttpPort=-1", $"--Store:Embedded:Directory={_folder.File("data")}"], quiet: true, default);
        return await CommandResult.RunAsync([.. arguments, "--address", _server.Address]);
    }
}
