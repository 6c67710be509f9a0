using System.CommandLine;
using System.Globalization;
using Embeddings.Cli.Printing;
using Embeddings.Server.Security;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings keys</c>: creates, lists, and revokes the API keys of a server, in its keys file.</summary>
internal static class KeysCommand
{
    private const string FileVariable = "EMBEDDINGS_Security__KeysFile";
    private const int MaxDays = 36_500;
    private const int ShownDigits = 8;
    private const long MaxLimit = 1_000_000_000_000_000;

    public static Command Create(GlobalOptions globals) => new(
        "keys",
        "Manages the API keys in a server's keys file (Security:KeysFile), which has only their digests. A running server "
        + "applies changes within seconds.")
    {
        CreateKey(globals),
        List(globals),
        Revoke(globals),
    };

    private static Command CreateKey(GlobalOptions globals)
    {
        var name = Name();
        var file = KeysFileOption();
        var access = new Option<string>("--access")
        {
            Description = "Rights: read (embed, search, read), write (store and delete points, too), or manage (everything).",
            HelpName = "read|write|manage",
            Required = true,
        }.AcceptOnlyFromAmong("read", "write", "manage");
        var collections = new Option<string[]>("--collection", "-c")
        {
            Description = "Collections that the key is for, with * and ?. Can be repeated. [default: *, all]",
            HelpName = "GLOB",
        };
        var expires = CommonOptions.Text(
            "--expires", "DAYS|TIME", "Days from now (90d), or time from which the key is refused (2027-01-01T00:00:00Z). [default: never]");
        var subject = CommonOptions.Text(
            "--subject", "SUBJECT", "Instead of a key: subject of the client certificates that are accepted, for example 'CN=worker-1'.");
        var streams = Limit("--max-streams", 1_000_000, "Maximum number of calls at the same time. [default: no limit]");
        var items = Limit("--max-items", 1_000_000_000, "Maximum number of items per second. [default: no limit]");
        var bytes = Limit("--max-bytes", MaxLimit, "Maximum size of the requests per second, bytes. [default: no limit]");
        var points = Limit("--max-points", MaxLimit, "Maximum number of points in the collections of the key. [default: no limit]");
        var command = new Command(
            "create", "Creates an API key and writes it to standard output, which is the only time that it can be seen.")
        {
            name, file, access, collections, expires, subject, streams, items, bytes, points,
        };
        command.SetAction(parsed =>
        {
            var key = parsed.GetValue(subject) is null ? AccessKey.NewKey() : null;
            var globs = parsed.GetValue(collections) is { Length: > 0 } given ? given : ["*"];
            if (globs.FirstOrDefault(glob => !CollectionGlob.IsValid(glob)) is { } bad)
            {
                throw ArgumentErrors.New($"--collection must have characters of collection names, *, and ?; got '{bad}'.");
            }
            var entry = new AccessKey(
                RequireName(parsed.GetValue(name)!),
                key is null ? null : AccessKey.DigestOf(key),
                Subject(parsed.GetValue(subject)),
                KeysFile.AccessOf(parsed.GetValue(access))!.Value,
                globs,
                Expires(parsed.GetValue(expires)),
                new((int?)parsed.GetValue(streams), parsed.GetValue(items), parsed.GetValue(bytes), parsed.GetValue(points)));
            Change(parsed.GetValue(file)!, keys => keys.Any(other => other.Name == entry.Name)
                ? throw ArgumentErrors.New($"{parsed.GetValue(file)} has a key '{entry.Name}' already; revoke it first, or choose another name.")
                : [.. keys, entry]);
            var output = globals.Output(parsed);
            output.Object(Fields(entry, key), omitNulls: true);
            if (key is not null)
            {
                output.Line(key);
                output.Note($"This is the only time that the key of '{entry.Name}' is shown. Send it as 'authorization: Bearer KEY'.");
            }
            else
            {
                output.Line($"'{entry.Name}' is for certificates of {entry.Subject}");
            }
            return ExitCode.Done;
        });
        return command;
    }

