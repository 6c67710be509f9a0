using System.Buffers;
using Embeddings.Core.Models;

namespace Embeddings.Core.Inference;

/// <summary>
/// Decodes the outputs of a detector. The result is a list of candidates, best first, before overlapping ones are dropped:
/// 5 + 2 K numbers each, namely left, upper, right and lower edge in pixels of the model's input, not clipped to it, score
/// from 0 to 1, and x and y of K points (<see cref="DetectorSpec.Keypoints"/>): left eye, right eye, nose, left and right
/// corner of the mouth, as seen by the viewer.
/// </summary>
internal sealed class DetectorDecoder : OutputDecoder
{
    /// <summary>Most candidates of one item; weaker ones are dropped.</summary>
    public const int MaxCandidates = 1_000;

    private const int BoxValues = 4;

    private readonly DetectorSpec _spec;
    private readonly InputSpec _input;
    private readonly Grid[] _grids;
    private readonly Part[] _scores;
    private readonly Part[] _objectness;
    private readonly Part[] _boxes;
    private readonly Part[] _keypoints;
    private readonly int _candidates;
    // Compared with the values of the outputs, so that only candidates above it are decoded.
    private readonly float _least;

    /// <exception cref="ModelException">The outputs do not fit the manifest.</exception>
    public DetectorDecoder(string file, DetectorSpec spec, InputSpec input, IReadOnlyList<OutputSize> sizes)
        : base(sizes)
    {
        _spec = spec;
        _input = input;
        var outputs = spec.Outputs;
        var next = 0;
        _scores = Parts(outputs.Scores);
        _objectness = Parts(outputs.Objectness);
        _boxes = Parts(outputs.Boxes);
        _keypoints = Parts(outputs.Keypoints);
        _grids = Grids(spec, input);
        _candidates = _grids.Length > 0 ? _grids[^1].End : _boxes[^1].End;
        Require("scores", _scores, 1, 2, _candidates);
        Require("objectness", _objectness, 1, 1, _candidates);
        Require("boxes", _boxes, BoxValues, int.MaxValue, _candidates);
        Require("keypoints", _keypoints, 2 * spec.Keypoints, int.MaxValue, _candidates);
        if (_objectness.Length > 0 && !_objectness.Select(part => part.End).SequenceEqual(_scores.Select(part => part.End)))
        {
            throw new ModelException(file, "its outputs of objectness must have the sizes of those of scores");
        }
        var score = spec.MinScore;
        _least = spec.Scores == ScoreCoding.Logit
            ? MathF.Log(score / (1 - MathF.Min(score, 1 - 1e-6f)))
            : _objectness.Length > 0 ? score * score : score;

        Part[] Parts(IReadOnlyList<string> names)
        {
            var parts = new Part[names.Count];
            var start = 0;
            for (var i = 0; i < parts.Length; i++)
            {
                var size = sizes[next];
                parts[i] = new(next++, start, size.Rows, size.Columns);
                start += size.Rows;
            }
            return parts;
        }

        void Require(string role, Part[] parts, int least, int most, int candidates)
        {
            if (parts.Length == 0 || (parts[^1].End == candidates && parts.All(part => part.Columns >= least && part.Columns <= most)))
            {
                return;
            }
            var columns = most == int.MaxValue ? $"at least {least}" : least == most ? $"{least}" : $"{least} or {most}";
            var grids = _grids.Length == 0 ? "" : $" ({string.Join(", ", _grids)})";
            throw new ModelException(
                file,
                $"its outputs of {role} must have {candidates:N0} rows together{grids} of {columns} values; "
                    + $"got {string.Join(", ", parts.Select(part => sizes[part.Output].ToString()))}");
        }
    }

    protected override float[] DecodeFinite(in ItemOutputs outputs)
    {
        var keys = ArrayPool<ulong>.Shared.Rent(_candidates);
        try
        {
            var found = keys.AsSpan(0, Select(outputs, keys));
            found.Sort();
            found = found[Math.Max(0, found.Length - MaxCandidates)..];
            var length = 5 + (2 * _spec.Keypoints);
            var result = new float[found.Length * length];
            for (var i = 0; i < found.Length; i++)
            {
                Write(outputs, found[^(i + 1)], result.AsSpan(i * length, length));
            }
            return result;
        }
        finally
        {
            ArrayPool<ulong>.Shared.Return(keys);
        }
    }

