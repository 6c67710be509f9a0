using System.Reflection;
using System.Security.Cryptography;
using Embeddings.Primitives;
using Embeddings.Server.Security;
using Embeddings.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Embeddings.Server.Tests.Security;

public sealed class KeyRingTests
{
    [Theory]
    [InlineData("*", "anything", true)]
    [InlineData("team-a-*", "team-a-", true)]
    [InlineData("team-a-*", "team-a-1", true)]
    [InlineData("team-a-*", "team-b-1", false)]
    [InlineData("team-a-*", "team-a", false)]
    [InlineData("team-a-*", "Team-a-1", false)]
    [InlineData("a?", "ab", true)]
    [InlineData("a?", "a", false)]
    [InlineData("a?", "abc", false)]
    [InlineData("*.old", "x.old", true)]
    [InlineData("*.old", "xold", false)]
    [InlineData("a*b*c", "a1b2c", true)]
    [InlineData("a*b*c", "a1c2b", false)]
    [InlineData("a.b", "aXb", false)]
    public void Globs_match_as_documented(string glob, string collection, bool matches)
    {
        Assert.True(CollectionGlob.IsValid(glob));
        Assert.Equal(matches, CollectionGlob.Matches(glob, collection));
        Assert.Equal(matches, new Caller("a", Access.Read, ["none", glob], CallerLimits.None).Covers(collection));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("a/b")]
    [InlineData("a\\*")]
    [InlineData("ä")]
    [InlineData("[ab]")]
    public void Other_characters_are_no_globs(string glob) => Assert.False(CollectionGlob.IsValid(glob));

    [Fact]
    public void Keys_and_subjects_are_found()
    {
        var keys = new KeySet([KeysFileTests.Key("a"), KeysFileTests.Key("b"), Certificate("CN=w, O=E")]);
        Assert.Equal("b", keys.Find(AccessKey.DigestOf("b"))?.Name);
        Assert.Null(keys.Find(AccessKey.DigestOf("c")));
        Assert.Null(keys.Find([]));
        Assert.Equal("certificate", keys.Find(AccessKey.Normalize("CN=w,O=E")!)?.Name);
        Assert.Null(keys.Find("CN=other"));
    }

    /// <summary>Digests are compared by the library's comparison in constant time, and by no other.</summary>
    [Fact]
    public void Digests_are_compared_in_constant_time()
    {
        var find = typeof(KeySet).GetMethod(nameof(KeySet.Find), [typeof(ReadOnlySpan<byte>)])!;
        var called = Calls(find).ToList();
        Assert.Contains(called, method => method.DeclaringType == typeof(CryptographicOperations) && method.Name == nameof(CryptographicOperations.FixedTimeEquals));
        Assert.DoesNotContain(called, method => method.Name is "SequenceEqual" or "Equals" or "op_Equality" or "SequenceCompareTo");
    }

    [Fact]
    public void A_session_follows_its_key()
    {
        using var folder = new TempFolder();
        var time = new FakeTimeProvider();
        var path = folder.File("keys.json");
        KeysFile.Write(path, [KeysFileTests.Key("a", time.GetUtcNow().AddMinutes(10))]);
        var ring = new KeyRing(new() { KeysFile = path });
        var key = ring.Current.Find(AccessKey.DigestOf("a"))!;
        var session = new KeySession(ring, ring.Current, key, time);
        Assert.Same(key.Caller, session.Renew());

        // An equal file changes nothing.
        var before = ring.Current;
        KeysFile.Write(path, [KeysFileTests.Key("a", time.GetUtcNow().AddMinutes(10))]);
        ring.Refresh(NullLogger.Instance);
        Assert.Same(before, ring.Current);

        KeysFile.Write(path, [KeysFileTests.Key("a", time.GetUtcNow().AddMinutes(5), "x-*"), KeysFileTests.Key("b")]);
        ring.Refresh(NullLogger.Instance);
        Assert.Equal(["x-*"], session.Renew().Collections);
        time.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal(Reasons.KeyExpired, Assert.Throws<Fault>(session.Renew).Reason);

        KeysFile.Write(path, [KeysFileTests.Key("b")]);
        ring.Refresh(NullLogger.Instance);
        Assert.Equal(Reasons.KeyInvalid, Assert.Throws<Fault>(session.Renew).Reason);
    }

