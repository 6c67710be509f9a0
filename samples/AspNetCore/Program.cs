using Embeddings.Client;
using Embeddings.V1;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Diagnostics.HealthChecks;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddEmbeddingsClient("Embeddings");
builder.Services.AddHealthChecks().AddCheck<ServiceHealthCheck>("embeddings");
var app = builder.Build();
app.MapHealthChecks("/healthz");
app.MapPost("/search", SearchAsync);
app.Run();

static async Task<IResult> SearchAsync(
    HttpRequest http,
    EmbeddingsClient client,
    CancellationToken cancellationToken,
    string collection = "image_embeddings",
    int limit = 5)
{
    var image = new Image { Encoded = await ByteString.FromStreamAsync(http.Body, cancellationToken) };
    var request = new SearchVectorsRequest
    {
        Collection = collection,
        Queries = { new SearchQuery { Image = image } },
        Limit = limit,
        WithPayload = true,
    };
    try
    {
        var response = await client.SearchVectorsAsync(request, cancellationToken);
        return Results.Ok(response.Results[0].Points.Select(found =>
            new Neighbor(found.Point.PointId, found.Point.Payload.MediaStoreId, found.Score)));
    }
    catch (EmbeddingsException error)
    {
        var status = error.Status switch
        {
            StatusCode.InvalidArgument => StatusCodes.Status400BadRequest,
            StatusCode.NotFound => StatusCodes.Status404NotFound,
            StatusCode.ResourceExhausted or StatusCode.Unavailable => StatusCodes.Status503ServiceUnavailable,
            _ => StatusCodes.Status502BadGateway,
        };
        return Results.Problem(error.Message, statusCode: status, title: error.Reason);
    }
}

internal sealed record Neighbor(string PointId, string MediaStoreId, float Score);

/// <summary>Healthy if the Embeddings service reports SERVING.</summary>
internal sealed class ServiceHealthCheck(EmbeddingsClient client) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            await client.WaitUntilServingAsync(TimeSpan.FromSeconds(2), cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (EmbeddingsException error)
        {
            return HealthCheckResult.Unhealthy(error.Message, error);
        }
    }
}