    private static Grid[] Grids(DetectorSpec spec, InputSpec input)
    {
        var grids = new Grid[spec.Strides.Count];
        var start = 0;
        for (var i = 0; i < grids.Length; i++)
        {
            var stride = spec.Strides[i];
            var columns = (input.Width + stride - 1) / stride;
            var rows = (input.Height + stride - 1) / stride;
            grids[i] = new(start, columns, rows, spec.Anchors.Count > 0 ? spec.Anchors[i] : 1, stride);
            start = grids[i].End;
        }
        return grids;
    }

    // Keys that sort by score, then by the reverse order of the outputs: bits of positive floats ascend with the floats.
    private int Select(in ItemOutputs outputs, ulong[] keys)
    {
        var count = 0;
        for (var p = 0; p < _scores.Length; p++)
        {
            var part = _scores[p];
            var values = outputs[part.Output];
            var objectness = _objectness.Length > 0 ? outputs[_objectness[p].Output] : [];
            for (int row = 0, i = part.Columns - 1; row < part.Rows; row++, i += part.Columns)
            {
                var value = objectness.IsEmpty ? values[i] : values[i] * objectness[row];
                if (value >= _least)
                {
                    var bits = BitConverter.SingleToUInt32Bits(Score(value));
                    keys[count++] = ((ulong)bits << 32) | (uint)(int.MaxValue - (part.Start + row));
                }
            }
        }
        return count;
    }

    private float Score(float value)
    {
        var score = _spec.Scores == ScoreCoding.Logit
            ? 1 / (1 + MathF.Exp(-value))
            : _objectness.Length > 0 ? MathF.Sqrt(value) : value;
        return Math.Clamp(score, 0, 1);
    }

    private void Write(in ItemOutputs outputs, ulong key, Span<float> to)
    {
        var index = int.MaxValue - (int)(uint)key;
        var (x, y, stride) = Anchor(index);
        var box = Row(outputs, _boxes, index);
        (to[0], to[1], to[2], to[3]) = _spec.Boxes switch
        {
            BoxCoding.Corners =>
                (box[0] * _input.Width, box[1] * _input.Height, box[2] * _input.Width, box[3] * _input.Height),
            BoxCoding.Distances =>
                (x - (box[0] * stride), y - (box[1] * stride), x + (box[2] * stride), y + (box[3] * stride)),
            BoxCoding.CenterLogSize => Centered(
                x + (box[0] * stride), y + (box[1] * stride), MathF.Exp(box[2]) * stride, MathF.Exp(box[3]) * stride),
            _ => Centered(x + box[0], y + box[1], box[2], box[3]),
        };
        to[4] = BitConverter.UInt32BitsToSingle((uint)(key >> 32));
        if (_keypoints.Length > 0)
        {
            var points = Row(outputs, _keypoints, index);
            for (var i = 0; i < 2 * _spec.Keypoints; i += 2)
            {
                to[5 + i] = x + (points[i] * stride);
                to[6 + i] = y + (points[i + 1] * stride);
            }
        }
    }

    private static (float Left, float Top, float Right, float Bottom) Centered(float x, float y, float width, float height) =>
        (x - (width / 2), y - (height / 2), x + (width / 2), y + (height / 2));

    private static ReadOnlySpan<float> Row(in ItemOutputs outputs, Part[] parts, int index)
    {
        var p = 0;
        while (index >= parts[p].End)
        {
            p++;
        }
        return outputs[parts[p].Output].Slice((index - parts[p].Start) * parts[p].Columns, parts[p].Columns);
    }

    private (float X, float Y, float Stride) Anchor(int index)
    {
        foreach (var grid in _grids)
        {
            if (index < grid.End)
            {
                var cell = (index - grid.Start) / grid.Anchors;
                var (row, column) = Math.DivRem(cell, grid.Columns);
                return ((column + _spec.AnchorOffset) * grid.Stride, (row + _spec.AnchorOffset) * grid.Stride, grid.Stride);
            }
        }
        return default;
    }

    /// <summary>Cells of one stride, row by row, and their anchors, cell by cell.</summary>
    private readonly record struct Grid(int Start, int Columns, int Rows, int Anchors, int Stride)
    {
        public int End => Start + (Columns * Rows * Anchors);

        public override string ToString() => $"{Columns} x {Rows} cells x {Anchors}";
    }

    /// <summary>The candidates of one output, which follow those of the output before it.</summary>
    private readonly record struct Part(int Output, int Start, int Rows, int Columns)
    {
        public int End => Start + Rows;
    }
}
