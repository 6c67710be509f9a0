namespace Embeddings.IntegrationTests.Fuzzing;

/// <summary>Damages bytes. The same seed gives the same damage.</summary>
internal sealed class Mutator(int seed)
{
    private static readonly byte[] Bytes = [0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x20];
    private static readonly int[] Integers = [0, 1, -1, int.MaxValue, int.MinValue, 0xffff, 0x10000, 0x7fff, 1 << 24, 1 << 30];

    public Random Random { get; } = new(seed);

    /// <summary>Returns a damaged copy of one of the samples: one to eight changes, up to two times the length.</summary>
    public byte[] Damage(IReadOnlyList<byte[]> samples)
    {
        var bytes = new List<byte>(Pick(samples));
        for (var changes = 1 << Random.Next(4); changes > 0; changes--)
        {
            Change(bytes, samples);
        }
        return [.. bytes];
    }

    public T Pick<T>(IReadOnlyList<T> list) => list[Random.Next(list.Count)];

    /// <summary>Returns random bytes.</summary>
    public byte[] Noise(int most)
    {
        var noise = new byte[Random.Next(most + 1)];
        Random.NextBytes(noise);
        return noise;
    }

    private void Change(List<byte> bytes, IReadOnlyList<byte[]> samples)
    {
        if (bytes.Count == 0)
        {
            bytes.AddRange(Noise(16));
            return;
        }
        // Most formats have their structure at the start.
        var at = Random.Next(2) == 0 ? Random.Next(Math.Min(bytes.Count, 64)) : Random.Next(bytes.Count);
        var length = Math.Min(1 + Random.Next(1 << Random.Next(10)), bytes.Count - at);
        switch (Random.Next(9))
        {
            case 0:
                bytes[at] ^= (byte)(1 << Random.Next(8));
                break;
            case 1:
                bytes[at] = Pick(Bytes);
                break;
            case 2:
                bytes.RemoveRange(at, length);
                break;
            case 3 when bytes.Count < 2 * samples.Max(sample => sample.Length):
                bytes.InsertRange(at, bytes.GetRange(at, length));
                break;
            case 4:
                bytes.InsertRange(at, Noise(16));
                break;
            case 5:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
            case 6:
                Write(bytes, at, BitConverter.GetBytes(Pick(Integers)));
                break;
            case 7:
                var integer = BitConverter.GetBytes(Pick(Integers));
                Array.Reverse(integer);
                Write(bytes, at, integer);
                break;
            default:
                var other = Pick(samples);
                var from = Random.Next(other.Length);
                Write(bytes, at, other.AsSpan(from, Math.Min(length, other.Length - from)));
                break;
        }
    }

    private static void Write(List<byte> bytes, int at, ReadOnlySpan<byte> values)
    {
        for (var i = 0; i < values.Length && at + i < bytes.Count; i++)
        {
            bytes[at + i] = values[i];
        }
    }
}
