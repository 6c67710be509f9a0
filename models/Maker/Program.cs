using Embeddings.Models.Maker;

var folder = args.Length == 1 ? args[0] : "models";
foreach (var model in BuiltInModel.All())
{
    File.WriteAllBytes(Path.Combine(folder, model.Name + ".onnx"), model.Graph.Span);
    File.WriteAllText(Path.Combine(folder, model.Name + ".json"), model.Manifest);
    Console.WriteLine($"{model.Name}: {model.Graph.Length:N0} bytes");
}
