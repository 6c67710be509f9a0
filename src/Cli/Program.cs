return await Embeddings.Cli.EmbeddingsCommand.RunAsync(args, Console.Out, Console.Error);
