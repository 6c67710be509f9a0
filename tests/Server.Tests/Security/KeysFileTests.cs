using System.Text;
using Embeddings.Server.Security;
using Embeddings.Testing;

namespace Embeddings.Server.Tests.Security;

public sealed class KeysFileTests
{
    private const string Digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    [Fact]
    public void All_properties_are_read_and_written()
    {
        using var folder = new TempFolder();
        var path = folder.Write("keys.json", $$"""
            { "keys": [
              { "name": "pipeline", "sha256": "{{Digest.ToUpperInvariant()}}", "access": "write", "collections": ["team-a-*", "b?"], "expires": "2027-01-01T02:00:00+02:00",
                "limits": { "concurrent_streams": 16, "items_per_second": 0.5, "bytes_per_second": 100000000, "points": 1000000 } },
              { "name": "worker-1", "subject": "O=Example,CN=worker-1", "access": "read" } ] }
            """);
        var keys = KeysFile.Read(path);
        KeysFile.Write(path, keys);
        foreach (var read in (IReadOnlyList<AccessKey>[])[keys, KeysFile.Read(path)])
        {
            Assert.Equal(2, read.Count);
            Assert.Equal(("pipeline", Digest, Access.Write), (read[0].Name, Convert.ToHexStringLower(read[0].Digest!), read[0].Access));
            Assert.Equal(["team-a-*", "b?"], read[0].Collections);
            Assert.Equal(new DateTimeOffset(2027, 1, 1, 0, 0, 0, TimeSpan.Zero), read[0].Expires);
            Assert.Equal(new CallerLimits(16, 0.5, 100_000_000, 1_000_000), read[0].Limits);
            Assert.Equal(("worker-1", "O=Example, CN=worker-1", Access.Read), (read[1].Name, read[1].Subject, read[1].Access));
            Assert.Equal(["*"], read[1].Collections);
            Assert.Equal((null, CallerLimits.None), (read[1].Expires, read[1].Limits));
            Assert.Equal(("pipeline", Access.Write), (read[0].Caller.Name, read[0].Caller.Access));
        }
    }

    [Theory]
    [InlineData("[]", "keys.json must be a JSON object with the list 'keys'.")]
    [InlineData("{ \"keys\": {} }", "keys.json must be a JSON object with the list 'keys'.")]
    [InlineData("{ \"keys\": [ ", "keys.json is not valid JSON: line 1, byte 13.")]
    [InlineData("{ \"keys\": [], \"kyes\": [] }", "keys.json: 'kyes' is not a known property; the only one is 'keys'.")]
    [InlineData("{ \"keys\": [], \"keys\": [] }", "keys.json is not valid JSON: ")]
    [InlineData("{ \"keys\": [ 1 ] }", "keys.json: keys[0]: must be a JSON object.")]
    public void A_bad_file_is_named(string json, string message) => AssertError(json, message);

