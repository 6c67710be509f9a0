using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Embeddings.Server.Audit;

/// <summary>Registration of the audit log.</summary>
internal static class AuditRegistration
{
    /// <summary>Adds the audit log; it does nothing unless <see cref="AuditOptions.File"/> is set.</summary>
    public static IServiceCollection AddAudit(this IServiceCollection services)
    {
        services.TryAddSingleton<AuditLog>();
        return services.AddHostedService(static services => services.GetRequiredService<AuditLog>());
    }
}
