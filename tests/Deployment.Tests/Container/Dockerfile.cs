using System.Text.Json;
using System.Text.RegularExpressions;

namespace Embeddings.Deployment.Tests.Container;

/// <summary>
/// <c>deploy/Dockerfile</c>: what a container engine takes from it. Only the instructions and forms that the file uses.
/// </summary>
internal sealed partial class Dockerfile
{
    private static readonly string[] Instructions =
        ["FROM", "RUN", "ARG", "COPY", "USER", "WORKDIR", "VOLUME", "EXPOSE", "ENV", "HEALTHCHECK", "ENTRYPOINT", "CMD"];

    private readonly ILookup<string, string> _instructions;

    public Dockerfile(string path)
    {
        var text = Comment().Replace(File.ReadAllText(path), "");
        _instructions = Continuation().Replace(text, " ").Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split(' ', 2)).ToLookup(parts => parts[0], parts => parts[1].Trim());
        Assert.All(_instructions, instruction => Assert.Contains(instruction.Key, Instructions));
    }

    /// <summary>Debian release of the base image.</summary>
    public string Release => Base().Match(One("FROM")) is { Success: true } match
        ? match.Groups[1].Value
        : throw new InvalidOperationException($"the base image is not debian:RELEASE-slim: {One("FROM")}");

    /// <summary>Packages that it installs.</summary>
    public IReadOnlyList<string> Packages =>
        [.. Install().Match(_instructions["RUN"].First()).Groups[1].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries)];

    /// <summary>Shell commands that it runs after the packages are installed.</summary>
    public IEnumerable<string> Commands => _instructions["RUN"].Skip(1);

    /// <summary>Source folder of the program, for the architecture.</summary>
    public string Source(string architecture) =>
        Copy().Match(One("COPY")).Groups[1].Value.Replace("${TARGETARCH}", architecture, StringComparison.Ordinal);

    public string User => One("USER");

    public string Directory => One("WORKDIR");

    /// <summary>Environment variables, NAME=VALUE.</summary>
    public IReadOnlyList<string> Environment => One("ENV").Split(' ', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Shell command of the health check.</summary>
    public string HealthCheck => One("HEALTHCHECK")[(One("HEALTHCHECK").IndexOf("CMD ", StringComparison.Ordinal) + 4)..];

    public IReadOnlyList<string> EntryPoint => JsonSerializer.Deserialize<string[]>(One("ENTRYPOINT"))!;

    public IReadOnlyList<string> Command => JsonSerializer.Deserialize<string[]>(One("CMD"))!;

    private string One(string instruction) => Assert.Single(_instructions[instruction]);

    [GeneratedRegex("^ *#.*\n", RegexOptions.Multiline)]
    private static partial Regex Comment();

    [GeneratedRegex(@" *\\\n *")]
    private static partial Regex Continuation();

    [GeneratedRegex(@"/debian:([a-z]+)-slim$")]
    private static partial Regex Base();

    [GeneratedRegex(@"apt-get install -y --no-install-recommends ([a-z0-9 .+-]+) &&")]
    private static partial Regex Install();

    [GeneratedRegex("^--chmod=0755 (.+) /app/$")]
    private static partial Regex Copy();
}
