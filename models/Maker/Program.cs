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
    var licence = PublishedFile.FaceLicence.ReadFromArchive(archive);

    Directory.CreateDirectory(sources);
    Source(PublishedFile.ResNetPreprocess, preprocess);
    Source(PublishedFile.ResNet18, resnet);
    Write(models, TrainedModel.ResNet18(preprocess, resnet), PublishedFile.ResNetLicence.ReadFrom(package));
    Write(models, TrainedModel.MobileFaceNet(FromArchive(PublishedFile.MobileFaceNet)), licence);
    Write(models, TrainedModel.UltraFace(FromArchive(PublishedFile.UltraFace)), licence);
    Write(models, TrainedModel.Landmarks68(FromArchive(PublishedFile.Landmarks68)), licence);
    // Not served unless the operator wants them.
    var optional = Path.Combine(models, "optional");
    Write(optional, TrainedModel.Liveness(FromArchive(PublishedFile.Liveness)), licence);
    Write(optional, TrainedModel.Pose(FromArchive(PublishedFile.Pose)), licence);
    return 0;
}
catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(e.Message);
    return 1;
}

byte[] FromArchive(PublishedFile file)
{
    var content = file.ReadFromArchive(archive);
    Source(file, content);
    return content;
}

// For the tests, which compare the models with their sources.
void Source(PublishedFile file, byte[] content) => File.WriteAllBytes(Path.Combine(sources, file.Name), content);

void Write(string folder, TrainedModel model, byte[] licence)
{
    Directory.CreateDirectory(folder);
    File.WriteAllBytes(Path.Combine(folder, $"{model.Name}.onnx"), model.Graph.Span);
    if (model.Data is { } data)
    {
        File.WriteAllBytes(Path.Combine(folder, $"{model.Name}.onnx.data"), data.Span);
    }
    File.WriteAllText(Path.Combine(folder, $"{model.Name}.json"), model.Manifest);
    // The licences must accompany copies of the weights.
    File.WriteAllBytes(Path.Combine(folder, $"{model.Name}.licence.txt"), licence);
    Console.WriteLine($"{folder}/{model.Name}.onnx: {model.Graph.Length + (model.Data?.Length ?? 0):N0} bytes");
}
