using System.Net;
using Embeddings.Primitives;
using Embeddings.Primitives.Auditing;
using Embeddings.Server.Grpc.Errors;
using Embeddings.Server.Security;
using Google.Protobuf;
using Google.Rpc;
using Grpc.Core;

namespace Embeddings.Server.Audit;

/// <summary>
/// The entries of the audit log for one call. They never hold vectors, images, attributes, or ids, only the digest of the ids.
/// </summary>
internal sealed class AuditCall(AuditLog log, AuditOptions options, TimeProvider time, HttpContext context, string method, bool isAudited)
    : IDisposable
{
    private const string Unknown = "(unknown)";
    private const int MaxCollections = 100;

    // All other methods change data, or may: those that are added later are on the safe side.
    private static readonly string[] Readers = ["Get", "List", "Count", "Search", "Embed", "StreamEmbed", "Detect", "Compare", "Identify"];

    private readonly long _began = time.GetTimestamp();
    private readonly AuditDigest _all = new();
    private readonly AuditDigest _part = new();
    private readonly HashSet<string> _collections = [];
    private readonly HashSet<string> _partCollections = [];
    private long _items;
    private long _partItems;
    private long _failed;
    private long _partFailed;
    private bool _hasEnded;
    private Fault? _refusal;

    /// <summary>True if the call changes data, or may do so.</summary>
    public bool IsChange { get; } = isAudited && !Readers.Any(reader => NameOf(method).StartsWith(reader, StringComparison.Ordinal));

    /// <summary>True if the last line of the call has been written.</summary>
    public bool HasEnded => _hasEnded;

    /// <summary>Returns the audit of a call, or null without an audit log.</summary>
    public static AuditCall? Of(ServerCallContext context) => context.GetHttpContext().Features.Get<AuditCall>();

    /// <summary>
    /// Fails if the call changes data and the log cannot be written. Nothing of the call has been done.
    /// </summary>
    /// <exception cref="Fault">UNAVAILABLE.</exception>
    public async ValueTask RequireAsync()
    {
        if (IsChange && log.IsFailing && options.OnFailure == AuditFailure.Refuse && !await log.RetryAsync())
        {
            throw Unavailable();
        }
    }

    /// <summary>Writes the first line of a stream.</summary>
    public ValueTask StartStreamAsync() => isAudited ? WriteAsync(Record("stream_start")) : ValueTask.CompletedTask;

    /// <summary>Notes the request of a call.</summary>
    public void Add(IMessage request)
    {
        if (isAudited)
        {
            Read(request, _all.Add, _collections);
        }
    }

    /// <summary>Notes the collection of an alias that the request, or an item of the stream, names.</summary>
    public void AddCollection(string collection)
    {
        if (isAudited)
        {
            // Items of a stream are resolved after they were noted, one after the other.
            (_items > 0 ? _partCollections : _collections).Add(collection);
        }
    }

    /// <summary>Notes an item of a stream; after some of them, writes a line that summarizes them.</summary>
    public async ValueTask AddItemAsync(IMessage request)
    {
        if (!isAudited)
        {
            return;
        }
        Read(request, AddPart, _partCollections);
        _items++;
        if (++_partItems >= options.StreamItems)
        {
            var failed = Interlocked.Exchange(ref _partFailed, 0);
            var record = Record("stream_items") with
            {
                Items = _partItems,
                Failed = failed,
                Collections = [.. _partCollections],
                Ids = _part.Count,
                IdsDigest = _part.Take(),
            };
            _partItems = 0;
            _partCollections.Clear();
            await WriteAsync(record);
        }
    }

    /// <summary>Counts an item of a stream that failed.</summary>
    public void ItemFailed()
    {
        Interlocked.Increment(ref _failed);
        Interlocked.Increment(ref _partFailed);
    }

    /// <summary>Writes the last line of a call that has reached its method.</summary>
    /// <param name="error">The error that the client gets, or null.</param>
    /// <param name="isStream">True for a call with a line at its start.</param>
    /// <exception cref="Fault">
    /// UNAVAILABLE if the call has succeeded, changes data, and the line cannot be written.
    /// </exception>
    public async ValueTask EndAsync(RpcException? error, bool isStream)
    {
        var reason = error is null ? "" : ReasonOf(error.Trailers.GetValueBytes(FaultStatus.Details));
        await EndAsync(NameOf(error?.StatusCode ?? StatusCode.OK), reason, isStream, mustSucceed: error is null);
    }

    /// <summary>Notes the error of a call that has not reached its method, if it is not in the headers yet.</summary>
    public void Refuse(Fault fault) => _refusal = fault;

    /// <summary>Writes the only line of a call that has not reached its method.</summary>
    public async ValueTask EndRefusedAsync()
    {
        if (_refusal is { } fault)
        {
            await EndAsync(NameOf((StatusCode)fault.Kind), fault.Reason, isStream: false, mustSucceed: false);
            return;
        }
        var status = Header("grpc-status");
        var code = int.TryParse(status, out var number) ? (StatusCode)number : (StatusCode?)null;
        // Health checks and reflection are only of interest if they are refused.
        if (!isAudited && code is not (StatusCode.Unauthenticated or StatusCode.PermissionDenied))
        {
            return;
        }
        var reason = Header(FaultStatus.Details) is { Length: > 0 } details ? ReasonOf(FromBase64(details)) : "";
        var name = code is { } known ? NameOf(known)
            : context.RequestAborted.IsCancellationRequested ? NameOf(StatusCode.Cancelled)
            : $"HTTP_{context.Response.StatusCode}";
        await EndAsync(name, reason, isStream: false, mustSucceed: false);
    }

    public void Dispose()
    {
        _all.Dispose();
        _part.Dispose();
    }

    private static string NameOf(string method) => method[(method.LastIndexOf('/') + 1)..];

    // UNAUTHENTICATED, as in the documentation of gRPC.
    private static string NameOf(StatusCode code) => code == StatusCode.OK
        ? "OK"
        : string.Concat($"{code}".Select(static (c, i) => i > 0 && char.IsUpper(c) ? $"_{c}" : $"{char.ToUpperInvariant(c)}"));

    private static string ReasonOf(byte[]? details)
    {
        try
        {
            return details is null
                ? ""
                : Google.Rpc.Status.Parser.ParseFrom(details).Details.FirstOrDefault(static detail => detail.Is(ErrorInfo.Descriptor))
                    ?.Unpack<ErrorInfo>().Reason ?? "";
        }
        catch (InvalidProtocolBufferException)
        {
            return "";
        }
    }

    private static byte[]? FromBase64(string text)
    {
        var padded = text.PadRight((text.Length + 3) / 4 * 4, '=');
        var bytes = new byte[padded.Length];
        return Convert.TryFromBase64String(padded, bytes, out var length) ? bytes[..length] : null;
    }

    private static void Read(IMessage request, Action<string> id, HashSet<string> collections)
    {
        var before = collections.Count;
        AuditFields.Of(request.Descriptor).Read(request, id, collections);
        if (collections.Count == before && request is V1.DeleteByJobIdRequest { Collection: "" })
        {
            collections.Add(AuditFields.AllCollections);
        }
        if (collections.Count > MaxCollections)
        {
            collections.Clear();
            collections.Add(AuditFields.AllCollections);
        }
    }

    private static Fault Unavailable() => new(
        FaultKind.Unavailable,
        Reasons.AuditUnavailable,
        "The audit log cannot be written, and calls that change data are refused until it can (Audit:OnFailure). Try again later.",
        retryAfter: TimeSpan.FromSeconds(1));

    private void AddPart(string id)
    {
        _all.Add(id);
        _part.Add(id);
    }

    private async ValueTask EndAsync(string status, string reason, bool isStream, bool mustSucceed)
    {
        _hasEnded = true;
        if (!isAudited && status == "OK")
        {
            return;
        }
        _collections.UnionWith(_partCollections);
        var ids = _all.Count;
        var digest = _all.Take();
        var record = Record(isStream ? "stream_end" : "call") with
        {
            Collections = _collections,
            Items = isStream ? _items : null,
            Failed = isStream ? Interlocked.Read(ref _failed) : null,
            Ids = ids,
            IdsDigest = ids > 0 ? digest : null,
            Status = status,
            Reason = reason,
            Duration = time.GetElapsedTime(_began),
        };
        await WriteAsync(record, mustSucceed);
    }

    private async ValueTask WriteAsync(AuditRecord record, bool mustSucceed = true)
    {
        if (!IsChange)
        {
            await log.AddAsync(record);
        }
        else if (!await log.FlushAsync(record) && mustSucceed && options.OnFailure == AuditFailure.Refuse)
        {
            throw Unavailable();
        }
    }

    private AuditRecord Record(string kind) => new(kind, time.GetUtcNow())
    {
        Call = context.TraceIdentifier,
        Caller = Caller.Of(context).Name,
        Method = method.Length > 0 ? method : Unknown,
        Peer = context.Connection.RemoteIpAddress is { } address
            ? new IPEndPoint(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address, context.Connection.RemotePort).ToString()
            : null,
    };

    // A status without a message is in the headers.
    private string? Header(string name) =>
        context.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpResponseTrailersFeature>()?.Trailers is { } trailers
            && trailers.TryGetValue(name, out var trailer)
            ? trailer.ToString()
            : context.Response.Headers.TryGetValue(name, out var header) ? header.ToString() : null;
}
