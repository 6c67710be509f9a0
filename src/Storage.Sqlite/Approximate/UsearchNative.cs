using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.InteropServices.Marshalling;

namespace Embeddings.Storage.Sqlite.Approximate;

/// <summary>
/// The functions of USearch's C library that are used here. The binding in its package takes arrays of float or double only; these
/// take int8 vectors without a copy.
/// </summary>
/// <remarks>
/// All functions return a text in <c>error</c>, which belongs to the library, if they fail. The library does not check its
/// arguments, and it locks nothing against <see cref="Reserve"/>, <see cref="Load"/> and <see cref="Free"/>: <see cref="Graph"/> does.
/// </remarks>
internal static unsafe partial class UsearchNative
{
    /// <summary>Cosine distance: 1 minus the cosine similarity.</summary>
    public const int Cosine = 1;

    /// <summary>Vectors of signed bytes.</summary>
    public const int Int8 = 4;

    private const string Library = "libusearch_c";

    private static readonly Lazy<string?> Reason = new(Try);

    /// <summary>The reason why the library cannot be used on this machine; null if it can be.</summary>
    public static string? Unavailable => Reason.Value;

    /// <summary>The version of the library.</summary>
    public static string Version => Marshal.PtrToStringUTF8(NativeVersion()) ?? "";

    [LibraryImport(Library, EntryPoint = "usearch_init")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial nint Init(in UsearchOptions options, out nint error);

    [LibraryImport(Library, EntryPoint = "usearch_free")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void Free(nint index, out nint error);

    [LibraryImport(Library, EntryPoint = "usearch_memory_usage")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial nuint MemoryUsage(nint index, out nint error);

    [LibraryImport(Library, EntryPoint = "usearch_serialized_length")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial nuint SerializedLength(nint index, out nint error);

    [LibraryImport(Library, EntryPoint = "usearch_save")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void Save(
        nint index, [MarshalUsing(typeof(AnsiStringMarshaller))] string path, out nint error);

    [LibraryImport(Library, EntryPoint = "usearch_load")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void Load(
        nint index, [MarshalUsing(typeof(AnsiStringMarshaller))] string path, out nint error);

    [LibraryImport(Library, EntryPoint = "usearch_size")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial nuint Size(nint index, out nint error);

    [LibraryImport(Library, EntryPoint = "usearch_capacity")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial nuint Capacity(nint index, out nint error);

    [LibraryImport(Library, EntryPoint = "usearch_dimensions")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial nuint Dimensions(nint index, out nint error);

    [LibraryImport(Library, EntryPoint = "usearch_reserve")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void Reserve(nint index, nuint capacity, out nint error);

    [LibraryImport(Library, EntryPoint = "usearch_change_threads_add")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void ChangeThreadsAdd(nint index, nuint threads, out nint error);

    [LibraryImport(Library, EntryPoint = "usearch_change_threads_search")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void ChangeThreadsSearch(nint index, nuint threads, out nint error);

    [LibraryImport(Library, EntryPoint = "usearch_change_expansion_add")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void ChangeExpansionAdd(nint index, nuint expansion, out nint error);

    [LibraryImport(Library, EntryPoint = "usearch_change_expansion_search")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void ChangeExpansionSearch(nint index, nuint expansion, out nint error);

    [LibraryImport(Library, EntryPoint = "usearch_add")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void Add(nint index, ulong key, sbyte* vector, int kind, out nint error);

    [LibraryImport(Library, EntryPoint = "usearch_remove")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial nuint Remove(nint index, ulong key, out nint error);

    [LibraryImport(Library, EntryPoint = "usearch_get")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial nuint Get(nint index, ulong key, nuint count, sbyte* vector, int kind, out nint error);

    [LibraryImport(Library, EntryPoint = "usearch_search")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial nuint Search(
        nint index, sbyte* query, int kind, nuint count, ulong* keys, float* distances, out nint error);

    [LibraryImport(Library, EntryPoint = "usearch_version")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial nint NativeVersion();

    /// <summary>Throws if a function has failed.</summary>
    public static void Check(nint error)
    {
        if (error != 0)
        {
            throw new GraphException(Marshal.PtrToStringUTF8(error) ?? "unknown error");
        }
    }

    private static string? Try()
    {
        try
        {
            NativeVersion();
            return null;
        }
        catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException)
        {
            return $"The library of USearch cannot be loaded on {RuntimeInformation.RuntimeIdentifier}: {exception.Message}";
        }
    }
}

/// <summary>The options of a new graph, laid out as USearch's <c>usearch_init_options_t</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct UsearchOptions
{
    public int Metric;
    public nint CustomMetric;
    public int Scalar;
    public nuint Dimensions;
    public nuint Links;
    public nuint ExpansionAdd;
    public nuint ExpansionSearch;
    public byte IsMulti;
}

/// <summary>A failure of the library, usually for lack of memory.</summary>
internal sealed class GraphException(string message) : Exception(message);
