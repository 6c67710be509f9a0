namespace Embeddings.Client;

/// <summary>How calls are spread over several addresses.</summary>
public enum LoadBalancing
{
    /// <summary>Each call or stream goes to the next server that is reachable.</summary>
    RoundRobin = 0,

    /// <summary>All go to the first server that is reachable, in the order of the addresses.</summary>
    PickFirst = 1,
}