    private static Command List(GlobalOptions globals)
    {
        var file = KeysFileOption();
        var command = new Command("list", "Lists the keys: name, rights, collections, expiry, and the beginning of the digest.") { file };
        command.SetAction(parsed =>
        {
            var output = globals.Output(parsed);
            var table = new TextTable("name", "access", "collections", "expires", "digest or subject");
            foreach (var key in Guarded(() => KeysFile.Read(parsed.GetValue(file)!)))
            {
                output.Object(Fields(key, null), omitNulls: true);
                table.Add(
                    key.Name,
                    KeysFile.Word(key.Access),
                    string.Join(' ', key.Collections),
                    Text(key.Expires) is { } time ? $"{time}{(IsExpired(key) ? " (expired)" : "")}" : "never",
                    Digits(key) ?? key.Subject!);
            }
            output.Table(table);
            return ExitCode.Done;
        });
        return command;
    }

    private static Command Revoke(GlobalOptions globals)
    {
        var name = Name();
        var file = KeysFileOption();
        var command = new Command(
            "revoke", "Removes a key from the file. A running server refuses it within seconds; its open streams end at their next item.")
        {
            name, file,
        };
        command.SetAction(parsed =>
        {
            var (key, path) = (parsed.GetValue(name)!, parsed.GetValue(file)!);
            _ = Guarded(() => KeysFile.Read(path));
            Change(path, keys => keys.Any(entry => entry.Name == key)
                ? [.. keys.Where(entry => entry.Name != key)]
                : throw ArgumentErrors.New($"{path} has no key '{key}'. 'embeddings keys list' shows the keys."));
            var output = globals.Output(parsed);
            output.Object(new { Revoked = key });
            output.Line($"{key} revoked");
            return ExitCode.Done;
        });
        return command;
    }

    private static Argument<string> Name() => new("name") { Description = "Name of the key, which logs show." };

    private static Option<string> KeysFileOption()
    {
        var option = new Option<string>("--file", "-f")
        {
            Description = $"The keys file. [default: the environment variable {FileVariable}]",
            HelpName = "FILE",
            DefaultValueFactory = _ => CommonOptions.FromEnvironment(FileVariable, ""),
        };
        option.Validators.Add(result =>
        {
            if (string.IsNullOrEmpty(result.GetValueOrDefault<string>()))
            {
                result.AddError($"--file is required, or the environment variable {FileVariable}.");
            }
        });
        return option;
    }

    private static Option<long?> Limit(string name, long maximum, string description)
    {
        var option = new Option<long?>(name) { Description = description };
        option.Validators.Add(result => CommonOptions.CheckRange(result, name, 1, maximum));
        return option;
    }

    private static string RequireName(string name) => KeysFile.IsName(name)
        ? name
        : throw ArgumentErrors.New(
            $"The name must have 1 to {KeysFile.MaxNameLength} characters from a-z, A-Z, 0-9, '_', '-', '.', and '@', and start with a "
            + $"letter or digit; got '{name}'.");

    private static string? Subject(string? subject) => subject is null
        ? null
        : AccessKey.Normalize(subject)
            ?? throw ArgumentErrors.New($"--subject must be a distinguished name such as 'CN=worker-1, O=Example'; got '{subject}'.");

    private static DateTimeOffset? Expires(string? text)
    {
        if (text is null)
        {
            return null;
        }
        var now = TimeProvider.System.GetUtcNow();
        if (text.EndsWith('d') && int.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var days) && days is > 0 and <= MaxDays)
        {
            return now.AddDays(days);
        }
        return DateTimeOffset.TryParseExact(
            text,
            ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm:ssK"],
            CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal,
            out var time) && time > now
            ? time
            : throw ArgumentErrors.New(
                $"--expires must be days such as 90d (1 to {MaxDays}), or a time in the future such as 2027-01-01T00:00:00Z; got '{text}'.");
    }

    private static object Fields(AccessKey key, string? secret) => new
    {
        key.Name,
        Key = secret,
        Access = KeysFile.Word(key.Access),
        key.Collections,
        Expires = Text(key.Expires),
        Digest = Digits(key),
        key.Subject,
    };

    private static string? Digits(AccessKey key) => key.Digest is null ? null : Convert.ToHexStringLower(key.Digest)[..ShownDigits];

    private static string? Text(DateTimeOffset? time) =>
        time?.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static bool IsExpired(AccessKey key) => key.Expires <= TimeProvider.System.GetUtcNow();

    private static void Change(string path, Func<IReadOnlyList<AccessKey>, IReadOnlyList<AccessKey>> change) => Guarded(() =>
    {
        KeysFile.Change(path, change);
        return true;
    });

    private static T Guarded<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (SecurityFileException e)
        {
            throw new ToolException(e.Message, e);
        }
    }
}
