using System.Numerics;

namespace Embeddings.Core.Imaging;

/// <summary>Five points of a face, in pixels; (0, 0) is the middle of the top left pixel. Left is the picture's left.</summary>
internal sealed record Landmarks(Vector2 LeftEye, Vector2 RightEye, Vector2 Nose, Vector2 LeftMouthCorner, Vector2 RightMouthCorner);
