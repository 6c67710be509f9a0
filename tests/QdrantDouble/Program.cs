using System.Globalization;
using Embeddings.QdrantDouble;
using Embeddings.QdrantDouble.Troubles;

// The double as a program. Options: --port 6334 --file data.bin --api-key KEY --old; injected failures: --drop-every N,
// --fail-every N, --late MILLISECONDS.
if (args.Contains("--help"))
{
    Console.WriteLine("usage: [--port N] [--file PATH] [--api-key KEY] [--old]");
    Console.WriteLine("       [--drop-every N] [--fail-every N] [--late MILLISECONDS]");
    return;
}

await using var server = new QdrantServer(new()
{
    Port = Number("--port") ?? 6334,
    File = Value("--file"),
    ApiKey = Value("--api-key"),
    Old = args.Contains("--old"),
});
if (Number("--drop-every") is { } drop)
{
    server.Troubles.Add(new(TroubleKind.Drop) { Every = drop });
}
if (Number("--fail-every") is { } fail)
{
    server.Troubles.Add(new(TroubleKind.Fail) { Every = fail });
}
if (Number("--late") is { } late)
{
    server.Troubles.Add(new(TroubleKind.Late) { Delay = TimeSpan.FromMilliseconds(late) });
}
await server.StartAsync();
Console.WriteLine($"qdrant double on {server.Address}");
await server.WaitAsync();

string? Value(string name)
{
    var at = Array.IndexOf(args, name);
    return at >= 0 && at + 1 < args.Length ? args[at + 1] : null;
}

int? Number(string name) => Value(name) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : null;