    [Fact]
    public async Task A_broken_file_is_refused_once_and_the_keys_stay()
    {
        using var folder = new TempFolder();
        var path = folder.File("keys.json");
        KeysFile.Write(path, [KeysFileTests.Key("a")]);
        var ring = new KeyRing(new() { KeysFile = path });
        var log = new LogEvents();
        foreach (var content in (string[])["{", "{", "{ \"keys\": 1 }"])
        {
            folder.Write("keys.json", content);
            ring.Refresh(log.Of<KeyRing>());
        }
        File.Delete(path);
        ring.Refresh(log.Of<KeyRing>());
        Assert.NotNull(ring.Current.Find(AccessKey.DigestOf("a")));
        await log.WaitAsync("SecurityFileRefused", "is not valid JSON");
        await log.WaitAsync("SecurityFileRefused", "with the list 'keys'");
        await log.WaitAsync("SecurityFileRefused", "does not exist");
        KeysFile.Write(path, [KeysFileTests.Key("b")]);
        ring.Refresh(log.Of<KeyRing>());
        await log.WaitAsync("SecurityFileLoaded", path);
        Assert.Null(ring.Current.Find(AccessKey.DigestOf("a")));
    }

    [Theory]
    [InlineData("{}", "must have at least one key for signatures.")]
    [InlineData("nonsense", "must be a JSON Web Key Set: a JSON object with the list 'keys'.")]
    [InlineData("{ \"keys\": [ { \"kty\": \"oct\", \"kid\": \"s\", \"k\": \"AAAA\" } ] }", "must have only public keys of the kinds RSA and EC; key 's' is 'oct'.")]
    [InlineData("{ \"keys\": [ { \"kty\": \"EC\", \"kid\": \"p\", \"crv\": \"P-256\", \"x\": \"AAAA\", \"y\": \"AAAA\", \"d\": \"AAAA\" } ] }", "must have only public keys of the kinds RSA and EC; key 'p' is private.")]
    public void Keys_of_an_issuer_are_public_ones(string json, string message) =>
        Assert.Equal($"jwks.json {message}", Assert.Throws<SecurityFileException>(() => JwksFile.Parse(json, "jwks.json")).Message);

    [Theory]
    [InlineData("a", "", "", "", "", "Security:Jwt:Audience is required with Security:Jwt:Issuer: otherwise, tokens for other services would be accepted.")]
    [InlineData("a", "b", "", "", "", "Exactly one of Security:Jwt:JwksFile, Security:Jwt:JwksAddress, and Security:Jwt:Authority is required; got 0.")]
    [InlineData("a", "b", "f", "https://x", "", "Exactly one of Security:Jwt:JwksFile, Security:Jwt:JwksAddress, and Security:Jwt:Authority is required; got 2.")]
    [InlineData("a", "b", "", "http://x", "", "Security:Jwt:JwksAddress must be an https:// URL, or an http:// URL of this machine; got 'http://x'.")]
    [InlineData("a", "b", "", "", "x", "Security:Jwt:Authority must be an https:// URL, or an http:// URL of this machine; got 'x'.")]
    [InlineData("", "b", "", "", "", "Security:Jwt:Issuer must be set, too, to accept tokens.")]
    [InlineData("", "", "", "", "", null)]
    [InlineData("a", "b", "f", "", "", null)]
    [InlineData("a", "b", "", "https://x/keys", "", null)]
    [InlineData("a", "b", "", "", "http://127.0.0.1:5000", null)]
    public void Settings_of_tokens_are_complete(string issuer, string audience, string file, string address, string authority, string? message)
    {
        var options = new JwtOptions { Issuer = issuer, Audience = audience, JwksFile = file, JwksAddress = address, Authority = authority };
        Assert.Equal(message, new JwtOptions.Validator().Validate(null, options).FailureMessage);
    }

    private static AccessKey Certificate(string subject) =>
        new("certificate", null, AccessKey.Normalize(subject), Access.Read, ["*"], null, CallerLimits.None);

    private static IEnumerable<MethodBase> Calls(MethodInfo method)
    {
        var code = method.GetMethodBody()!.GetILAsByteArray()!;
        for (var i = 0; i + 4 < code.Length; i++)
        {
            // call, callvirt
            if (code[i] is 0x28 or 0x6F)
            {
                MethodBase? called = null;
                try
                {
                    called = method.Module.ResolveMethod(BitConverter.ToInt32(code, i + 1));
                }
                catch (ArgumentException)
                {
                    // Not an instruction, but a part of another one.
                }
                if (called is not null)
                {
                    yield return called;
                }
            }
        }
    }
}
