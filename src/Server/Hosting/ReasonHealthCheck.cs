using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Embeddings.Server.Hosting;

/// <summary>A health check that asks for a reason: none is healthy.</summary>
internal sealed class ReasonHealthCheck(Func<CancellationToken, Task<string?>> reason) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        await reason(cancellationToken) is { } why ? HealthCheckResult.Unhealthy(why) : HealthCheckResult.Healthy();
}
