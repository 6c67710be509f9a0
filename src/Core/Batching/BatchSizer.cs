namespace Embeddings.Core.Batching;

/// <summary>
/// Decides at how many items a batch is full. The model's largest batch is not always the fastest: on a processor the
/// activations of a small batch stay in the caches and those of a large one do not; on a device a large batch costs no more
/// than a small one. So the size is found by trial, under load: full batches of the current size and of half or double of it
/// alternate, and the one with the lower median time per item stays. Belongs to its queue, which alone changes it, under its
/// lock.
/// </summary>
internal sealed class BatchSizer
{
    // In the middle: from here trials are short, and the small sizes of small caches and the large ones of a device are near.
    private const int First = 8;

    // Runs of each size in a trial: if single runs scatter by a tenth, the median of this many is good to about 4 %.
    private const int Runs = 11;

    // A trial of more runs than this has a size that the load does not fill.
    private const int MaxRuns = 10 * Runs;

    // A size must be better by more than chance.
    private const double Better = 0.95;

    // Full batches between trials: rarely once the best is known, since a trial costs time, but not never, since the load
    // changes.
    private const int FirstRest = 4;
    private const int ShortestRest = 64;
    private const int LongestRest = 4096;

    // Cost of a batch besides its run (waking, completing, filling the next), so that the size does not shrink if runs take
    // no time at all.
    private static readonly TimeSpan Overhead = TimeSpan.FromMicroseconds(100);

    private readonly int _largest;
    private readonly List<double> _currentTimes = [];
    private readonly List<double> _candidateTimes = [];
    private int _candidate;
    private bool _down = true;
    private bool _isSecondDirection;
    private bool _alternate;
    private int _rest = ShortestRest;
    private int _untilTrial = FirstRest;

    /// <param name="largest">Most items in a batch, at least 1.</param>
    public BatchSizer(int largest)
    {
        _largest = largest;
        Size = Math.Min(First, largest);
    }

    /// <summary>The best size so far.</summary>
    public int Size { get; private set; }

    /// <summary>The size of the next batch.</summary>
    public int Next()
    {
        _alternate = !_alternate;
        return _candidate > 0 && _alternate ? _candidate : Size;
    }

    /// <summary>Records a run. All recorded runs must be of one kind: concurrent with others, or each alone.</summary>
    public void Ran(int items, TimeSpan duration)
    {
        if (_candidate == 0)
        {
            if (items == Size && --_untilTrial <= 0)
            {
                StartTrial();
            }
            return;
        }
        var perItem = (duration + Overhead).TotalMicroseconds / items;
        if (items == Size)
        {
            _currentTimes.Add(perItem);
        }
        else if (items == _candidate)
        {
            _candidateTimes.Add(perItem);
        }
        if (_currentTimes.Count >= Runs && _candidateTimes.Count >= Runs)
        {
            Decide();
        }
        else if (_currentTimes.Count + _candidateTimes.Count >= MaxRuns)
        {
            ChangeDirection();
        }
    }

    private static double Median(List<double> times)
    {
        times.Sort();
        return times[times.Count / 2];
    }

    private void Decide()
    {
        if (Median(_candidateTimes) < Better * Median(_currentTimes))
        {
            Size = _candidate;
            _rest = ShortestRest;
            // The size it came from is known to be worse.
            _isSecondDirection = true;
            StartTrial();
            return;
        }
        ChangeDirection();
    }

    private void ChangeDirection()
    {
        _down = !_down;
        if (!_isSecondDirection)
        {
            _isSecondDirection = true;
            StartTrial();
            return;
        }
        _candidate = 0;
        _isSecondDirection = false;
        _untilTrial = _rest;
        _rest = Math.Min(4 * _rest, LongestRest);
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
