using System.Security.Cryptography;
using System.Text;

namespace Embeddings.Deployment.Tests.Container;

/// <summary>
/// The root filesystem of the image, made by debootstrap from what the Dockerfile names, and commands that run in it as
/// a container engine runs them.
/// </summary>
internal sealed class RootFilesystem
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(9);

    private readonly Dockerfile _file;
    private readonly string _root;

    private RootFilesystem(Dockerfile file, string root) => (_file, _root) = (file, root);

    /// <summary>The program as the Dockerfile copies it.</summary>
    public static string App(string architecture) =>
        Path.Combine(Repository.Root, new Dockerfile(DeployFolder.PathOf("Dockerfile")).Source(architecture));

    /// <summary>Makes the root filesystem, or takes the one that was made from the same instructions.</summary>
    public static async Task<RootFilesystem> CreateAsync()
    {
        var file = new Dockerfile(DeployFolder.PathOf("Dockerfile"));
        string[] inputs = [file.Release, string.Join(',', file.Packages), .. file.Commands];
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', inputs))))[..16];
        var root = Path.Combine(Repository.Root, "artifacts", "rootfs", hash);
        if (!Directory.Exists(root))
        {
            var unfinished = $"{root}.unfinished";
            if (Directory.Exists(unfinished))
            {
                Directory.Delete(unfinished, recursive: true);
            }
            Directory.CreateDirectory(unfinished);
            await RunAsync(Script("make-rootfs.sh"), inputs[0], inputs[1], unfinished);
            foreach (var command in file.Commands)
            {
                await RunAsync("chroot", unfinished, "/bin/sh", "-c", command);
            }
            Directory.CreateDirectory(Path.Combine(unfinished, "app"));
            Directory.Move(unfinished, root);
        }
        return new(file, root);
    }

    /// <summary>Makes a directory that belongs to the image's user, as a new volume does.</summary>
    public async Task<string> VolumeAsync(string path)
    {
        Directory.CreateDirectory(path);
        await RunAsync("chown", _file.User, path);
        return path;
    }

    /// <summary>Starts the image's entry point with its command and further arguments.</summary>
    public ChildProcess Start(string volume, IEnumerable<string> variables, params string[] arguments) =>
        ChildProcess.Start(Script("run-in-rootfs.sh"), Arguments(volume, variables, [.. _file.EntryPoint, .. _file.Command, .. arguments]));

    /// <summary>Runs a command in the filesystem; returns its exit code and output.</summary>
    public Task<(int Code, string Output)> ExecAsync(string volume, IEnumerable<string> variables, params string[] command) =>
        ChildProcess.RunAsync(Script("run-in-rootfs.sh"), Arguments(volume, variables, command));

    /// <summary>Runs the image's health check; returns its exit code and output.</summary>
    public Task<(int Code, string Output)> HealthCheckAsync(string volume, IEnumerable<string> variables) =>
        ExecAsync(volume, variables, "/bin/sh", "-c", _file.HealthCheck);

    private IEnumerable<string> Arguments(string volume, IEnumerable<string> variables, IEnumerable<string> command) =>
    [
        _root, App("amd64"), volume, _file.User,
        "env", "-i", "-C", _file.Directory, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        .. _file.Environment, .. variables, .. command,
    ];

    private static string Script(string name) => Path.Combine(Repository.Root, "tests", "Deployment.Tests", "Container", name);

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = ChildProcess.Start(program, arguments);
        var code = await process.Ended.WaitAsync(Limit);
        Assert.True(code == 0, $"{program} ended with code {code}: {process.Output}");
    }
}
