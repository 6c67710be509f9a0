using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Embeddings.Core.Inference;

/// <summary>
/// Makes the processor take denormal numbers, which are below 1.2e-38, for zero on the calling thread until it is disposed. Training drives
/// the weights of unused filters to such numbers, and Intel's processors compute with them a hundred times slower than with others: the
/// default face model took 6 times as long. Results differ by less than single precision shows.
/// </summary>
/// <remarks>
/// ONNX Runtime's setting of the same name covers the threads of its pools, but not the thread that calls it, on which single-threaded
/// runs do all their work. A thread that is started during this inherits it. Without effect on other processors than x86-64, and on other systems than Linux.
/// </remarks>
internal readonly ref partial struct DenormalNumbers
{
    /// <summary>The setting of a session for the threads of its pool; its value is <c>1</c>.</summary>
    public const string Setting = "session.set_denormal_as_zero";

    // Bits of MXCSR: results that are denormal become zero (FTZ), and so do operands (DAZ). Intel 64 and IA-32 Architectures Software
    // Developer's Manual, volume 1, 10.2.3.
    private const uint FlushBits = (1 << 15) | (1 << 6);

    private const string Library = "libm.so.6";

    private static readonly bool IsSupported = OperatingSystem.IsLinux()
        && RuntimeInformation.ProcessArchitecture == Architecture.X64
        && NativeLibrary.TryLoad(Library, out _);

    private readonly FloatEnvironment _previous;

    private DenormalNumbers(FloatEnvironment previous) => _previous = previous;

    /// <summary>Begins to flush them.</summary>
    public static DenormalNumbers Flush()
    {
        var environment = default(FloatEnvironment);
        if (IsSupported && Get(ref environment) == 0)
        {
            var flushing = environment;
            flushing[FloatEnvironment.Mxcsr] |= FlushBits;
            Set(in flushing);
        }
        return new(environment);
    }

    /// <summary>Restores the previous state of the thread.</summary>
    public void Dispose()
    {
        if (IsSupported)
        {
            Set(in _previous);
        }
    }

    [LibraryImport(Library, EntryPoint = "fegetenv")]
    [SuppressGCTransition]
    private static partial int Get(ref FloatEnvironment environment);

    [LibraryImport(Library, EntryPoint = "fesetenv")]
    [SuppressGCTransition]
    private static partial int Set(in FloatEnvironment environment);

    // fenv_t of x86-64: 28 bytes of the x87 unit, then MXCSR, as in the System V ABI.
    [InlineArray(8)]
    private struct FloatEnvironment
    {
        public const int Mxcsr = 7;

        private uint _first;
    }
}
