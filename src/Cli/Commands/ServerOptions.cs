using System.CommandLine;
using System.Text.RegularExpressions;

namespace Embeddings.Cli.Commands;

/// <summary>
/// Options of the commands that start a server. Only options that are set are passed on, so that configuration files and
/// environment variables apply otherwise. Every other setting of the server is <c>--Section:Key=value</c>.
/// </summary>
internal sealed partial class ServerOptions
{
    private const string NoModels = "none";

    private readonly Option<string?> _listen =
        CommonOptions.Text(
            "--listen",
            "IP",
            "Address to listen on; * for all. Other machines need TLS and authentication, or --Server:AllowInsecure=true. "
            + "[default: 127.0.0.1]");

    private readonly Option<int> _grpcPort =
        CommonOptions.Number("--grpc-port", 50_051, 0, ushort.MaxValue, "Port for gRPC; 0 for a free port.");
    private readonly Option<int> _httpPort = CommonOptions.Number(
        "--http-port", 8080, -1, ushort.MaxValue, "Port for the HTTP health endpoints; 0 for a free port, -1 for none.");

    private readonly Option<string?> _data =
        CommonOptions.Text("--data", "DIR", "Directory of the embedded store. [default: ./data]");

    private readonly Option<string?> _store =
        CommonOptions.Text("--store", null, "Kind of the store: Embedded or Qdrant. [default: Embedded]");

    private readonly Option<string?> _models = Models();

    public void AddTo(Command command)
    {
        command.Add(_listen);
        command.Add(_grpcPort);
        command.Add(_httpPort);
        command.Add(_data);
        command.Add(_store);
        command.Add(_models);
        command.TreatUnmatchedTokensAsErrors = false;
    }

    /// <summary>Returns the settings of the server.</summary>
    /// <exception cref="ToolException">An argument is neither an option nor a setting.</exception>
    public IReadOnlyList<string> Read(ParseResult parsed)
    {
        var arguments = new List<string>();
        void Add<T>(Option<T> option, string key, Func<T, object>? convert = null)
        {
            if (Given(parsed, option) && parsed.GetValue(option) is { } value)
            {
                arguments.Add($"--{key}={convert?.Invoke(value) ?? value}");
            }
        }
        Add(_listen, "Server:Listen");
        Add(_grpcPort, "Server:GrpcPort");
        Add(_httpPort, "Server:HttpPort");
        Add(_data, "Store:Embedded:Directory", path => Path.GetFullPath(path!));
        Add(_store, "Store:Kind");
        if (parsed.GetValue(_models) is { } models)
        {
            arguments.AddRange(ModelSettings(models));
        }
        if (parsed.UnmatchedTokens.FirstOrDefault(token => !Setting().IsMatch(token)) is { } other)
        {
            var why = ArgumentErrors.Unrecognized(parsed.CommandResult, other);
            throw ArgumentErrors.New($"{why} A setting of the server is --Section:Key=value.");
        }
        arguments.AddRange(parsed.UnmatchedTokens);
        return arguments;
    }

    /// <summary>True if the command line sets the store.</summary>
    public bool NamesStore(ParseResult parsed) =>
        Given(parsed, _data) || Given(parsed, _store) || Sets(parsed, "--Store:");

    /// <summary>True if the command line sets a port.</summary>
    public bool NamesPort(ParseResult parsed) =>
        Given(parsed, _grpcPort) || Given(parsed, _httpPort)
        || Sets(parsed, "--Server:GrpcPort=") || Sets(parsed, "--Server:HttpPort=");

    /// <summary>Creates the option that replaces the default models.</summary>
    public static Option<string?> Models() =>
        CommonOptions.Text("--models", "none|DIR", "Directory of models, or none, instead of the default models.");

    /// <summary>Returns the settings for a value of that option.</summary>
    public static IEnumerable<string> ModelSettings(string models) =>
        models == NoModels
            ? ["--Models:UseDefaults=false"]
            : ["--Models:UseDefaults=false", $"--Models:Directories:0={Path.GetFullPath(models)}"];

    private static bool Given(ParseResult parsed, Option option) => parsed.GetResult(option) is { Implicit: false };

    private static bool Sets(ParseResult parsed, string setting) =>
        parsed.UnmatchedTokens.Any(token => token.StartsWith(setting, StringComparison.OrdinalIgnoreCase));

    [GeneratedRegex(@"^--[\w.]+(:[\w.]+)+=")]
    private static partial Regex Setting();
}
