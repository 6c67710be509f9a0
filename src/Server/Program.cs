return await Embeddings.Server.EmbeddingsServer.RunAsync(args, Console.Error);
