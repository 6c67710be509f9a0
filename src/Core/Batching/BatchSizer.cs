namespace Embeddings.Core.Batching;

/// <summary>
/// Decides at how many items a batch is full. The model's largest batch is not always the fastest: on a processor the
/// activations of a small batch stay in the caches and those of a large one do not; on a device a large batch costs no more
/// than a small one. So the size is found by trial: runs of the current size and of half or double of it alternate, and the
/// one with the lower median time per item stays. Each model is tried once on a machine; <see cref="BatchTrials"/> makes the
/// runs. Not thread-safe.
/// </summary>
internal sealed class BatchSizer
{
    /// <summary>
    /// The size before any trial. In the middle: from here the small sizes of small caches and the large ones of a device are
    /// near.
    /// </summary>
    public const int First = 8;

    // Runs of each size in a trial: if single runs scatter by a tenth, the median of this many is good to about 4 %.
    private const int Runs = 11;

    // A size must be better by more than chance.
    private const double Better = 0.95;

    // Cost of a batch besides its run (waking, completing, filling the next), so that the size does not shrink if runs take
    // no time at all.
    private static readonly TimeSpan Overhead = TimeSpan.FromMicroseconds(100);

    private readonly int _largest;
    private readonly List<double> _currentTimes = [];
    private readonly List<double> _candidateTimes = [];
    private int _candidate;
    private bool _down = true;
    private bool _isSecondDirection;

    /// <param name="largest">Most items in a batch, at least 1.</param>
    /// <param name="known">The size that earlier trials found; it stays if it is from 1 to <paramref name="largest"/>.</param>
    public BatchSizer(int largest, int known = 0)
    {
        _largest = largest;
        if (known > 0 && known <= largest)
        {
            Size = known;
            return;
        }
        Size = Math.Min(First, largest);
        StartTrial();
    }

    /// <summary>The best size so far.</summary>
    public int Size { get; private set; }

    /// <summary>True if no more trials are needed.</summary>
    public bool IsSettled => _candidate == 0;

    /// <summary>The size of the next run.</summary>
    public int Next() => _candidateTimes.Count < _currentTimes.Count ? _candidate : Size;

    /// <summary>
    /// Records a run of <see cref="Next"/>. All recorded runs must be of one kind: concurrent with others, or each alone.
    /// </summary>
    /// <returns>True if a trial has ended and its candidate has lost.</returns>
    public bool Ran(int items, TimeSpan duration)
    {
        if (IsSettled)
        {
            return false;
        }
        (items == Size ? _currentTimes : _candidateTimes).Add((duration + Overhead).TotalMicroseconds / items);
        return _candidateTimes.Count >= Runs && Decide();
    }

    /// <summary>Ends the current trial: its candidate is not usable.</summary>
    public void Skip() => ChangeDirection();

    /// <summary>Ends the trials: the size stays what it is.</summary>
    public void Stop() => _candidate = 0;

    private static double Median(List<double> times)
    {
        times.Sort();
        return times[times.Count / 2];
    }

    // True if the candidate has lost.
    private bool Decide()
    {
        if (Median(_candidateTimes) < Better * Median(_currentTimes))
        {
            Size = _candidate;
            // The size it came from is known to be worse.
            _isSecondDirection = true;
            StartTrial();
            return false;
        }
        ChangeDirection();
        return true;
    }

    private void ChangeDirection()
    {
        _down = !_down;
        if (_isSecondDirection)
        {
            _candidate = 0;
            return;
        }
        _isSecondDirection = true;
        StartTrial();
    }

    private void StartTrial()
    {
        _currentTimes.Clear();
        _candidateTimes.Clear();
        _candidate = _down ? Size / 2 : Math.Min(2 * Size, _largest);
        if (_candidate == 0 || _candidate == Size)
        {
            ChangeDirection();
        }
    }
}
