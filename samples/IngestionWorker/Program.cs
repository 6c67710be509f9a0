using Embeddings.Samples.IngestionWorker;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

var builder = Host.CreateApplicationBuilder(args);
builder.Services.AddEmbeddingsClient("Embeddings");
builder.Services.AddOptions<IngestionOptions>()
    .BindConfiguration("Ingestion")
    .Validate(options => options.Items.Length > 0, "Ingestion:Items must be the path of an item list.")
    .ValidateOnStart();
builder.Services.AddHostedService<IngestionWorker>();
await builder.Build().RunAsync();
