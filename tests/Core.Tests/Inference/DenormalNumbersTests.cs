using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Embeddings.Core.Inference;

namespace Embeddings.Core.Tests.Inference;

/// <summary>Denormal numbers count as zero on one thread, for a while.</summary>
public sealed class DenormalNumbersTests
{
    private static readonly float Denormal = BitConverter.Int32BitsToSingle(1 << 20);

    [Fact]
    public void They_are_zero_until_it_is_disposed_as_operands_and_as_results()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64, "needs Linux on x86-64");
        Assert.Equal(1 << 21, Bits(Denormal, 2));
        int operand, result;
        using (DenormalNumbers.Flush())
        {
            (operand, result) = (Bits(Denormal, 1e38f), Bits(1e-20f, 1e-20f));
        }
        Assert.Equal((0, 0), (operand, result));
        Assert.Equal(1 << 21, Bits(Denormal, 2));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Bits(float left, float right) => BitConverter.SingleToInt32Bits(left * right);
}
