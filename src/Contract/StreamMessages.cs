using Google.Protobuf.Collections;

namespace Embeddings.V1;

/// <summary>Limits of stream messages with several items.</summary>
public static class StreamMessages
{
    /// <summary>Maximum number of items in a request.</summary>
    public const int MaxItems = 1_000;

    /// <summary>Maximum serialized size of a request with several items: 4 MiB. A request with one item may be larger.</summary>
    public const int MaxBytes = 4 << 20;
}

/// <summary>A message of a stream: one item, or several in <see cref="Items"/>.</summary>
/// <typeparam name="T">The message itself.</typeparam>
public interface IStreamMessage<T>
    where T : IStreamMessage<T>
{
    /// <summary>Items of a message that has several, without items of their own. Empty for a message that is one item.</summary>
    RepeatedField<T> Items { get; }
}

public partial class StreamEmbedRequest : IStreamMessage<StreamEmbedRequest>;

public partial class StreamEmbedResponse : IStreamMessage<StreamEmbedResponse>;

public partial class StreamIngestRequest : IStreamMessage<StreamIngestRequest>;

public partial class StreamIngestResponse : IStreamMessage<StreamIngestResponse>;

public partial class StreamUpsertVectorsRequest : IStreamMessage<StreamUpsertVectorsRequest>;

public partial class StreamUpsertVectorsResponse : IStreamMessage<StreamUpsertVectorsResponse>;
