namespace Embeddings.Core.Batching;

/// <summary>
/// At how many items a batch is full. The most that the model takes is not always the fastest: on a processor the numbers between the layers of a small batch
/// stay in its caches, those of a large one do not; on a device a large one costs no more than a small one. So it is found by trial, under load: full batches
/// of the present size and of half or double of it take turns, and the one with the lower median time for an item stays. Belongs to its queue, which alone
/// changes it, under its lock.
/// </summary>
internal sealed class BatchSizer
{
    // In the middle: from here trials are short, and both the few of small caches and the many of a device are near.
    private const int First = 8;

    // Runs of each size in a trial: where single runs scatter by a tenth, the median of so few is good for about four parts in a hundred.
    private const int Runs = 11;

    // A trial of more runs than this has a size that the load does not fill.
    private const int MostRuns = 10 * Runs;

    // A size must be better by more than what chance does.
    private const double Better = 0.95;

    // Full batches between trials: seldom once the best is known, for a trial costs time, but not never, for the load changes.
    private const int FirstRest = 4;
    private const int ShortestRest = 64;
    private const int LongestRest = 4096;

    // What a batch costs besides its run (waking, answering, filling the next), so that runs of no time at all do not become small.
    private static readonly TimeSpan Overhead = TimeSpan.FromMicroseconds(100);

    private readonly int _largest;
    private readonly List<double> _own = [];
    private readonly List<double> _others = [];
    private int _other;
    private bool _down = true;
    private bool _isSecondWay;
    private bool _turn;
    private int _rest = ShortestRest;
    private int _left = FirstRest;

    /// <param name="largest">The most items that a batch can have, at least 1.</param>
    public BatchSizer(int largest)
    {
        _largest = largest;
        Size = Math.Min(First, largest);
    }

    /// <summary>The size that is the best so far.</summary>
    public int Size { get; private set; }

    /// <summary>The size of the batch that is opened now.</summary>
    public int Next()
    {
        _turn = !_turn;
        return _other > 0 && _turn ? _other : Size;
    }

    /// <summary>A batch has run, as all those of which it learns: side by side with others, or all by themselves.</summary>
    public void Ran(int items, TimeSpan took)
    {
        if (_other == 0)
        {
            if (items == Size && --_left <= 0)
            {
                Try();
            }
            return;
        }
        var times = items == Size ? _own : items == _other ? _others : null;
        times?.Add((took + Overhead).TotalMicroseconds / items);
        if (_own.Count >= Runs && _others.Count >= Runs)
        {
            Decide();
        }
        else if (_own.Count + _others.Count >= MostRuns)
        {
            TurnRound();
        }
    }

    private static double Median(List<double> times)
    {
        times.Sort();
        return times[times.Count / 2];
    }

    private void Decide()
    {
        if (Median(_others) < Better * Median(_own))
        {
            Size = _other;
            _rest = ShortestRest;
            // The way it came from is known to be worse.
            _isSecondWay = true;
            Try();
            return;
        }
        TurnRound();
    }

    private void TurnRound()
    {
        _down = !_down;
        if (!_isSecondWay)
        {
            _isSecondWay = true;
            Try();
            return;
        }
        (_other, _isSecondWay) = (0, false);
        _left = _rest;
        _rest = Math.Min(4 * _rest, LongestRest);
    }

    private void Try()
    {
        _own.Clear();
        _others.Clear();
        _other = _down ? Size / 2 : Math.Min(2 * Size, _largest);
        if (_other == 0 || _other == Size)
        {
            TurnRound();
        }
    }
}
