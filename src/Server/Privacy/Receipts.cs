using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Embeddings.Primitives;
using Embeddings.Storage;

namespace Embeddings.Server.Privacy;

/// <summary>Makes the signed receipts of deletions.</summary>
internal sealed class Receipts : IDisposable
{
    /// <summary>The maximum number of points of a receipt, whose hashes take 32 bytes each.</summary>
    public const int MaxPoints = 2_000_000;

    private readonly ReceiptKey? _key;
    private readonly TimeProvider _time;

    public Receipts(PrivacyOptions options, TimeProvider time)
    {
        _key = options.ReceiptKeyFile is { } path ? ReceiptKey.Read(path) : null;
        _time = time;
    }

    /// <summary>Begins a receipt. FAILED_PRECONDITION if the server has no key.</summary>
    public ReceiptBuilder Begin(string method)
    {
        return _key is null
            ? throw new Fault(
                FaultKind.FailedPrecondition,
                Reasons.ReceiptKeyMissing,
                "The server has no key for receipts. Set Privacy:ReceiptKeyFile, or delete without with_receipt.",
                "with_receipt")
                .With(FaultKeys.Setting, "Privacy:ReceiptKeyFile")
            : new(method.TrimStart('/'));
    }

    /// <summary>Signs a receipt.</summary>
    public V1.DeletionReceipt Sign(ReceiptBuilder builder, DeleteCounts counts)
    {
        var seconds = _time.GetUtcNow().ToUnixTimeSeconds();
        var receipt = new V1.DeletionReceipt
        {
            Method = builder.Method,
            Collections = { builder.Collections },
            DeletedCount = counts.Deleted,
            HeldCount = counts.Held,
            IdsSha256 = builder.Digest(),
            Time = new() { Seconds = seconds },
            KeyId = _key!.Id,
        };
        var payload = new JsonObject
        {
            ["method"] = receipt.Method,
            ["collections"] = new JsonArray([.. receipt.Collections.Select(name => (JsonNode)name)]),
            ["deleted_count"] = receipt.DeletedCount,
            ["held_count"] = receipt.HeldCount,
            ["ids_sha256"] = receipt.IdsSha256,
            ["iat"] = seconds,
        };
        receipt.Signature = _key.Sign(payload.ToJsonString());
        return receipt;
    }

    public void Dispose() => _key?.Dispose();
}

/// <summary>Collects the digest of the points that a call deletes, as the contract defines it.</summary>
internal sealed class ReceiptBuilder(string method)
{
    private readonly SortedSet<string> _collections = new(StringComparer.Ordinal);
    private readonly List<Part> _parts = [];
    private long _count;

    public string Method => method;

    public IEnumerable<string> Collections => _collections;

    /// <summary>Returns the receiver of the ids that one call of the store deletes.</summary>
    public IDeletedIds In(string collection)
    {
        var part = new Part(this, collection);
        _collections.Add(collection);
        _parts.Add(part);
        return part;
    }

    /// <summary>RESOURCE_EXHAUSTED if a receipt of so many points is not possible.</summary>
    public void Require(long points)
    {
        if (points > Receipts.MaxPoints)
        {
            throw new Fault(
                FaultKind.ResourceExhausted,
                Reasons.ReceiptTooLarge,
                $"A receipt must be of at most {Receipts.MaxPoints} points; got {points}. Delete them in several calls, or "
                + "without with_receipt.",
                "with_receipt")
                .With(FaultKeys.Limit, Receipts.MaxPoints)
                .With(FaultKeys.Actual, points);
        }
    }

    public string Digest()
    {
        var hashes = _parts.SelectMany(part => part.Hashes).ToArray();
        hashes.AsSpan().Sort(static (left, right) => left.AsSpan().SequenceCompareTo(right));
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var hash in hashes)
        {
            digest.AppendData(hash);
        }
        return Convert.ToHexStringLower(digest.GetHashAndReset());
    }

    private sealed class Part(ReceiptBuilder builder, string collection) : IDeletedIds
    {
        public List<byte[]> Hashes { get; } = [];

        public void Begin()
        {
            builder._count -= Hashes.Count;
            Hashes.Clear();
        }

        public void Add(string id)
        {
            builder.Require(++builder._count);
            Hashes.Add(SHA256.HashData(Encoding.UTF8.GetBytes($"{collection}/{id}")));
        }
    }
}
