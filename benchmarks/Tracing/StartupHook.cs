using Embeddings.Benchmarks.Tracing;

/// <summary>
/// Runs a recorder in a server process that has no code for it: .NET calls this before the program if <c>DOTNET_STARTUP_HOOKS</c> names this assembly.
/// </summary>
/// <remarks>.NET prescribes the name, no namespace, and the method.</remarks>
#pragma warning disable CA1050 // Types belong in namespaces.
internal static class StartupHook
#pragma warning restore CA1050
{
    public static void Initialize()
    {
        if (Environment.GetEnvironmentVariable(CallTrace.FileVariable) is { } file)
        {
            new EventRecorder().WriteWhenAsked(file);
        }
    }
}
