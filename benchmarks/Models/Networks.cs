namespace Embeddings.Benchmarks.Models;

/// <summary>The layers of known networks with nobody's weights: what they cost is what is wanted of them.</summary>
internal static class Networks
{
    public const int Dimension = 512;

    /// <summary>
    /// MobileFaceNet (Chen et al., 2018, table 1) for 112x112, with 512 numbers in place of 128: 1.2 million parameters, 0.22 billion multiplications.
    /// </summary>
    public static Network MobileFaceNet()
    {
        var network = new Network("mobilefacenet-sized", 112, seed: 1)
            .Conv(64, 3, 2).PRelu()
            .Conv(64, 3, 1, depthwise: true).PRelu();
        Bottleneck(network, 64, 2, 2);
        Bottlenecks(network, 64, 2, 4);
        Bottleneck(network, 128, 4, 2);
        Bottlenecks(network, 128, 2, 6);
        Bottleneck(network, 128, 4, 2);
        Bottlenecks(network, 128, 2, 2);
        return network
            .Conv(512, 1, 1).PRelu()
            .Conv(512, 7, 1, depthwise: true, padding: 0)
            .Conv(Dimension, 1, 1)
            .Flat();
    }

    /// <summary>ResNet-18 (He et al., 2016, table 1) for 224x224, without its classifier: 11.2 million parameters, 1.8 billion multiplications.</summary>
    public static Network ResNet18()
    {
        var network = new Network("resnet18-sized", 224, seed: 2).Conv(64, 7, 2).Relu().MaxPool(3, 2);
        foreach (var (channels, stride) in ((int, int)[])[(64, 1), (128, 2), (256, 2), (512, 2)])
        {
            network.Residual(
                block => block.Conv(channels, 3, stride).Relu().Conv(channels, 3, 1),
                stride == 1 ? null : shortcut => shortcut.Conv(channels, 1, stride, padding: 0)).Relu();
            network.Residual(block => block.Conv(channels, 3, 1).Relu().Conv(channels, 3, 1)).Relu();
        }
        return network.GlobalAverage().Flat();
    }

    /// <summary>The mean over the pixels, spread to 512 numbers: a model that costs next to nothing, so that everything else shows.</summary>
    public static Network Free() => new Network("free", 112, seed: 3).GlobalAverage().Dense(Dimension);

    private static void Bottlenecks(Network network, int channels, int expansion, int count)
    {
        for (var i = 0; i < count; i++)
        {
            network.Residual(block => Bottleneck(block, channels, expansion, 1));
        }
    }

    private static Network Bottleneck(Network network, int channels, int expansion, int stride)
    {
        var wide = network.Channels * expansion;
        return network
            .Conv(wide, 1, 1).PRelu()
            .Conv(wide, 3, stride, depthwise: true).PRelu()
            .Conv(channels, 1, 1);
    }
}
