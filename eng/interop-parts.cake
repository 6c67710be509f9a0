// What the interop run is made of: programs with an end, the server, results, the table.
using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

// A language, the Debian packages it needs, and the script under clients/ that runs it.
sealed record Language(string Name, string Packages, string? ScriptFile = null)
{
    public string Script => ScriptFile ?? $"{Name}/interop/do.sh";
}

sealed record Outcome(int Code, bool TimedOut, List<string> Lines)
{
    public string LastLine => TimedOut ? "not done in time" : Lines.LastOrDefault(line => line.Trim().Length > 0)?.Trim() ?? "";
}

// A program that is ended, with all it started, where it takes too long.
static class Child
{
    public static Outcome Run(string program, IEnumerable<string> arguments, int seconds)
    {
        var lines = new List<string>();
        using var process = Start(program, arguments, line =>
        {
            lock (lines)
            {
                lines.Add(line);
            }
        });
        var timedOut = !process.WaitForExit(seconds * 1000);
        if (timedOut)
        {
            process.Kill(entireProcessTree: true);
        }
        else
        {
            // Without a limit it also waits for the last lines.
            process.WaitForExit();
        }
        lock (lines)
        {
            return new(timedOut ? 124 : process.ExitCode, timedOut, [.. lines]);
        }
    }

    public static Process Start(string program, IEnumerable<string> arguments, Action<string> onLine)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }
        var process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, e) => Take(e.Data);
        process.ErrorDataReceived += (_, e) => Take(e.Data);
        process.Start();
        process.StandardInput.Close();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;

        void Take(string? line)
        {
            if (line is not null)
            {
                onLine(line);
            }
        }
    }
}

// A server with a store of its own, gone with it.
sealed class InteropServer : IDisposable
{
    private readonly Process _process;
    private readonly string _directory;

    private InteropServer(Process process, string directory, string address) => (_process, _directory, Address) = (process, directory, address);

    public string Address { get; }

    public static InteropServer Start(string configuration, Action<string> say, params string[] settings)
    {
        var directory = System.IO.Directory.CreateTempSubdirectory("embeddings-interop-").FullName;
        var address = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var lines = new System.Collections.Concurrent.ConcurrentQueue<string>();
        string[] arguments =
        [
            $"src/Cli/bin/{configuration}/net10.0/Embeddings.Cli.dll", "serve",
            "--Server:GrpcPort=0", "--Server:HttpPort=-1", $"--Store:Embedded:Directory={directory}", .. settings,
        ];
        var process = Child.Start("dotnet", arguments, line =>
        {
            lines.Enqueue(line);
            var match = System.Text.RegularExpressions.Regex.Match(line, @"^gRPC\s+https?://(\S+)");
            if (match.Success)
            {
                address.TrySetResult(match.Groups[1].Value);
            }
        });
        process.EnableRaisingEvents = true;
        process.Exited += (_, _) => address.TrySetException(new InvalidOperationException("the server ended"));
        try
        {
            return new(process, directory, address.Task.WaitAsync(TimeSpan.FromSeconds(60)).GetAwaiter().GetResult());
        }
        catch (Exception)
        {
            foreach (var line in lines)
            {
                say(line);
            }
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    public void Dispose()
    {
        _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
        System.IO.Directory.Delete(_directory, recursive: true);
    }
}

// The files of a server with TLS and authentication, and those of its clients (clients/README.md), in a temporary folder.
sealed class SecureFolder : IDisposable
{
    private readonly string _server = System.IO.Directory.CreateTempSubdirectory("embeddings-secure-").FullName;
    private readonly DateTimeOffset _now = DateTimeOffset.UtcNow;

    public SecureFolder(string configuration)
    {
        ClientFiles = System.IO.Directory.CreateDirectory(System.IO.Path.Combine(_server, "client")).FullName;
        using var authority = Authority();
        System.IO.File.WriteAllText(Client("ca.pem"), authority.ExportCertificatePem());
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(System.Net.IPAddress.Loopback);
        Issue(authority, "CN=embeddings", "1.3.6.1.5.5.7.3.1", Server("tls.pem"), Server("tls.key"), names.Build());
        Issue(authority, "CN=interop", "1.3.6.1.5.5.7.3.2", Client("client.pem"), Client("client.key"));

        System.IO.File.WriteAllText(Client("key.txt"), CreateKey(configuration, "pipeline", "--access", "write", "--collection", "interop_*"));
        System.IO.File.WriteAllText(Client("read-key.txt"), CreateKey(configuration, "reader", "--access", "read"));
        System.IO.File.WriteAllText(Client("wrong-key.txt"), "emb_" + new string('A', 43));
        CreateKey(configuration, "worker", "--access", "write", "--subject", "CN=interop");
    }

    // The folder that the clients get.
    public string ClientFiles { get; }

    public string[] Settings =>
    [
        $"--Server:Tls:CertificateFile={Server("tls.pem")}", $"--Server:Tls:KeyFile={Server("tls.key")}", $"--Server:Tls:ClientCaFile={Client("ca.pem")}",
        "--Server:Tls:ClientCertificates=Optional", $"--Security:KeysFile={Server("keys.json")}",
    ];

    public void Dispose() => System.IO.Directory.Delete(_server, recursive: true);

    private string Server(string file) => System.IO.Path.Combine(_server, file);

    private string Client(string file) => System.IO.Path.Combine(ClientFiles, file);

    // The key that the command prints.
    private string CreateKey(string configuration, string name, params string[] arguments)
    {
        var outcome = Child.Run("dotnet", [$"src/Cli/bin/{configuration}/net10.0/Embeddings.Cli.dll", "keys", "create", name, "--file", Server("keys.json"), .. arguments], 60);
        return outcome.Code == 0
            ? outcome.Lines.FirstOrDefault(line => line.StartsWith("emb_")) ?? ""
            : throw new InvalidOperationException($"keys create failed: {outcome.LastLine}");
    }

    private X509Certificate2 Authority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Interop CA", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        return request.CreateSelfSigned(_now.AddHours(-1), _now.AddDays(2));
    }

    private void Issue(X509Certificate2 authority, string subject, string usage, string certificateFile, string keyFile, X509Extension? names = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(authority, true, false));
        if (names is not null)
        {
            request.CertificateExtensions.Add(names);
        }
        using var issued = request.Create(authority, _now.AddHours(-1), _now.AddDays(1), RandomNumberGenerator.GetBytes(8));
        System.IO.File.WriteAllText(certificateFile, issued.ExportCertificatePem());
        System.IO.File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem());
    }
}

