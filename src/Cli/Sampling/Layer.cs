using System.Numerics;

namespace Embeddings.Cli.Sampling;

/// <summary>A shape of one paint.</summary>
/// <param name="Shape">Signed distance to its edge.</param>
/// <param name="Paint">Its colour at each point.</param>
/// <param name="Opacity">0 to 1.</param>
internal readonly record struct Layer(Func<Vector2, float> Shape, Func<Vector2, Vector3> Paint, float Opacity);
