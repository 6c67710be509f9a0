using System.Buffers;
using Embeddings.Core.Models;
using Embeddings.Primitives;

namespace Embeddings.Core.Imaging;

/// <summary>Pixels of exactly the model's size, ready to be laid out: pooled ones, or the request's own where they needed no work.</summary>
internal sealed class PreparedImage : IDisposable
{
    private readonly ReadOnlyMemory<byte> _pixels;
    private readonly PixelFormat _format;
    private byte[]? _pooled;

    /// <summary>The request's own memory, which has to stay as it is until this is disposed.</summary>
    public PreparedImage(ReadOnlyMemory<byte> pixels, PixelFormat format) => (_pixels, _format) = (pixels, format);

    private PreparedImage(byte[] pooled, int length, PixelFormat format)
        : this(pooled.AsMemory(0, length), format) => _pooled = pooled;

    /// <summary>Pixels of a pooled array, which goes back on <see cref="Dispose"/>.</summary>
    public static PreparedImage Pooled(byte[] array, int length, PixelFormat format) => new(array, length, format);

    /// <summary>
    /// Writes (x - mean) / std, channels first, in the model's channel order; floats are only sorted. Throws a fault, and leaves the tensor in no defined
    /// state, where floats are not finite.
    /// </summary>
    /// <param name="tensor"><see cref="InputSpec.TensorLength"/> floats.</param>
    /// <param name="spec">The one that it was prepared for.</param>
    public void WriteTo(Span<float> tensor, InputSpec spec)
    {
        if (tensor.Length != spec.TensorLength)
        {
            throw new ArgumentException($"the tensor has {tensor.Length} floats instead of {spec.TensorLength}", nameof(tensor));
        }
        var swap = _format is PixelFormat.Bgr8 or PixelFormat.BgrF32 != (spec.ColorOrder == ColorOrder.Bgr);
        switch (_format)
        {
            case PixelFormat.Gray8:
                ByteLayout.Gray(_pixels.Span, tensor, spec);
                break;
            case PixelFormat.Rgb8 or PixelFormat.Bgr8:
                ByteLayout.Colors(_pixels.Span, tensor, spec, swap);
                break;
            default:
                if (!FloatLayout.TryWrite(_pixels.Span, tensor, swap))
                {
                    throw Fault.Invalid(Reasons.PixelsNotFinite, ImageFaults.Data, "A pixel is not a finite number.");
                }
                break;
        }
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _pooled, null) is { } array)
        {
            ArrayPool<byte>.Shared.Return(array);
        }
    }
}