// What became of each step in one language.
sealed class LanguageRun(Language language)
{
    public static readonly string[] Steps =
        ["build", "health", "models", "embed", "stream", "ingest", "batches", "search", "media", "delete", "count", "faces", "photo", "persons", "errors", "vectors", "secure", "tests"];

    private readonly Dictionary<string, (bool? Passed, string Detail)> _results = [];

    public Language Language => language;

    // What it lacks; null where it has everything.
    public string? Missing { get; set; }

    public bool Built { get; set; }

    public Dictionary<string, double[]>? Vectors { get; set; }

    public bool HasVectors => Vectors is not null && new[] { "jpeg", "crop" }.All(name => Vectors.TryGetValue(name, out var vector) && vector.Length == 512);

    public void Note(string step, bool passed, string detail) => _results[step] = (passed, detail);

    public void Skip(string step) => _results[step] = (null, "");

    // Takes the lines `ok STEP` and `FAILED STEP why`; everything else is talk.
    public void Take(Outcome outcome)
    {
        foreach (var line in outcome.Lines)
        {
            var words = line.Split(' ', 3);
            if (words.Length >= 2 && words[0] is "ok" or "FAILED" && Steps.Contains(words.ElementAtOrDefault(1)))
            {
                Note(words[1], words[0] == "ok", words.Length > 2 ? words[2] : "");
            }
        }
    }

    // Steps that said nothing because the program ended before them.
    public void Abort(string why)
    {
        foreach (var step in Steps.Where(step => step is not ("vectors" or "secure" or "tests") && !_results.ContainsKey(step)))
        {
            Note(step, false, why);
        }
    }

    // null: skipped. What was never reached has failed.
    public (bool? Passed, string Detail) Result(string step) =>
        Missing is not null ? (null, Missing) : _results.TryGetValue(step, out var result) ? result : (false, "not reached");

    public static double Distance(double[] a, double[] b) => a.Zip(b, (x, y) => Math.Abs(x - y)).Max();
}

static class InteropTable
{
    // Whether nothing failed and something passed. The counts are the last line.
    public static bool Print(List<LanguageRun> runs, List<string> page, bool pageExpected, Action<string> say)
    {
        say("");
        say($"{"",-8}" + string.Concat(LanguageRun.Steps.Select(step => $"{step,-9}")).TrimEnd());
        foreach (var run in runs)
        {
            say($"{run.Language.Name,-8}" + string.Concat(LanguageRun.Steps.Select(step => $"{Cell(run, step),-9}")).TrimEnd());
        }
        say("");
        foreach (var run in runs.Where(run => run.Missing is not null))
        {
            say($"{run.Language.Name}: skipped: {run.Missing}");
        }
        var results = runs.SelectMany(run => LanguageRun.Steps.Select(step => (run.Language.Name, Step: step, run.Result(step).Passed, run.Result(step).Detail))).ToList();
        foreach (var (name, step, _, detail) in results.Where(result => result.Passed == false))
        {
            say($"FAILED {name} {step}: {detail}");
        }
        // The lines of docs/debugging.md: `ok`, `FAILED` or `skipped`, and the line.
        results.AddRange(page.Select(line => ("docs/debugging.md", "line", Told(line), line)));
        if (pageExpected && !page.Any(line => line.StartsWith("ok ")))
        {
            say("FAILED docs/debugging.md: none of its lines ran");
            results.Add(("docs/debugging.md", "line", false, ""));
        }
        foreach (var line in page.Where(line => Told(line) == false))
        {
            say($"FAILED docs/debugging.md: {line}");
        }
        int passed = results.Count(result => result.Passed == true), failed = results.Count(result => result.Passed == false), skipped = results.Count(result => result.Passed is null);
        say($"{passed} passed, {failed} failed{(skipped > 0 ? $", {skipped} skipped" : "")}");
        return failed == 0 && passed > 0;
    }

    // What is no outcome is trouble.
    private static bool? Told(string line) => line.StartsWith("ok ") ? true : line.StartsWith("skipped ") ? null : false;

    private static string Cell(LanguageRun run, string step) =>
        run.Result(step).Passed switch { true => "ok", false => "FAILED", null => "skipped" };
}
