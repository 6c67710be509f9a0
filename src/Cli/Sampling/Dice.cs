namespace Embeddings.Cli.Sampling;

/// <summary>
/// Numbers that look random and are the same on every machine and every version of .NET: SplitMix64 (Steele, Lea and Flood, 2014). Not for secrets.
/// </summary>
internal sealed class Dice(ulong seed)
{
    private ulong _state = seed;

    /// <summary>Dice of their own for a thing within a thing, so that drawing one more cloud does not change all that comes after.</summary>
    public static Dice For(ulong seed, int kind, int subject, int part) =>
        new(new Dice(new Dice(new Dice(seed + (ulong)kind).Next() + (ulong)subject).Next() + (ulong)part).Next());

    public ulong Next()
    {
        _state += 0x9E3779B97F4A7C15;
        var z = _state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>From <paramref name="low"/> to <paramref name="high"/>, the upper end left out.</summary>
    public float Between(float low, float high) => low + ((high - low) * ((Next() >> 40) / (float)(1 << 24)));

    /// <summary>0 to <paramref name="count"/> - 1.</summary>
    public int Below(int count) => (int)(Next() % (ulong)count);

    public bool Chance(float probability) => Between(0, 1) < probability;

    public T Pick<T>(IReadOnlyList<T> from) => from[Below(from.Count)];
}
