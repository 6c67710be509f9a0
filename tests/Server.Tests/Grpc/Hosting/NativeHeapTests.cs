using System.Runtime.InteropServices;
using Embeddings.Server.Hosting;
using Embeddings.Testing;

namespace Embeddings.Server.Tests.Grpc.Hosting;

public sealed class NativeHeapTests
{
    [Fact]
    public void The_C_library_takes_the_limits_if_it_is_glibc() => Assert.Equal(IsGlibc(), NativeHeap.Limit());

    private static bool IsGlibc() =>
        OperatingSystem.IsLinux() && NativeLibrary.TryLoad("libc.so.6", out var library) && NativeLibrary.TryGetExport(library, "gnu_get_libc_version", out _);
}
