using Embeddings.Samples.IngestionWorker;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

var builder = Host.CreateApplicationBuilder(args);
builder.Services.AddEmbeddingsClient("Embeddings");
builder.Services.AddOptions<IngestionOptions>().BindConfiguration("Ingestion").ValidateDataAnnotations().ValidateOnStart();
builder.Services.AddHostedService<IngestionWorker>();
await builder.Build().RunAsync();
