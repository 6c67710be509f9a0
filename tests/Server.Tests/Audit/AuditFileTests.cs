using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Embeddings.Primitives.Auditing;
using Embeddings.Server.Audit;
using Embeddings.Testing;

namespace Embeddings.Server.Tests.Audit;

/// <summary>The files of the audit log, and what a verification finds in them.</summary>
public sealed class AuditFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private string Log => _folder.File("audit.jsonl");

    private IReadOnlyList<string> Files => [.. Directory.GetFiles(_folder.Path, "*.jsonl").Order(StringComparer.Ordinal)];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_hash_of_a_line_is_the_SHA_256_of_the_previous_hash_and_the_line()
    {
        Write(2);
        var lines = File.ReadAllLines(Log);
        Assert.Equal(3, lines.Length);
        var previous = new byte[32];
        foreach (var line in lines)
        {
            var json = JsonDocument.Parse(line).RootElement;
            Assert.Equal(Convert.ToHexStringLower(previous), json.GetProperty("prev").GetString());
            var body = line[..line.IndexOf(",\"hash\":", StringComparison.Ordinal)];
            previous = SHA256.HashData([.. previous, .. Encoding.UTF8.GetBytes(body)]);
            Assert.Equal(Convert.ToHexStringLower(previous), json.GetProperty("hash").GetString());
        }
        Assert.Equal($"{3:D19} {Convert.ToHexStringLower(previous)}\n", File.ReadAllText(Log + ".head"));
    }

    [Fact]
    public void The_digest_is_the_SHA_256_of_lengths_and_ids()
    {
        var expected = SHA256.HashData([0, 0, 0, 1, (byte)'a', 0, 0, 0, 3, .. "bü"u8]);
        Assert.Equal(Convert.ToHexStringLower(expected), AuditDigest.Of(["a", "bü"]));
        Assert.NotEqual(AuditDigest.Of(["ab"]), AuditDigest.Of(["a", "b"]));
    }

    [Fact]
    public void The_chain_continues_over_restarts_and_files()
    {
        for (var run = 0; run < 3; run++)
        {
            Write(400);
        }
        Assert.True(Files.Count >= 3);
        var report = Verify();
        Assert.True(report.IsIntact, string.Join("\n", report.Problems));
        Assert.Empty(report.Notes);
        Assert.Equal((1203, 1, 1203), (report.Lines, report.First, report.Last));
        Assert.True(AuditVerifier.Verify([.. Files.Reverse()], null, report.Hash, default).IsIntact);
    }

    [Fact]
    public void Old_files_are_deleted()
    {
        Write(2000, maxFiles: 3);
        Assert.Equal(3, Files.Count);
        var report = Verify();
        Assert.True(report.IsIntact);
        Assert.Contains("earlier files were not given", Assert.Single(report.Notes).What);

        foreach (var file in Files.Where(file => file != Log))
        {
            File.SetLastWriteTimeUtc(file, new DateTime(2001, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        }
        Write(1, maxAgeDays: 30);
        Assert.Equal(Log, Assert.Single(Files));
    }

    [Theory]
    [InlineData("changed", 5)]
    [InlineData("changed and hashed again", 6)]
    [InlineData("removed", 5)]
    [InlineData("several removed", 5)]
    [InlineData("reordered", 5)]
    [InlineData("inserted", 7)]
    [InlineData("repeated", 6)]
    [InlineData("cut", 10)]
    [InlineData("not JSON", 5)]
    public void A_verification_finds_and_names_the_line(string change, int expectedLine)
    {
        Write(9);
        var lines = File.ReadAllLines(Log).ToList();
        Assert.Equal(10, lines.Count);
        switch (change)
        {
            case "changed":
                lines[4] = lines[4].Replace("caller-3", "caller-X", StringComparison.Ordinal);
                break;
            case "changed and hashed again":
                lines[4] = Hashed(lines[4].Replace("caller-3", "caller-X", StringComparison.Ordinal));
                break;
            case "removed":
                lines.RemoveAt(4);
                break;
            case "several removed":
                lines.RemoveRange(4, 3);
                break;
            case "reordered":
                (lines[4], lines[5]) = (lines[5], lines[4]);
                break;
            case "inserted":
                lines.Insert(5, Hashed(lines[5].Replace("caller-4", "caller-X", StringComparison.Ordinal)));
                break;
            case "repeated":
                lines.Insert(5, lines[4]);
                break;
            case "not JSON":
                lines[4] = "x" + lines[4];
                break;
        }
        var text = string.Concat(lines.Select(line => $"{line}\n"));
        File.WriteAllText(Log, change == "cut" ? text[..^9] : text);
        var report = Verify();
        Assert.False(report.IsIntact);
        Assert.Equal((Log, expectedLine), (report.Problems[0].File, (int)report.Problems[0].Line));
    }

    [Fact]
    public void Lines_that_are_missing_at_the_end_are_found_with_the_head_file_or_an_expected_hash()
    {
        Write(9);
        var hash = Verify().Hash;
        File.WriteAllLines(Log, File.ReadAllLines(Log)[..7]);
        Assert.Contains("lines at the end are missing", Assert.Single(Verify().Problems).What);

        // Somebody who removes lines can change the head file as well, but not a hash that is kept elsewhere.
        File.Delete(Log + ".head");
        Assert.True(Verify().IsIntact);
        Assert.Contains(hash, Assert.Single(AuditVerifier.Verify(Files, null, hash, default).Problems).What);
    }

    [Fact]
    public void A_missing_file_is_found()
    {
        Write(2000);
        var files = Files;
        Assert.True(files.Count > 3);
        var report = AuditVerifier.Verify([.. files.Where(file => file != files[1])], null, null, default);
        Assert.Equal(files[2], Assert.Single(report.Problems).File);
    }

    [Fact]
    public void With_a_key_a_chain_that_was_hashed_again_does_not_verify()
    {
        var key = _folder.File("key");
        File.WriteAllText(key, $"{Convert.ToBase64String(RandomNumberGenerator.GetBytes(32))}\n");
        Write(9, keyFile: key);
        Assert.True(Verify(key).IsIntact);
        Assert.False(Verify().IsIntact);

        // All lines hashed again, as anybody can without a key.
        var previous = AuditChain.Start;
        var lines = new List<string>();
        foreach (var line in File.ReadAllLines(Log))
        {
            (var bytes, previous) = new AuditChain(null).Seal(
                Encoding.UTF8.GetBytes(line[..line.IndexOf(",\"prev\":", StringComparison.Ordinal)]), previous);
            lines.Add(Encoding.UTF8.GetString(bytes));
        }
        File.WriteAllText(Log, string.Concat(lines));
        File.Delete(Log + ".head");
        Assert.True(Verify().IsIntact);
        Assert.False(Verify(key).IsIntact);
        var error = Assert.Throws<InvalidDataException>(() => Write(1, keyFile: key));
        Assert.Contains("does not verify", error.Message);

        File.WriteAllText(key, "short");
        Assert.Contains("at least 32 bytes; got 5", Assert.Throws<InvalidDataException>(() => Write(1, keyFile: key)).Message);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(9)]
    public void A_line_that_was_cut_by_a_kill_is_reported_and_the_chain_continues(int lines)
    {
        Write(lines);
        File.AppendAllText(Log, "{\"seq\":11,\"ti");
        using (var file = Open())
        {
            Assert.Equal((13, 0), file.Recovery);
        }
        var report = Verify();
        Assert.True(report.IsIntact, string.Join("\n", report.Problems));
        Assert.Contains("13 bytes of an incomplete line were cut off", Assert.Single(report.Notes).What);
        Assert.Equal(lines + 3, report.Last);
    }

    [Fact]
    public void Lines_that_a_power_failure_took_are_reported()
    {
        Write(9);
        File.WriteAllLines(Log, File.ReadAllLines(Log)[..7]);
        using (var file = Open())
        {
            Assert.Equal((0, 3), file.Recovery);
        }
        var report = Verify();
        Assert.True(report.IsIntact, string.Join("\n", report.Problems));
        Assert.Contains("3 lines of the head file are missing", Assert.Single(report.Notes).What);
    }

    [Fact]
    public void A_rotation_that_was_interrupted_continues_the_chain()
    {
        Write(9);
        File.Move(Log, _folder.File("audit-000000000010.jsonl"));
        Write(9);
        var report = Verify();
        Assert.True(report.IsIntact, string.Join("\n", report.Problems));
        Assert.Equal(20, report.Last);
    }

    [Fact]
    public void Only_the_owner_can_read_the_files()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("Windows has no file modes");
            return;
        }
        Write(1);
        const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        Assert.Equal((Owner, Owner), (File.GetUnixFileMode(Log), File.GetUnixFileMode(Log + ".head")));
    }

    private static string Hashed(string line)
    {
        var previous = AuditChain.Hashes(Encoding.UTF8.GetBytes(line))!.Value.Previous;
        var body = line[..line.IndexOf(",\"prev\":", StringComparison.Ordinal)];
        return Encoding.UTF8.GetString(new AuditChain(null).Seal(Encoding.UTF8.GetBytes(body), previous).Line).TrimEnd('\n');
    }

    private AuditReport Verify(string? key = null) =>
        AuditVerifier.Verify(Files, key is null ? null : AuditChain.ReadKey(key), null, default);

    private AuditFile Open(string keyFile = "", int maxFiles = 0, int maxAgeDays = 0) => new(
        new() { File = Log, MaxFileBytes = 65_536, MaxFiles = maxFiles, MaxAgeDays = maxAgeDays, KeyFile = keyFile }, TimeProvider.System);

    private void Write(int lines, string keyFile = "", int maxFiles = 0, int maxAgeDays = 0)
    {
        using var file = Open(keyFile, maxFiles, maxAgeDays);
        for (var i = 0; i < lines; i++)
        {
            file.Append([new("call", DateTimeOffset.UnixEpoch) { Caller = $"caller-{i}", Method = "/a/B", Collections = ["c"], Ids = 1, Status = "OK" }]);
        }
        file.Sync();
    }
}
