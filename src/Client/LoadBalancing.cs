namespace Embeddings.Client;

/// <summary>Distribution of calls over several addresses.</summary>
public enum LoadBalancing
{
    /// <summary>Each call or stream is sent to the next reachable server.</summary>
    RoundRobin = 0,

    /// <summary>All calls are sent to the first reachable server, in the order of the addresses.</summary>
    PickFirst = 1,
}
