using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Security.Cryptography;
using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Server.Security;
using Embeddings.V1;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Routing;
using Microsoft.IdentityModel.Tokens;

namespace Embeddings.IntegrationTests.Security;

/// <summary>Every method with every kind of credentials, on both stores.</summary>
public sealed class AccessMatrixTests
{
    private const string Worker = "CN=worker-1, O=Example";

    public static TheoryData<string> Stores => ["embedded", "real Qdrant"];

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Every_method_answers_every_caller_as_expected(string store)
    {
        await using var server = await new AccessServer()
            .With("reader", "read")
            .With("writer", "write")
            .With("manager", "manage")
            .With("mine", "manage", ["mine-*", "nothing-else"])
            .With("others", "manage", ["other-*", "mine-2", "mine"])
            .With("expired", "manage", expires: "2020-01-01T00:00:00Z")
            .WithSubject("worker", Worker, "manage")
            .StartAsync(store);
        using var otherIssuer = new Tokens();
        var hmac = new SigningCredentials(new SymmetricSecurityKey(RandomNumberGenerator.GetBytes(64)), SecurityAlgorithms.HmacSha256);
        var tokens = server.Tokens;
        Dictionary<string, string> secrets = new(server.Keys)
        {
            ["unknown"] = AccessKey.NewKey(),
            ["token read"] = tokens.Issue("read", ["*"]),
            ["token write"] = tokens.Issue("write", ["mine-*"]),
            ["token others"] = tokens.Issue("manage", ["other-*"]),
            ["token without access"] = tokens.Issue(null, ["*"]),
            ["token without collections"] = tokens.Issue("manage"),
            ["token expired"] = tokens.Issue("manage", ["*"], expires: TimeSpan.FromHours(-1)),
            ["token of another audience"] = tokens.Issue("manage", ["*"], audience: "another"),
            ["token of another issuer"] = tokens.Issue("manage", ["*"], issuer: "https://another.test"),
            ["token with another key"] = otherIssuer.Issue("manage", ["*"]),
            ["token with a symmetric key"] = tokens.Issue("manage", ["*"], credentials: hmac),
            ["token without a signature"] = $"{string.Join('.', tokens.Issue("manage", ["*"]).Split('.')[..2])}.",
        };
        var plain = server.Connect();
        List<Credentials> all =
        [
            new("nothing", plain, [], "", null, "Unauthenticated KEY_MISSING"),
            new("a password", plain, Bearer("", "Basic YWxpY2U6c2VjcmV0"), "", null, "Unauthenticated KEY_INVALID"),
            new("unknown", plain, Bearer(secrets["unknown"]), "", null, "Unauthenticated KEY_INVALID"),
            new("expired", plain, Bearer(secrets["expired"]), "", null, "Unauthenticated KEY_EXPIRED"),
            new("reader", plain, Bearer(secrets["reader"]), "read", _ => true),
            new("writer", plain, new() { { "x-api-key", secrets["writer"] } }, "write", _ => true),
            new("manager", plain, Bearer(secrets["manager"]), "manage", _ => true),
            new("mine", plain, Bearer(secrets["mine"]), "manage", _ => true),
            new("others", plain, Bearer(secrets["others"]), "manage", _ => false),
            new("token read", plain, Bearer(secrets["token read"]), "read", _ => true),
            new("token write", plain, Bearer(secrets["token write"]), "write", _ => true),
            new("token others", plain, Bearer(secrets["token others"]), "manage", _ => false),
            new("token without access", plain, Bearer(secrets["token without access"]), "none", _ => true),
            new("token without collections", plain, Bearer(secrets["token without collections"]), "manage", _ => false),
            new("token expired", plain, Bearer(secrets["token expired"]), "", null, "Unauthenticated TOKEN_EXPIRED"),
            .. new[] { "audience", "issuer" }.Select(other => new Credentials(
                other, plain, Bearer(secrets[$"token of another {other}"]), "", null, "Unauthenticated TOKEN_INVALID")),
            .. new[] { "with another key", "with a symmetric key", "without a signature" }.Select(how => new Credentials(
                how, plain, Bearer(secrets[$"token {how}"]), "", null, "Unauthenticated TOKEN_INVALID")),
            new("certificate", server.Connect(Worker), [], "manage", _ => true),
            new("unknown certificate", server.Connect("CN=worker-2"), [], "", null, "PermissionDenied CERTIFICATE_UNKNOWN"),
        ];

        var seen = new ConcurrentQueue<string>();
        using var metrics = Listen(seen);
        await UpsertAsync(plain, secrets["manager"], AccessCalls.Mine);
        await NameAsync(plain, secrets["manager"]);
        List<string> wrong = [];
        foreach (var call in AccessCalls.All)
        {
            foreach (var credentials in all)
            {
                await PrepareAsync(call, plain, secrets["manager"]);
                var expected = Expected(call, credentials);
                var outcome = await credentials.Channel.CreateCallInvoker().OutcomeAsync(call, credentials.Headers, seen.Enqueue);
                if (outcome != expected)
                {
                    wrong.Add($"{call.Method} with {credentials.Name}: {outcome} instead of {expected}");
                }
            }
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));

