using System.Numerics;

namespace Embeddings.Cli.Sampling;

/// <summary>What one drawn face looks like. Lengths are in the drawing's units: its width is 1, the head about half of it.</summary>
internal sealed record FaceLook
{
    public required Vector2 Head { get; init; }

    /// <summary>2 for an oval head, more for a square one.</summary>
    public required float Squareness { get; init; }

    public required Vector3 Skin { get; init; }

    public required Vector3 Hair { get; init; }

    public required Vector3 Iris { get; init; }

    public required Vector3 Wall { get; init; }

    public required Vector3 Shirt { get; init; }

    /// <summary>0 bald, 1 short, 2 parted, 3 fringe, 4 long.</summary>
    public required int HairStyle { get; init; }

    /// <summary>0 none, 1 moustache, 2 full beard.</summary>
    public required int Beard { get; init; }

    /// <summary>0 none, 1 round, 2 square.</summary>
    public required int Glasses { get; init; }

    public required float EyeDistance { get; init; }

    public required Vector2 EyeSize { get; init; }

    /// <summary>How much the outer end of a brow is lower than the inner one.</summary>
    public required float BrowTilt { get; init; }

    public required float BrowWidth { get; init; }

    public required float NoseLength { get; init; }

    public required float NoseWidth { get; init; }

    public required float MouthDrop { get; init; }

    public required float MouthWidth { get; init; }

    public required float LipHeight { get; init; }

    /// <summary>How much higher the corners of the mouth are than its middle; negative for a sad one.</summary>
    public required float Smile { get; init; }

    public static FaceLook Roll(Dice dice) => new()
    {
        Head = new(dice.Between(0.205f, 0.265f), dice.Between(0.27f, 0.335f)),
        Squareness = dice.Between(1.9f, 3.2f),
        Skin = dice.Pick(SkinTones),
        Hair = dice.Pick(HairTones),
        Iris = Colors.Hsv(dice.Pick<float>([0.07f, 0.1f, 0.3f, 0.55f, 0.6f]), 0.6f, dice.Between(0.25f, 0.7f)),
        Wall = Colors.Hsv(dice.Between(0, 1), dice.Between(0.1f, 0.6f), dice.Between(0.35f, 0.95f)),
        Shirt = Colors.Hsv(dice.Between(0, 1), dice.Between(0.3f, 0.9f), dice.Between(0.2f, 0.9f)),
        HairStyle = dice.Below(5),
        Beard = dice.Chance(0.35f) ? 1 + dice.Below(2) : 0,
        Glasses = dice.Chance(0.4f) ? 1 + dice.Below(2) : 0,
        EyeDistance = dice.Between(0.185f, 0.235f),
        EyeSize = new(dice.Between(0.034f, 0.05f), dice.Between(0.016f, 0.032f)),
        BrowTilt = dice.Between(-0.02f, 0.025f),
        BrowWidth = dice.Between(0.01f, 0.03f),
        NoseLength = dice.Between(0.1f, 0.15f),
        NoseWidth = dice.Between(0.02f, 0.045f),
        MouthDrop = dice.Between(0.21f, 0.26f),
        MouthWidth = dice.Between(0.13f, 0.21f),
        LipHeight = dice.Between(0.012f, 0.03f),
        Smile = dice.Between(-0.02f, 0.035f),
    };

    private static Vector3[] SkinTones { get; } =
        [.. new[] { 0xFFE0BD, 0xF1C27D, 0xE0AC69, 0xC68642, 0x8D5524, 0x5C3A21, 0xFFCD94, 0xEAC086, 0xA1665E }.Select(Colors.Rgb)];

    private static Vector3[] HairTones { get; } =
        [.. new[] { 0x1C1310, 0x3B2417, 0x6A4E42, 0xA7712F, 0xDCC48E, 0x8C2F1B, 0x9A9A9A, 0xE8E4DA }.Select(Colors.Rgb)];
}
