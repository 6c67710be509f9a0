using System.CommandLine;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Embeddings.Cli.Commands;

/// <summary>
/// Options of the commands that start a server. Only options that are set are passed on, so that configuration files and
/// environment variables apply otherwise. Every other setting of the server is <c>--Section:Key=value</c>.
/// </summary>
internal sealed partial class ServerOptions
{
    private const string NoModels = "none";

    private readonly Option<string> _listen = new("--listen")
    {
        Description = "Address to listen on; * for all. [default: 127.0.0.1]",
        HelpName = "IP",
    };

    private readonly Option<int> _grpcPort =
        CommonOptions.Number("--grpc-port", 50_051, 0, ushort.MaxValue, "Port for gRPC; 0 for a free port.");
    private readonly Option<int> _httpPort =
        CommonOptions.Number("--http-port", 8080, -1, ushort.MaxValue, "Port for the HTTP health endpoints; 0 for a "
            + "free port, -1 for none.");
    private readonly Option<string> _data = new("--data")
    {
        Description = "Directory of the embedded store. "
        + "[default: ./data]",
        HelpName = "DIR"
    };
    private readonly Option<string> _store = new("--store")
    {
        Description = "Kind of the store: Embedded or Qdrant. "
        + "[default: Embedded]"
    };
    private readonly Option<string> _models = Models();

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
        void Add<T>(Option<T> option, string key, Func<T, string> text)
        {
            if (Given(parsed, option))
            {
                arguments.Add($"--{key}={text(parsed.GetValue(option)!)}");
            }
        }
        Add(_listen, "Server:Listen", text => text);
        Add(_grpcPort, "Server:GrpcPort", port => port.ToString(CultureInfo.InvariantCulture));
        Add(_httpPort, "Server:HttpPort", port => port.ToString(CultureInfo.InvariantCulture));
        Add(_data, "Store:Embedded:Directory", Path.GetFullPath);
        Add(_store, "Store:Kind", text => text);
        if (parsed.GetValue(_models) is { } models)
        {
            arguments.AddRange(ModelSettings(models));
        }
        if (parsed.UnmatchedTokens.FirstOrDefault(token => !Setting().IsMatch(token)) is { } other)
        {
            throw new ToolException($"Unrecognized argument '{other}'. A setting of the server is --Section:Key=value.");
        }
        arguments.AddRange(parsed.UnmatchedTokens);
        return arguments;
    }

    /// <summary>True if the command line sets the store.</summary>
    public bool NamesStore(ParseResult parsed) =>
        Given(parsed, _data) || Given(parsed, _store) || Sets(parsed, "--Store:");

    /// <summary>True if the command line sets a port.</summary>
    public bool NamesPort(ParseResult parsed) =>
        Given(parsed, _grpcPort) || Given(parsed, _httpPort) || Sets(parsed, "--Server:GrpcPort=") || Sets(parsed, "--Server:HttpPort=");

    /// <summary>Creates the option that replaces the default models.</summary>
    public static Option<string> Models() => new("--models")
    {
        Description = "Directory of models, or none, instead of the default models.",
        HelpName = "none|DIR",
    };

    /// <summary>Returns the settings for a value of that option.</summary>
    public static IEnumerable<string> ModelSettings(string models) =>
        models == NoModels
            ? ["--Models:UseDefaults=false"]
            : ["--Models:UseDefaults=false", $"--Models:Directories:0={Path.GetFullPath(models)}"];

    private static bool Given(ParseResult parsed, Option option) => parsed.GetResult(option) is { Implicit: false };

    private static bool Sets(ParseResult parsed, string setting) =>
        parsed.UnmatchedTokens.Any(token => token.StartsWith(setting, StringComparison.OrdinalIgnoreCase));

    [GeneratedRegex(@"^--\w+(:\w+)+=")]
    private static partial Regex Setting();
}
