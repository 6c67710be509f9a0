using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Embeddings.IntegrationTests.Fuzzing;

/// <summary>Messages of a type with random fields, so that damaged ones still reach the code behind the parser.</summary>
internal static class RandomMessages
{
    private const int MaxDepth = 4;

    private static readonly string[] Texts =
        ["", "a", "image_embeddings", "face_embeddings", "fuzz", "job-1", "a/b", "0", "-1", "\0", "é\u202e", "{}", "1=1", "null"];

    private static readonly double[] Numbers = [0, 1, -1, 0.5, 1e30, double.NaN, double.PositiveInfinity, 112, 224, -0.0];

    private static readonly long[] Integers = [0, 1, -1, 2, 5, 100, 1000, 10_001, int.MaxValue, int.MinValue, long.MaxValue];

    /// <summary>Returns a message; its images are taken from <paramref name="files"/>.</summary>
    public static byte[] Of(MessageDescriptor type, Random random, IReadOnlyList<byte[]> files) => Make(type, random, files, 0).ToByteArray();

    private static IMessage Make(MessageDescriptor type, Random random, IReadOnlyList<byte[]> files, int depth)
    {
        var message = type.Parser.ParseFrom([]);
        foreach (var field in type.Fields.InDeclarationOrder())
        {
            if (random.Next(3) == 0 || (field.FieldType == FieldType.Message && depth >= MaxDepth))
            {
                continue;
            }
            if (field.IsMap)
            {
                if (field.Accessor.GetValue(message) is IDictionary map && random.Next(2) == 0)
                {
                    map[Texts[random.Next(Texts.Length)]] = Value(field.MessageType.FindFieldByNumber(2), random, files, depth);
                }
            }
            else if (field.IsRepeated)
            {
                var list = (IList)field.Accessor.GetValue(message);
                for (var count = random.Next(4); count > 0; count--)
                {
                    list.Add(Value(field, random, files, depth));
                }
            }
            else
            {
                field.Accessor.SetValue(message, Value(field, random, files, depth));
            }
        }
        return message;
    }

    private static object Value(FieldDescriptor field, Random random, IReadOnlyList<byte[]> files, int depth)
    {
        var integer = Integers[random.Next(Integers.Length)];
        var number = Numbers[random.Next(Numbers.Length)];
        return field.FieldType switch
        {
            FieldType.Message or FieldType.Group => Make(field.MessageType, random, files, depth + 1),
            FieldType.String => Texts[random.Next(Texts.Length)],
            FieldType.Bytes => ByteString.CopyFrom(files[random.Next(files.Count)]),
            FieldType.Bool => random.Next(2) == 0,
            FieldType.Float => (float)number,
            FieldType.Double => number,
            FieldType.Enum => Enum.ToObject(field.EnumType.ClrType, random.Next(-1, 8)),
            FieldType.Int64 or FieldType.SInt64 or FieldType.SFixed64 => integer,
            FieldType.UInt64 or FieldType.Fixed64 => (ulong)integer,
            FieldType.UInt32 or FieldType.Fixed32 => (uint)integer,
            _ => (int)integer,
        };
    }
}
