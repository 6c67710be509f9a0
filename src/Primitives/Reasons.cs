namespace Embeddings.Primitives;

/// <summary>All error reasons (docs/errors.md). They are part of the contract and are never renamed.</summary>
internal static class Reasons
{
    // Input
    public const string FieldRequired = "FIELD_REQUIRED";
    public const string FieldInvalid = "FIELD_INVALID";
    public const string FieldTooLong = "FIELD_TOO_LONG";
    public const string PageTokenInvalid = "PAGE_TOKEN_INVALID";
    public const string ImageEmpty = "IMAGE_EMPTY";
    public const string ImageFormatUnknown = "IMAGE_FORMAT_UNKNOWN";
    public const string ImageMalformed = "IMAGE_MALFORMED";
    public const string ImageUnsupported = "IMAGE_UNSUPPORTED";
    public const string ImageTooLarge = "IMAGE_TOO_LARGE";
    public const string PixelFormatInvalid = "PIXEL_FORMAT_INVALID";
    public const string PixelSizeMismatch = "PIXEL_SIZE_MISMATCH";
    public const string PixelsNotFinite = "PIXELS_NOT_FINITE";
    public const string FaceNotCropped = "FACE_NOT_CROPPED";
    public const string LandmarksInvalid = "LANDMARKS_INVALID";
    public const string VectorNotFinite = "VECTOR_NOT_FINITE";
    public const string VectorZero = "VECTOR_ZERO";
    public const string DimensionMismatch = "DIMENSION_MISMATCH";
    public const string MessageTooLarge = "MESSAGE_TOO_LARGE";
    public const string MessageMalformed = "MESSAGE_MALFORMED";
    public const string MessageTimeout = "MESSAGE_TIMEOUT";
    public const string MetadataTooLarge = "METADATA_TOO_LARGE";
    public const string ResponseTooLarge = "RESPONSE_TOO_LARGE";

    // Models, points and collections
    public const string ModelNotFound = "MODEL_NOT_FOUND";
    public const string ModelKindMismatch = "MODEL_KIND_MISMATCH";
    public const string ModelUnavailable = "MODEL_UNAVAILABLE";
    public const string ModelInvalid = "MODEL_INVALID";
    public const string ModelIsDefault = "MODEL_IS_DEFAULT";
    public const string PointNotFound = "POINT_NOT_FOUND";
    public const string PersonNotFound = "PERSON_NOT_FOUND";
    public const string PersonMismatch = "PERSON_MISMATCH";
    public const string PersonChangeNotFound = "PERSON_CHANGE_NOT_FOUND";
    public const string CollectionNotFound = "COLLECTION_NOT_FOUND";
    public const string CollectionExists = "COLLECTION_EXISTS";
    public const string AliasNotFound = "ALIAS_NOT_FOUND";
    public const string AliasExists = "ALIAS_EXISTS";
    public const string SettingsUnsupported = "SETTINGS_UNSUPPORTED";
    public const string AttributeNotIndexed = "ATTRIBUTE_NOT_INDEXED";
    public const string CollectionModelMismatch = "COLLECTION_MODEL_MISMATCH";
    public const string CollectionRestricted = "COLLECTION_RESTRICTED";
    public const string PrefixTooBroad = "PREFIX_TOO_BROAD";
    public const string IndexConflict = "INDEX_CONFLICT";

    // Access
    public const string KeyMissing = "KEY_MISSING";
    public const string KeyInvalid = "KEY_INVALID";
    public const string KeyExpired = "KEY_EXPIRED";
    public const string TokenInvalid = "TOKEN_INVALID";
    public const string TokenExpired = "TOKEN_EXPIRED";
    public const string IssuerUnavailable = "ISSUER_UNAVAILABLE";
    public const string CertificateMissing = "CERTIFICATE_MISSING";
    public const string CertificateInvalid = "CERTIFICATE_INVALID";
    public const string CertificateUnknown = "CERTIFICATE_UNKNOWN";
    public const string AccessDenied = "ACCESS_DENIED";
    public const string CollectionDenied = "COLLECTION_DENIED";

    // Erasure and retention
    public const string PointOnHold = "POINT_ON_HOLD";
    public const string Suppressed = "SUPPRESSED";
    public const string SuppressionOff = "SUPPRESSION_OFF";
    public const string ReceiptKeyMissing = "RECEIPT_KEY_MISSING";
    public const string ReceiptTooLarge = "RECEIPT_TOO_LARGE";
    public const string HoldUnsupported = "HOLD_UNSUPPORTED";

    // Indexes
    public const string IndexUnsupported = "INDEX_UNSUPPORTED";

    // Server state
    public const string QueueFull = "QUEUE_FULL";
    public const string MemoryFull = "MEMORY_FULL";
    public const string TooManyFaces = "TOO_MANY_FACES";
    public const string StoreFull = "STORE_FULL";
    public const string StoreUnavailable = "STORE_UNAVAILABLE";
    public const string AuditUnavailable = "AUDIT_UNAVAILABLE";
    public const string RateLimited = "RATE_LIMITED";
    public const string PointLimitReached = "POINT_LIMIT_REACHED";
    public const string ShuttingDown = "SHUTTING_DOWN";
    public const string DeadlineExceeded = "DEADLINE_EXCEEDED";
    public const string Cancelled = "CANCELLED";
    public const string InferenceFailed = "INFERENCE_FAILED";
    public const string Internal = "INTERNAL";
}
