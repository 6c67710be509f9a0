namespace Embeddings.Core.Memory;

/// <summary>
/// The memory for work in flight: what the process may use, less what it uses anyway (models, the store's index). Three eighths
/// of it are for messages that are received, parsed or wait in a queue, as much for images that are decoded, and the rest for
/// photos in which faces are looked for, so that none waits for another kind. What is left, a quarter of the limit, is for
/// everything that is not counted.
/// </summary>
internal sealed class MemoryBudget
{
    /// <summary>Messages up to this size are not charged once they are parsed: the queues bound their number.</summary>
    public const int SmallBytes = 64 << 10;

    /// <summary>Charges above this size are large.</summary>
    public const int MediumBytes = 1 << 20;

    // Objects of this size and more are collected only with generation 2.
    private const int LargeObject = 85_000;

    private const long Mebibyte = 1 << 20;

    // More only wait for the detector.
    private const int MaxPhotos = 256;

    private readonly Lock _lock = new();
    private readonly long _usable;
    private readonly long _floor;
    private long _initial;
    private long _garbage;
    private int _collections;

    public MemoryBudget(MemoryOptions options, ImagingOptions imaging)
    {
        Limit = LimitOf(options);
        // A limit on the managed heap that is lower was set on purpose.
        _usable = Math.Min(Limit / 4 * 3, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
        _floor = Math.Max(Limit / 16, 16 * Mebibyte);
        _initial = Math.Max(_usable, _floor);
        Slots = imaging.MaxConcurrentDecodes > 0 ? imaging.MaxConcurrentDecodes : Environment.ProcessorCount;
        Messages = new(int.MaxValue, Share(_initial));
        Decoding = new(Slots, Share(_initial));
        Photos = new(MaxPhotos, Rest(_initial));
    }

    /// <summary>Memory that the process may use, bytes.</summary>
    public long Limit { get; }

    /// <summary>Images decoded concurrently.</summary>
    public int Slots { get; }

    /// <summary>Messages that are received and parsed, and images in queues.</summary>
    public FairGate Messages { get; }

    /// <summary>Images that are decoded.</summary>
    public FairGate Decoding { get; }

    /// <summary>Photos in which faces are looked for, each as a whole in memory.</summary>
    public FairGate Photos { get; }

    /// <summary>Bytes in use.</summary>
    public long Used => Messages.Used + Decoding.Used + Photos.Used;

    /// <summary>True if other parts of the process have taken more than half of the budget since the start.</summary>
    public bool IsScarce { get; private set; }

    /// <summary>Returns the memory that the process may use, bytes.</summary>
    public static long LimitOf(MemoryOptions options) => options.LimitBytes > 0 ? options.LimitBytes : Available();

    /// <summary>
    /// Adapts the budget to the memory that the process uses apart from it. The first call, when the models are loaded and the
    /// store is open, fixes the largest message and image.
    /// </summary>
    /// <param name="resident">Resident memory of the process, bytes.</param>
    /// <param name="isInitial">True for the first call.</param>
    public void Adapt(long resident, bool isInitial = false)
    {
        var bytes = Math.Max(_usable - Math.Max(resident - Used, 0), _floor);
        if (isInitial)
        {
            _initial = bytes;
        }
        bytes = Math.Min(bytes, _initial);
        IsScarce = bytes < _initial / 2;
        Messages.Resize(Share(bytes), isInitial);
        Decoding.Resize(Share(bytes), isInitial);
        Photos.Resize(Rest(bytes), isInitial);
    }

    /// <summary>
    /// Counts a large array that is no longer used. The garbage collector does not know the native memory of the process and
    /// would let garbage grow to the limit of the container; it runs when a quarter of the budget is garbage.
    /// </summary>
    public void Discard(long bytes)
    {
        if (bytes < LargeObject)
        {
            return;
        }
        lock (_lock)
        {
            var collections = GC.CollectionCount(GC.MaxGeneration);
            _garbage = collections == _collections ? _garbage + bytes : bytes;
            _collections = collections;
            if (_garbage < Math.Max(_initial / 4, 16 * Mebibyte))
            {
                return;
            }
            _garbage = 0;
        }
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true);
    }

    private static long Share(long bytes) => bytes / 8 * 3;

    private static long Rest(long bytes) => bytes - (2 * Share(bytes));

    // The collector knows the limit of the container; it counts memory as scarce from 90 % of it on.
    private static long Available()
    {
        var info = GC.GetGCMemoryInfo();
        var physical = (long)(info.HighMemoryLoadThresholdBytes / 0.9);
        return physical > 0 ? physical : info.TotalAvailableMemoryBytes;
    }
}
