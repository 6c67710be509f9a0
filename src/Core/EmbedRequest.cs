using Embeddings.Core.Imaging;
using Embeddings.Core.Models;

namespace Embeddings.Core;

/// <summary>An item to embed.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Model">Name of a model of that kind; empty for the default one.</param>
/// <param name="Image">Its picture.</param>
/// <param name="Wait">Whether to wait for a place in the queue (streams), or to fail at once where there is none (unary calls).</param>
/// <param name="Path">Where in the caller's message the picture is, for faults that name a field of it.</param>
internal readonly record struct EmbedRequest(ModelKind Kind, string Model, ImageInput Image, bool Wait, string Path = "");
