using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Embeddings.Deployment.Tests.Container;

/// <summary>
/// A test that runs the image's root filesystem: on Linux x64, as root, with Debian's package manager, after the publish
/// step. Skipped with the reason otherwise.
/// </summary>
public sealed class ImageFactAttribute : FactAttribute
{
    public ImageFactAttribute([CallerFilePath] string? sourceFilePath = null, [CallerLineNumber] int sourceLineNumber = -1)
        : base(sourceFilePath, sourceLineNumber) => Skip = Missing();

    private static string? Missing()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.OSArchitecture != Architecture.X64 || !File.Exists("/etc/debian_version"))
        {
            return "the machine is not Debian on x64";
        }
        return !Environment.IsPrivilegedProcess
            ? "mounts and chroot need root"
            : PublishedFactAttribute.Missing("amd64");
    }
}

/// <summary>A test of the published programs; skipped with the reason before the publish step.</summary>
public sealed class PublishedFactAttribute : FactAttribute
{
    public PublishedFactAttribute([CallerFilePath] string? sourceFilePath = null, [CallerLineNumber] int sourceLineNumber = -1)
        : base(sourceFilePath, sourceLineNumber) => Skip = Missing("amd64") ?? Missing("arm64");

    internal static string? Missing(string architecture) =>
        Directory.Exists(RootFilesystem.App(architecture)) ? null : $"nothing is published for {architecture}: ./build.sh publish";
}
