namespace Embeddings.Primitives;

/// <summary>Finds the known name that is nearest to a misspelt one, for error messages.</summary>
internal static class NearestName
{
    // Shorter beginnings fit too many names.
    private const int MinPrefix = 2;

    /// <summary>
    /// Returns the known name with the fewest changed characters, or null if more than a third of the characters differ.
    /// Case does not count.
    /// </summary>
    public static string? Of(string name, IEnumerable<string> known)
    {
        var limit = name.Length / 3;
        var names = known.ToList();
        return names.Select(candidate => (Name: candidate, Distance: Distance(name, candidate)))
            .Where(candidate => candidate.Distance <= limit && candidate.Distance < candidate.Name.Length)
            .OrderBy(candidate => candidate.Distance)
            .Select(candidate => candidate.Name)
            .FirstOrDefault()
            ?? names.Find(candidate =>
                name.Length >= MinPrefix && candidate.StartsWith(name, StringComparison.OrdinalIgnoreCase));
    }

    // Optimal string alignment: insertions, deletions, substitutions, and swaps of neighbors cost 1 each.
    private static int Distance(string left, string right)
    {
        var (a, b) = (left.ToUpperInvariant(), right.ToUpperInvariant());
        var costs = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
        {
            for (var j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    costs[i, j] = i + j;
                    continue;
                }
                var substituted = costs[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                costs[i, j] = Math.Min(substituted, Math.Min(costs[i - 1, j], costs[i, j - 1]) + 1);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    costs[i, j] = Math.Min(costs[i, j], costs[i - 2, j - 2] + 1);
                }
            }
        }
        return costs[a.Length, b.Length];
    }
}
