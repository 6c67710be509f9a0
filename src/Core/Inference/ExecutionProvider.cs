namespace Embeddings.Core.Inference;

/// <summary>What runs the operators.</summary>
internal enum ExecutionProvider
{
    /// <summary>The processor; every build of ONNX Runtime has it.</summary>
    Cpu,

    /// <summary>NVIDIA, through CUDA; needs a build with <c>-p:OnnxRuntimeFlavor=Gpu</c>.</summary>
    Cuda,

    /// <summary>NVIDIA, through TensorRT; needs the same build. Compiles each model for minutes at its first load.</summary>
    TensorRt,

    /// <summary>Any card that DirectX 12 knows, on Windows; needs <c>-p:OnnxRuntimeFlavor=DirectML</c>.</summary>
    Dml,

    /// <summary>Apple's own.</summary>
    CoreMl,

    /// <summary>Intel's own; needs a build of ONNX Runtime that has it.</summary>
    OpenVino,
}
