using NetVips;

namespace Embeddings.Core.Imaging;

/// <summary>libvips, set up once for hostile input and for many small pictures at a time.</summary>
internal static class Vips
{
    private static readonly Lazy<bool> Started = new(Start);

    /// <summary>Call before the first picture. Throws <see cref="InvalidOperationException"/> where the native library does not load.</summary>
    public static void EnsureStarted() => _ = Started.Value;

    private static bool Start()
    {
        if (!ModuleInitializer.VipsInitialized)
        {
            throw new InvalidOperationException("libvips did not load: pictures cannot be decoded", ModuleInitializer.Exception);
        }

        // A warning for every odd picture, on standard error: whoever sends pictures could fill the disk with them.
        Log.SetLogHandler("VIPS", NetVips.Enums.LogLevelFlags.Warning, static (_, _, _) => { });

        NetVips.NetVips.BlockUntrusted = true;

        // AVIF has no loader that libvips trusts. It is reopened alone, and the sniffer lets no other file of its family (HEIC) come here.
        Operation.Block("VipsForeignLoadHeif", false);

        // No picture comes twice, so that a cache of operations would only hold memory.
        Cache.Max = 0;

        // Requests run side by side already; more threads for one picture would only wait for each other.
        NetVips.NetVips.Concurrency = 1;
        return true;
    }
}
