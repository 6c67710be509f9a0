using System.Buffers;
using Embeddings.Core.Models;
using Embeddings.Primitives;

namespace Embeddings.Core.Imaging;

/// <summary>
/// Pixels of exactly the model's size, ready to be laid out: pooled, or the request's own if they needed no work.
/// </summary>
internal sealed class PreparedImage : IDisposable
{
    private readonly ReadOnlyMemory<byte> _pixels;
    private readonly PixelFormat _format;
    private byte[]? _pooled;

    /// <summary>Uses the request's own memory, which must not change until this is disposed.</summary>
    public PreparedImage(ReadOnlyMemory<byte> pixels, PixelFormat format)
    {
        _pixels = pixels;
        _format = format;
    }

    private PreparedImage(byte[] pooled, int length, PixelFormat format)
        : this(pooled.AsMemory(0, length), format) => _pooled = pooled;

    /// <summary>Uses a pooled array, which <see cref="Dispose"/> returns.</summary>
    public static PreparedImage Pooled(byte[] array, int length, PixelFormat format) => new(array, length, format);

    /// <summary>
    /// Writes (x - mean) / std, channels first, in the model's channel order; floats are only sorted. Colors become luminance
    /// if the model has one channel. Throws a fault if floats are not finite; the content of the tensor is then undefined.
    /// </summary>
    /// <param name="tensor"><see cref="InputSpec.TensorLength"/> floats.</param>
    /// <param name="spec">Parameters the image was prepared for.</param>
    public void WriteTo(Span<float> tensor, InputSpec spec)
    {
        if (tensor.Length != spec.TensorLength)
        {
            throw new ArgumentException($"The tensor must have {spec.TensorLength} values; got {tensor.Length}.", nameof(tensor));
        }
        var swap = _format is PixelFormat.Bgr8 or PixelFormat.BgrF32 != (spec.ColorOrder == ColorOrder.Bgr);
        switch (_format)
        {
            case PixelFormat.Gray8:
                ByteLayout.Gray(_pixels.Span, tensor, spec);
                break;
            case PixelFormat.Rgb8 or PixelFormat.Bgr8 when spec.Channels == 1:
                ByteLayout.Luminance(_pixels.Span, tensor, spec, _format == PixelFormat.Bgr8);
                break;
            case PixelFormat.Rgb8 or PixelFormat.Bgr8:
                ByteLayout.Colors(_pixels.Span, tensor, spec, swap);
                break;
            default:
                if (!FloatLayout.TryWrite(_pixels.Span, tensor, swap))
                {
                    throw Fault.Invalid(Reasons.PixelsNotFinite, ImageRules.Data, "Pixels must be finite; got NaN or infinity.");
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
