using Embeddings.Models.Maker;

if (args is not [var packages, var archive, var sources, var models])
{
    Console.Error.WriteLine("usage: Embeddings.Models.Maker NUGET_PACKAGES NPM_ARCHIVE SOURCES MODELS");
    return 2;
}
try
{
    var package = Path.Combine(packages, "microsoft.ml.dnnimagefeaturizer.resnet18", PublishedFile.ResNet18.Version);
    var (preprocess, resnet) = (PublishedFile.ResNetPreprocess.ReadFrom(package), PublishedFile.ResNet18.ReadFrom(package));
    var face = PublishedFile.MobileFaceNet.ReadFromArchive(archive);

    // The tests compare the models with what they were made from.
    Directory.CreateDirectory(sources);
    File.WriteAllBytes(Path.Combine(sources, PublishedFile.ResNetPreprocess.Name), preprocess);
    File.WriteAllBytes(Path.Combine(sources, PublishedFile.ResNet18.Name), resnet);
    File.WriteAllBytes(Path.Combine(sources, PublishedFile.MobileFaceNet.Name), face);

    Directory.CreateDirectory(models);
    Write(TrainedModel.ResNet18(preprocess, resnet), PublishedFile.ResNetLicence.ReadFrom(package));
    Write(TrainedModel.MobileFaceNet(face), PublishedFile.FaceLicence.ReadFromArchive(archive));
    return 0;
}
catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(e.Message);
    return 1;
}

void Write(TrainedModel model, byte[] licence)
{
    File.WriteAllBytes(Path.Combine(models, $"{model.Name}.onnx"), model.Graph.Span);
    if (model.Data is { } data)
    {
        File.WriteAllBytes(Path.Combine(models, $"{model.Name}.onnx.data"), data.Span);
    }
    File.WriteAllText(Path.Combine(models, $"{model.Name}.json"), model.Manifest);
    // The licences ask that copies of the weights carry them.
    File.WriteAllBytes(Path.Combine(models, $"{model.Name}.licence.txt"), licence);
    Console.WriteLine($"{models}/{model.Name}.onnx: {model.Graph.Length + (model.Data?.Length ?? 0):N0} bytes");
}
