using Embeddings.Server.Security;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>Callers that name themselves in a header, in place of an authentication.</summary>
internal sealed class NamedCallers(params Caller[] callers) : IStartupFilter
{
    private const string Header = "x-test-caller";

    private readonly Dictionary<string, Caller> _callers = callers.ToDictionary(caller => caller.Name);

    public static Metadata As(string name) => new() { { Header, name } };

    public static Caller Limited(string name, CallerLimits limits, string collections = "*") =>
        new(name, Access.Manage, [collections], limits);

    /// <summary>Replaces a caller, as a reload of the keys does.</summary>
    public void Replace(Caller caller)
    {
        lock (_callers)
        {
            _callers[caller.Name] = caller;
        }
    }

    public void Add(IServiceCollection services) => services.AddSingleton<IStartupFilter>(this);

    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use(async (context, nextCall) =>
        {
            lock (_callers)
            {
                if (_callers.TryGetValue($"{context.Request.Headers[Header]}", out var caller))
                {
                    context.Features.Set(caller);
                }
            }
            await nextCall(context);
        });
        next(app);
    };
}
