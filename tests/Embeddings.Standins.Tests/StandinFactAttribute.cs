using System.Reflection;
using Grpc.Core;

namespace Embeddings.Standins.Tests;

/// <summary>A test of a stand-in; skipped, saying so, where the official packages are there.</summary>
internal sealed class StandinFactAttribute : FactAttribute
{
    public StandinFactAttribute()
    {
        var version = typeof(Metadata).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "";
        if (!version.EndsWith("-standin", StringComparison.Ordinal))
        {
            Skip = "the official packages are in use";
        }
    }
}
