using System.Globalization;
using Microsoft.ML.OnnxRuntime;
using OrtSessionOptions = Microsoft.ML.OnnxRuntime.SessionOptions;

namespace Embeddings.Core.Inference;

/// <summary>Adds an execution provider to a session's options. Operators that it lacks run on the processor.</summary>
internal static class ProviderSetup
{
    /// <summary>Reason why the provider is not available in this build of ONNX Runtime, or null if it is.</summary>
    public static string? Missing(ExecutionProvider provider)
    {
        var available = OrtEnv.Instance().GetAvailableProviders();
        return provider == ExecutionProvider.Cpu || available.Contains(RuntimeName(provider))
            ? null
            : $"this build of ONNX Runtime has no {RuntimeName(provider)}, only {string.Join(", ", available)}";
    }

    /// <summary>Name of the provider in settings and replies.</summary>
    public static string Word(ExecutionProvider provider) => provider.ToString().ToLowerInvariant();

    /// <exception cref="OnnxRuntimeException">The libraries or the device of the provider are missing.</exception>
    public static void Append(OrtSessionOptions session, InferenceOptions options)
    {
        switch (options.Provider)
        {
            case ExecutionProvider.Cpu:
                break;
            case ExecutionProvider.Cuda:
                AppendCuda(session, options);
                break;
            case ExecutionProvider.TensorRt:
                session.AppendExecutionProvider_Tensorrt(options.Device);
                // Operators that TensorRT cannot compile run on the device all the same.
                AppendCuda(session, options);
                break;
            case ExecutionProvider.Dml:
                // DirectML requires both: its own memory plan, one run at a time.
                session.EnableMemoryPattern = false;
                session.ExecutionMode = ExecutionMode.ORT_SEQUENTIAL;
                session.AppendExecutionProvider_DML(options.Device);
                break;
            case ExecutionProvider.CoreMl:
                session.AppendExecutionProvider("CoreML");
                break;
            case ExecutionProvider.OpenVino:
                session.AppendExecutionProvider_OpenVINO();
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(options), options.Provider, null);
        }
    }

    private static void AppendCuda(OrtSessionOptions session, InferenceOptions options)
    {
        using var cuda = new OrtCUDAProviderOptions();
        var settings = new Dictionary<string, string>
        {
            ["device_id"] = options.Device.ToString(CultureInfo.InvariantCulture),
            // By the requested size instead of by doubling: batches of varying sizes would make memory grow otherwise.
            ["arena_extend_strategy"] = "kSameAsRequested",
        };
        if (options.ArenaBytes > 0)
        {
            settings["gpu_mem_limit"] = options.ArenaBytes.ToString(CultureInfo.InvariantCulture);
        }
        cuda.UpdateOptions(settings);
        session.AppendExecutionProvider_CUDA(cuda);
    }

    private static string RuntimeName(ExecutionProvider provider) => provider switch
    {
        ExecutionProvider.Cpu => "CPUExecutionProvider",
        ExecutionProvider.Cuda => "CUDAExecutionProvider",
        ExecutionProvider.TensorRt => "TensorrtExecutionProvider",
        ExecutionProvider.Dml => "DmlExecutionProvider",
        ExecutionProvider.CoreMl => "CoreMLExecutionProvider",
        ExecutionProvider.OpenVino => "OpenVINOExecutionProvider",
        _ => throw new ArgumentOutOfRangeException(nameof(provider), provider, null),
    };
}
