using System.Globalization;
using Microsoft.ML.OnnxRuntime;
using OrtSessionOptions = Microsoft.ML.OnnxRuntime.SessionOptions;

namespace Embeddings.Core.Inference;

/// <summary>Adds an execution provider to a session's options; the processor always stands behind it for operators it lacks.</summary>
internal static class ProviderSetup
{
    /// <summary>Why the provider cannot be had in this build of ONNX Runtime; null where it can.</summary>
    public static string? Missing(ExecutionProvider provider)
    {
        var available = OrtEnv.Instance().GetAvailableProviders();
        return provider == ExecutionProvider.Cpu || available.Contains(RuntimeName(provider))
            ? null
            : $"this build of ONNX Runtime has no {RuntimeName(provider)}, only {string.Join(", ", available)}";
    }

    /// <summary>The name that operators see.</summary>
    public static string Word(ExecutionProvider provider) => provider.ToString().ToLowerInvariant();

    /// <exception cref="OnnxRuntimeException">It is there, but its libraries or its device are not.</exception>
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
                // What TensorRT cannot compile still runs on the card.
                AppendCuda(session, options);
                break;
            case ExecutionProvider.Dml:
                // DirectML wants both: its own memory plan, one run at a time.
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
            // By what is asked for instead of by doubling: batches of varying sizes would ratchet memory up otherwise.
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