    [Theory]
    [InlineData("\"access\": \"read\"", "keys[0] 'a': exactly one of sha256 and subject is required.")]
    [InlineData("\"access\": \"read\", \"sha256\": \"D\", \"subject\": \"CN=a\"", "keys[0] 'a': exactly one of sha256 and subject is required.")]
    [InlineData("\"sha256\": \"D\"", "keys[0] 'a': access is required: read, write, or manage.")]
    [InlineData("\"sha256\": \"D\", \"access\": \"admin\"", "keys[0] 'a': access must be read, write, or manage; got 'admin'.")]
    [InlineData("\"sha256\": \"D\", \"access\": 1", "keys[0] 'a': access must be a string.")]
    [InlineData("\"sha256\": \"D\", \"access\": \"read\", \"role\": 1", "keys[0] 'a': 'role' is not a known property; they are name, sha256, subject, access, collections, expires, limits.")]
    [InlineData("\"sha256\": \"emb_0123\", \"access\": \"read\"", "keys[0] 'a': sha256 must be the SHA-256 of the key as 64 hexadecimal digits; got 8 characters.")]
    [InlineData("\"subject\": \"nobody\", \"access\": \"read\"", "keys[0] 'a': subject must be a distinguished name such as 'CN=worker-1, O=Example'; got 'nobody'.")]
    [InlineData("\"sha256\": \"D\", \"access\": \"read\", \"collections\": [\"a/b\"]", "keys[0] 'a': collections must have 1 to 128 characters from those of collection names, '*', and '?'; got 'a/b'.")]
    [InlineData("\"sha256\": \"D\", \"access\": \"read\", \"collections\": []", "keys[0] 'a': collections must have 1 to 100 elements; got 0.")]
    [InlineData("\"sha256\": \"D\", \"access\": \"read\", \"collections\": \"*\"", "keys[0] 'a': collections must be a list of strings.")]
    [InlineData("\"sha256\": \"D\", \"access\": \"read\", \"expires\": \"tomorrow\"", "keys[0] 'a': expires must be a time such as 2027-01-01T00:00:00Z; got 'tomorrow'.")]
    [InlineData("\"sha256\": \"D\", \"access\": \"read\", \"limits\": { \"points\": 1.5 }", "keys[0] 'a': limits.points must be a whole number between 0 and 1000000000000000; got 1.5.")]
    [InlineData("\"sha256\": \"D\", \"access\": \"read\", \"limits\": { \"items\": 1 }", "keys[0] 'a': 'limits.items' is not a known property; they are concurrent_streams, items_per_second, bytes_per_second, points.")]
    public void A_bad_entry_is_named_with_its_value(string properties, string message) => AssertError(
        $"{{ \"keys\": [ {{ \"name\": \"a\", {properties.Replace("\"D\"", $"\"{Digest}\"", StringComparison.Ordinal)} }} ] }}",
        $"keys.json: {message}");

    [Theory]
    [InlineData("a", "sha256", "b", "sha256", "keys.json: sha256 must be unique; '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef' is in the entries 'a', 'b'.")]
    [InlineData("a", "sha256", "a", "subject", "keys.json: name must be unique; 'a' is in the entries 'a', 'a'.")]
    [InlineData("a", "subject", "b", "subject", "keys.json: subject must be unique; 'CN=x' is in the entries 'a', 'b'.")]
    [InlineData("a:b", "subject", "b", "sha256", "keys.json: keys[0] 'a:b': name must have 1 to 128 characters")]
    public void Entries_are_distinct(string first, string firstBy, string second, string secondBy, string message)
    {
        string Entry(string name, string by) => $"{{ \"name\": \"{name}\", \"{by}\": \"{(by == "subject" ? "CN=x" : Digest)}\", \"access\": \"read\" }}";
        AssertError($"{{ \"keys\": [ {Entry(first, firstBy)}, {Entry(second, secondBy)} ] }}", message);
    }

    [Fact]
    public void A_missing_file_is_named()
    {
        using var folder = new TempFolder();
        var path = folder.File("none.json");
        Assert.Equal($"{path} does not exist.", Assert.Throws<SecurityFileException>(() => KeysFile.Read(path)).Message);
    }

    [Fact]
    public void A_file_is_replaced_at_once_and_for_its_owner_only()
    {
        using var folder = new TempFolder();
        var path = folder.File("keys.json");
        Parallel.For(0, 20, i =>
        {
            while (true)
            {
                try
                {
                    KeysFile.Change(path, keys => [.. keys, Key($"k{i}")]);
                    return;
                }
                catch (SecurityFileException e) when (e.Message.Contains("cannot be changed", StringComparison.Ordinal))
                {
                    // Another change holds the lock.
                }
            }
        });
        Assert.Equal(20, KeysFile.Read(path).Count);
        Assert.Equal([path], Directory.GetFiles(folder.Path));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        }
    }

    [Fact]
    public void Keys_have_256_random_bits()
    {
        var keys = Enumerable.Range(0, 1000).Select(_ => AccessKey.NewKey()).ToList();
        Assert.Equal(keys.Count, keys.Distinct().Count());
        Assert.All(keys, key => Assert.Matches("^emb_[A-Za-z0-9_-]{43}$", key));
        Assert.All(keys, key => Assert.Equal(32, System.Buffers.Text.Base64Url.DecodeFromChars(key.AsSpan(4)).Length));
    }

    internal static AccessKey Key(string name, DateTimeOffset? expires = null, params string[] collections) => new(
        name, AccessKey.DigestOf(name), null, Access.Write, collections is [] ? ["*"] : collections, expires, CallerLimits.None);

    private static void AssertError(string json, string message)
    {
        var error = Assert.Throws<SecurityFileException>(() => KeysFile.Parse(Encoding.UTF8.GetBytes(json), "keys.json"));
        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
    }
}
