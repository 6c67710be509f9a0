using System.Runtime.InteropServices;
using Embeddings.Server.Hosting;

namespace Embeddings.Server.Tests.Hosting;

public sealed class NativeHeapTests
{
    [Fact]
    public void The_limits_are_set_if_the_C_library_is_glibc() => Assert.Equal(IsGlibc(), NativeHeap.Limit());

    private static bool IsGlibc() =>
        OperatingSystem.IsLinux()
        && NativeLibrary.TryLoad("libc.so.6", out var library)
        && NativeLibrary.TryGetExport(library, "gnu_get_libc_version", out _);
}
