using System.Net;
using System.Net.Sockets;

namespace Embeddings.Testing;

/// <summary>Programs and servers that environment variables name.</summary>
public static class Tool
{
    /// <summary>The value of the variable, or null if it is not set.</summary>
    public static string? Find(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null;

    /// <summary>The reason why tests that need one of the variables are skipped, or null if one is set.</summary>
    public static string? Missing(params string[] variables) =>
        variables.Any(variable => Find(variable) is not null) ? null : $"{string.Join(" or ", variables)} is not set";

    /// <summary>The value of a variable that the test's attribute has checked.</summary>
    public static string Path(string variable) =>
        Find(variable) ?? throw new InvalidOperationException($"{variable} is not set");

    /// <summary>Loopback ports that no socket listens on now; programs that cannot take port 0 get these.</summary>
    public static int[] FreePorts(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        listeners.ForEach(listener => listener.Start());
        var ports = listeners.Select(listener => ((IPEndPoint)listener.LocalEndpoint).Port).ToArray();
        listeners.ForEach(listener => listener.Dispose());
        return ports;
    }
}