        // No secret, nor its digest, in anything that the server says about itself.
        metrics.RecordObservableInstruments();
        foreach (var line in server.Log.All)
        {
            seen.Enqueue($"{line.Category} {line.Event} {line.Text} {line.Exception}");
        }
        Assert.Contains(seen, text => text.Contains("KEY_INVALID", StringComparison.Ordinal));
        Assert.True(server.Log.All.Count > AccessCalls.All.Count * all.Count);
        foreach (var (name, secret) in secrets)
        {
            string[] parts = [secret, secret[^20..], Convert.ToHexStringLower(AccessKey.DigestOf(secret))];
            Assert.DoesNotContain(seen, text => parts.Any(part => text.Contains(part, StringComparison.OrdinalIgnoreCase)));
        }
    }

    [Fact]
    public async Task No_method_is_without_a_row_in_the_test()
    {
        await using var server = await new AccessServer().With("manager", "manage").StartAsync();
        var mapped = server.Server.Get<EndpointDataSource>().Endpoints
            .Select(endpoint => endpoint.Metadata.GetMetadata<GrpcMethodMetadata>()?.Method.FullName)
            .OfType<string>()
            .Select(name => name.TrimStart('/'))
            .Distinct()
            .Order(StringComparer.Ordinal)
            .ToList();
        Assert.True(mapped.Count > 30);
        Assert.Equal(mapped, AccessCalls.All.Select(call => call.Method).Distinct().Order(StringComparer.Ordinal));
    }

    private static string Expected(AccessCall call, Credentials credentials)
    {
        string[] order = ["none", "read", "write", "manage"];
        if (call.Needs == "none")
        {
            return "OK";
        }
        if (credentials.Refused.Length > 0)
        {
            return credentials.Refused;
        }
        if (Array.IndexOf(order, credentials.Access) < Array.IndexOf(order, call.Needs))
        {
            return "PermissionDenied ACCESS_DENIED";
        }
        if (call.InCollection && !credentials.Covers!(call))
        {
            var inStream = call.Method.Contains("/Stream", StringComparison.Ordinal);
            return $"{(inStream ? "item " : "")}PermissionDenied COLLECTION_DENIED";
        }
        return call.Method switch
        {
            // There is no model of that name.
            "embeddings.v1.ModelService/UnloadModel" => "NotFound MODEL_NOT_FOUND",
            // Nobody has made this change.
            "embeddings.v1.PersonService/UndoPersonChange" => "NotFound PERSON_CHANGE_NOT_FOUND",
            _ => "OK",
        };
    }

    private static Metadata Bearer(string key, string? value = null) => new() { { "authorization", value ?? $"Bearer {key}" } };

    // Makes what the call before it may have removed.
    private static Task PrepareAsync(AccessCall call, GrpcChannel channel, string key) => call.Request switch
    {
        DeleteCollectionRequest => UpsertAsync(channel, key, AccessCalls.Dropped),
        SplitPersonRequest => NameAsync(channel, key),
        CreateCollectionRequest => DropAsync(channel, key, AccessCalls.Created),
        _ => Task.CompletedTask,
    };

    private static async Task NameAsync(GrpcChannel channel, string key) => await new PersonService.PersonServiceClient(channel)
        .NamePersonAsync(new() { Collection = AccessCalls.Mine, PointIds = { "q" }, Person = "Q" }, Bearer(key)).Bound();

    private static async Task DropAsync(GrpcChannel channel, string key, string collection)
    {
        try
        {
            await new VectorStoreService.VectorStoreServiceClient(channel)
                .DeleteCollectionAsync(new() { Collection = collection }, Bearer(key)).Bound();
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.NotFound)
        {
            // Not created.
        }
    }

    private static async Task UpsertAsync(GrpcChannel channel, string key, string collection)
    {
        VectorPoint[] points = [Items.Point("p", Items.Vector(1)), Items.Point("q", Items.Vector(2))];
        await new VectorStoreService.VectorStoreServiceClient(channel)
            .UpsertVectorsAsync(new() { Collection = collection, Points = { points } }, Bearer(key)).Bound();
    }

    // Names and tags of all measurements of the process.
    private static MeterListener Listen(ConcurrentQueue<string> seen)
    {
        var listener = new MeterListener { InstrumentPublished = (instrument, listener) => listener.EnableMeasurementEvents(instrument) };
        listener.SetMeasurementEventCallback<long>((instrument, _, tags, _) => Add(instrument, tags));
        listener.SetMeasurementEventCallback<int>((instrument, _, tags, _) => Add(instrument, tags));
        listener.SetMeasurementEventCallback<double>((instrument, _, tags, _) => Add(instrument, tags));
        listener.Start();
        return listener;

        void Add(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var text = instrument.Name;
            foreach (var tag in tags)
            {
                text += $" {tag.Key}={tag.Value}";
            }
            seen.Enqueue(text);
        }
    }

    /// <summary>Credentials, and what they give.</summary>
    /// <param name="Name">Name, for messages.</param>
    /// <param name="Channel">The connection.</param>
    /// <param name="Headers">Metadata of the call.</param>
    /// <param name="Access">none, read, write, or manage.</param>
    /// <param name="Covers">True if they cover the collection of the call.</param>
    /// <param name="Refused">The outcome of all calls that need a caller, or empty.</param>
    private sealed record Credentials(
        string Name, GrpcChannel Channel, Metadata Headers, string Access, Func<AccessCall, bool>? Covers, string Refused = "");
}
