namespace Embeddings.Storage.Qdrant;

/// <summary>Names in a point's payload. The user's own fields lie within <see cref="Attributes"/>, so none can collide.</summary>
internal static class PayloadKeys
{
    public const string PointId = "point_id";
    public const string JobId = "job_id";
    public const string MediaStoreId = "media_store_id";
    public const string FaceIndex = "face_index";
    public const string Bbox = "bbox";
    public const string Confidence = "confidence";
    public const string Landmarks = "landmarks";
    public const string Attributes = "attributes";

    /// <summary>Length the vector had before it was brought to 1; absent where it was 1.</summary>
    public const string VectorNorm = "vector_norm";

    // In a collection's metadata, or in the payload of its reserved point.
    public const string Layout = "embeddings_layout";
    public const string Model = "model";
    public const string ModelFingerprint = "model_fingerprint";
}
