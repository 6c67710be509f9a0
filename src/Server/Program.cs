using Embeddings.Server;

return await EmbeddingsServer.RunAsync(args, Console.Error);
