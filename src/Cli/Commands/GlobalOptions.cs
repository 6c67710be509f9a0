using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.Client;

namespace Embeddings.Cli.Commands;

/// <summary>The options every command has, and what they mean.</summary>
internal sealed class GlobalOptions
{
    public const string DefaultAddress = "127.0.0.1:50051";

    public Option<string> Address { get; } = new("--address", "-a")
    {
        Description = "Where the server is, HOST:PORT. The variable EMBEDDINGS_ADDRESS sets it too.",
        HelpName = "HOST:PORT",
        Recursive = true,
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable("EMBEDDINGS_ADDRESS") is { Length: > 0 } address ? address : DefaultAddress,
    };

    public Option<bool> Json { get; } = new("--json")
    {
        Description = "One JSON object a line on standard output, and nothing else there.",
        Recursive = true,
    };

    public Output Output(ParseResult parsed) =>
        new(parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error, parsed.GetValue(Json));

    public EmbeddingsClient Client(ParseResult parsed, Func<EmbeddingsClientOptions, EmbeddingsClientOptions>? configure = null)
    {
        var address = parsed.GetValue(Address)!;
        try
        {
            var options = new EmbeddingsClientOptions { Addresses = [address] };
            return new EmbeddingsClient(configure?.Invoke(options) ?? options);
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            throw new CliException($"--address '{address}' is not HOST:PORT");
        }
    }
}
