using Embeddings.Server;

await EmbeddingsServer.Create(args).RunAsync();
