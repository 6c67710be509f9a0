using NetVips;

namespace Embeddings.Core.Imaging;

/// <summary>Sets up libvips once, for hostile input and for many small images at a time.</summary>
internal static class Vips
{
    private static readonly Lazy<bool> Started = new(Start);

    [ThreadStatic]
    private static bool _hasWarned;

    /// <summary>
    /// Called before the first image. Throws <see cref="InvalidOperationException"/> if the native library does not
    /// load.
    /// </summary>
    public static void EnsureStarted() => _ = Started.Value;

    /// <summary>
    /// Runs an action and returns whether libvips gave a warning on this thread while it ran. A JPEG decoder gives the
    /// warnings of all its rows when its image is closed.
    /// </summary>
    public static bool Warns(Action action)
    {
        _hasWarned = false;
        action();
        return _hasWarned;
    }

    private static bool Start()
    {
        if (!ModuleInitializer.VipsInitialized)
        {
            throw new InvalidOperationException(
                "libvips could not be loaded; images cannot be decoded.", ModuleInitializer.Exception);
        }

        // libvips writes a warning for every odd image to standard error: a client could fill the disk with them.
        Log.SetLogHandler("VIPS", NetVips.Enums.LogLevelFlags.Warning, static (_, _, _) => _hasWarned = true);

        NetVips.NetVips.BlockUntrusted = true;

        // AVIF has no loader that libvips trusts. It alone is allowed again, and the sniffer lets no other file of its family
        // (HEIC) through.
        Operation.Block("VipsForeignLoadHeif", false);

        // No image comes twice, so that a cache of operations would only hold memory.
        Cache.Max = 0;

        // Requests run concurrently already; more threads for one image would only wait for each other.
        NetVips.NetVips.Concurrency = 1;
        return true;
    }
}
