using Embeddings.Benchmarks;

return await BenchCommand.RunAsync(args);
