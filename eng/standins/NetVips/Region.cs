using System.Runtime.InteropServices;

namespace NetVips;

/// <summary>A window on an image's pixels, computed by the thread that asks for them. Made, used and given back by one thread.</summary>
public sealed class Region : GObject
{
    Region(nint pointer) : base(pointer) { }

    /// <summary>A window on <paramref name="image"/>.</summary>
    public static Region New(Image image) =>
        Vips.vips_region_new(image) is not 0 and var pointer ? new(pointer) : throw new VipsException("unable to make region");

    /// <summary>The pixels of a rectangle, row by row without gaps.</summary>
    public byte[] Fetch(int left, int top, int width, int height)
    {
        var data = Vips.vips_region_fetch(this, left, top, width, height, out var size);
        if (data == 0)
            throw new VipsException("unable to fetch from region");
        try
        {
            var pixels = GC.AllocateUninitializedArray<byte>(checked((int)size));
            Marshal.Copy(data, pixels, 0, pixels.Length);
            return pixels;
        }
        finally
        {
            Vips.g_free(data);
        }
    }
}
