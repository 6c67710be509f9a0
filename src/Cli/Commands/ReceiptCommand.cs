using System.CommandLine;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Embeddings.Server.Privacy;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings receipt verify</c>: checks the receipt of a deletion.</summary>
internal static class ReceiptCommand
{
    public static Command Create(GlobalOptions globals) =>
        new("receipt", "Works on receipts of deletions.") { CreateVerify(globals) };

    private static Command CreateVerify(GlobalOptions globals)
    {
        var file = new Argument<string>("file")
        {
            Description = "File with the receipt: the JSON of --receipt, or its signature alone.",
        };
        var key = new Option<string>("--key")
        {
            Description = "PEM file with the public key of the server.",
            HelpName = "PUBLIC.pem",
            Required = true,
        };
        var verify = new Command(
            "verify", "Checks the signature of a receipt, without a server, and prints what is signed. The exit code is 1 if it is not valid.")
        {
            file, key,
        };
        verify.SetAction(async (parsed, _) =>
        {
            var path = parsed.GetValue(file)!;
            var (signature, fields) = Read(path);
            using var publicKey = ReadKey(parsed.GetValue(key)!);
            if (await publicKey.VerifyAsync(signature) is not { } json)
            {
                throw new ToolException($"The receipt '{path}' is not signed by this key, or was changed.");
            }
            var signed = JsonNode.Parse(json)!.AsObject();
            RequireSame(path, fields, signed);
            var output = globals.Output(parsed);
            var time = DateTimeOffset.FromUnixTimeSeconds((long)signed["iat"]!);
            output.Object(new { Valid = true, KeyId = publicKey.Id, Time = time, Signed = signed });
            output.Line($"valid, signed by key {publicKey.Id} at {time:yyyy-MM-dd HH:mm:ss} UTC");
            foreach (var (name, value) in signed.Where(field => field.Key != "iat"))
            {
                output.Line($"{name,-15} {value!.ToJsonString().Trim('"')}");
            }
            return ExitCode.Done;
        });
        return verify;
    }

    private static ReceiptKey ReadKey(string path)
    {
        try
        {
            return ReceiptKey.Read(path);
        }
        catch (CryptographicException e)
        {
            throw new ToolException($"--key must be a PEM file with a public key of curve P-256; '{path}' {e.Message}.", e);
        }
    }

    private static (string Signature, JsonObject? Fields) Read(string path)
    {
        var text = File.ReadAllText(path).Trim();
        if (!text.StartsWith('{'))
        {
            return (text, null);
        }
        try
        {
            var fields = JsonNode.Parse(text)!.AsObject();
            return fields["signature"]?.GetValue<string>() is { } signature
                ? (signature, fields)
                : throw new ToolException($"'{path}' is not a receipt: it has no signature.");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new ToolException($"'{path}' is not a receipt: {e.Message}", e);
        }
    }

    // What the reader of the file sees must be what is signed. JSON of Protocol Buffers has 64-bit integers as strings, and
    // no fields with default values.
    private static void RequireSame(string path, JsonObject? fields, JsonObject signed)
    {
        foreach (var name in fields is null ? [] : (string[])["method", "collections", "deleted_count", "held_count", "ids_sha256"])
        {
            var given = fields![name];
            var expected = signed[name]!;
            var same = expected is JsonArray
                ? JsonNode.DeepEquals(given ?? new JsonArray(), expected)
                : (given?.ToString() ?? "0") == expected.ToString();
            if (!same)
            {
                throw new ToolException($"The field {name} of '{path}' is not what was signed.");
            }
        }
    }
}
