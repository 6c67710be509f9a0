using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.Client;
using Spectre.Console;

namespace Embeddings.Cli.Commands;

/// <summary>Options of every command.</summary>
internal sealed class GlobalOptions
{
    public const string DefaultAddress = "127.0.0.1:50051";

    // In errors of the client, its options have the names of the command line.
    private static readonly (string Client, string Option)[] Names =
    [
        (nameof(EmbeddingsClientOptions.CaFile), "--ca"),
        (nameof(EmbeddingsClientOptions.ClientCertificateFile), "--client-cert"),
        (nameof(EmbeddingsClientOptions.ClientKeyFile), "--client-key"),
        (nameof(EmbeddingsClientOptions.ApiKey), "--api-key"),
    ];

    public Option<string> Address { get; } = new("--address", "-a")
    {
        Description = "Address of the server; https://HOST:PORT for TLS. Can also be set with the environment variable "
            + "EMBEDDINGS_ADDRESS.",
        HelpName = "HOST:PORT",
        Recursive = true,
        DefaultValueFactory = _ => CommonOptions.FromEnvironment("EMBEDDINGS_ADDRESS", DefaultAddress),
    };

    public Option<string> ApiKey { get; } = FromEnvironment(
        "--api-key",
        "KEY",
        "API key. Not sent without TLS to another machine. Better set with the environment variable",
        "EMBEDDINGS_API_KEY");

    public Option<string> Ca { get; } = FromEnvironment(
        "--ca",
        "FILE",
        "PEM file of the certificate authorities to trust instead of the system's. Can also be set with the environment variable",
        "EMBEDDINGS_CA");

    public Option<string> ClientCert { get; } = FromEnvironment(
        "--client-cert",
        "FILE",
        "PEM file of the client certificate. Can also be set with the environment variable",
        "EMBEDDINGS_CLIENT_CERT");

    public Option<string> ClientKey { get; } = FromEnvironment(
        "--client-key",
        "FILE",
        "PEM file of the key of the client certificate. Can also be set with the environment variable",
        "EMBEDDINGS_CLIENT_KEY");

    public Option<bool> Json { get; } = new("--json")
    {
        Description = "Write one JSON object per line to standard output, and nothing else; errors and notes as JSON objects "
            + "to standard error.",
        Recursive = true,
    };

    /// <summary>All of them, in the order of the help.</summary>
    public IEnumerable<Option> All => [Address, ApiKey, Ca, ClientCert, ClientKey, Json];

    /// <summary>Sets the action of a command that calls the server. The exit code is 0 unless it throws.</summary>
    public Command Calling(
        Command command, Func<ParseResult, EmbeddingsClient, Output, CancellationToken, Task> action)
    {
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var client = Client(parsed);
            await action(parsed, client, Output(parsed), cancellationToken);
            return ExitCode.Done;
        });
        return command;
    }

    public Output Output(ParseResult parsed) =>
        new(
            parsed.InvocationConfiguration.Output,
            parsed.InvocationConfiguration.Error,
            parsed.GetValue(Json),
            ReferenceEquals(parsed.InvocationConfiguration.Output, Console.Out) && !Console.IsOutputRedirected
                ? AnsiConsole.Profile.Width
                : null);

    /// <summary>Creates the client of a command.</summary>
    /// <param name="parsed">Arguments.</param>
    /// <param name="configure">Sets further options.</param>
    /// <param name="address">Address to call instead of that of the arguments.</param>
    public EmbeddingsClient Client(
        ParseResult parsed,
        Func<EmbeddingsClientOptions, EmbeddingsClientOptions>? configure = null,
        string? address = null)
    {
        address ??= parsed.GetValue(Address)!;
        var hasTls = address.StartsWith("https://", StringComparison.OrdinalIgnoreCase);
        // Files of the environment are for the servers that use TLS; given as arguments, they need one.
        string? File(Option<string> option) =>
            parsed.GetResult(option) is { Implicit: false } || hasTls ? NullIfEmpty(parsed.GetValue(option)) : null;
        var options = new EmbeddingsClientOptions
        {
            Addresses = [address],
            ApiKey = NullIfEmpty(parsed.GetValue(ApiKey)),
            CaFile = File(Ca),
            ClientCertificateFile = File(ClientCert),
            ClientKeyFile = File(ClientKey),
        };
        try
        {
            return new EmbeddingsClient(configure?.Invoke(options) ?? options);
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            throw ArgumentErrors.New(Why(e, address));
        }
    }

    private static Option<string> FromEnvironment(string name, string helpName, string description, string variable) => new(name)
    {
        Description = $"{description} {variable}.",
        HelpName = helpName,
        Recursive = true,
        DefaultValueFactory = _ => CommonOptions.FromEnvironment(variable, ""),
    };

    private static string? NullIfEmpty(string? value) => string.IsNullOrEmpty(value) ? null : value;

    private static string Why(Exception error, string address)
    {
        var message = error.Message.Split(" (Parameter ")[0];
        return Names.Any(name => message.Contains(name.Client, StringComparison.Ordinal))
            ? Names.Aggregate(message, (text, name) => text.Replace(name.Client, name.Option, StringComparison.Ordinal))
            : $"--address must be HOST:PORT, or https://HOST:PORT for TLS; got '{address}'.";
    }
}
