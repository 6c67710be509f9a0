using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;

namespace Embeddings.Client.Tests;

public sealed class AttributesExtensionsTests
{
    private const long Largest = 1L << 53;

    public static TheoryData<object, string> Bad => new()
    {
        { DateTime.UnixEpoch, "attributes.bad must be null, text, a Boolean, a number, a dictionary, or a list; got System.DateTime." },
        { new[] { 1, double.NaN }, "attributes.bad[1] must be finite; got NaN." },
        { float.PositiveInfinity, "attributes.bad must be finite; got Infinity." },
        { Largest + 1, "attributes.bad must be between -2^53 and 2^53" },
        { ulong.MaxValue, "got 18446744073709551615. Use text." },
        { -79228162514264337593543950335m, "attributes.bad must be between -2^53 and 2^53" },
        { new Dictionary<int, string> { [1] = "a" }, "The keys of attributes.bad must be text; got System.Int32." },
        { new Dictionary<string, object?> { ["in"] = Guid.Empty }, "attributes.bad.in must be null" },
        { Nested(32), "levels deep" },
    };

    [Fact]
    public void AttributesAreReadAsTheyWereWritten()
    {
        var attributes = new Dictionary<string, object?>
        {
            ["text"] = "red",
            ["integer"] = Largest,
            ["least"] = -Largest,
            ["byte"] = (byte)7,
            ["decimal"] = 0.1m,
            ["float"] = 0.5f,
            ["flag"] = true,
            ["nothing"] = null,
            ["list"] = new object?[] { "a", 1, null, new[] { 2.5 } },
            ["counts"] = new Dictionary<string, int> { ["a"] = 1 },
            ["deep"] = new Dictionary<string, object?> { ["inner"] = new Dictionary<string, object?> { ["x"] = "y" } },
        };

        var read = Payload.Parser.ParseFrom(Bytes(new Payload { Attributes = attributes.ToStruct() })).Attributes.ToDictionary();

        Assert.Equal(attributes.Keys.Order(), read.Keys.Order());
        Assert.Equal("red", read["text"]);
        Assert.Equal((double)Largest, read["integer"]);
        Assert.Equal(-(double)Largest, read["least"]);
        Assert.Equal((7d, 0.1, 0.5), ((double)read["byte"]!, (double)read["decimal"]!, (double)read["float"]!));
        Assert.Equal(true, read["flag"]);
        Assert.Null(read["nothing"]);
        var list = Assert.IsAssignableFrom<IReadOnlyList<object?>>(read["list"]);
        Assert.Equal(["a", 1d, null], list.Take(3));
        Assert.Equal([2.5], Assert.IsAssignableFrom<IReadOnlyList<object?>>(list[3]));
        Assert.Equal(1d, Dictionary(read["counts"])["a"]);
        Assert.Equal("y", Dictionary(Dictionary(read["deep"])["inner"])["x"]);
    }

    [Theory]
    [MemberData(nameof(Bad))]
    public void TheErrorOfAValueThatCannotBeStoredNamesItsPath(object value, string message)
    {
        var attributes = new Dictionary<string, object?> { ["good"] = 1, ["bad"] = value };

        var error = Assert.Throws<ArgumentException>(() => attributes.ToStruct());

        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ADictionaryThatContainsItselfIsAnError()
    {
        var attributes = new Dictionary<string, object?>();
        attributes["self"] = attributes;

        var error = Assert.Throws<ArgumentException>(() => attributes.ToStruct());

        Assert.Contains("at most 32 levels deep", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AsManyLevelsAsTheServiceAcceptsAreAccepted() =>
        Assert.NotNull(new Dictionary<string, object?> { ["good"] = Nested(31) }.ToStruct());

    [Fact]
    public void AbsentAttributesAreAnEmptyDictionary() => Assert.Empty(((Struct?)null).ToDictionary());

    private static IReadOnlyDictionary<string, object?> Dictionary(object? value) =>
        Assert.IsAssignableFrom<IReadOnlyDictionary<string, object?>>(value);

    private static byte[] Bytes(Payload payload) => Google.Protobuf.MessageExtensions.ToByteArray(payload);

    private static object Nested(int levels) => Enumerable.Range(0, levels).Aggregate((object)1, (inner, _) => new[] { inner });
}
