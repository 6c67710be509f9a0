namespace Embeddings.Storage.Sqlite.Tests;

public sealed class AttributeTimesTests
{
    [Theory]
    [InlineData("1970-01-01T00:00:00Z", 0)]
    [InlineData("1969-12-31T23:59:59.999Z", -1)]
    [InlineData("1969-12-31T23:59:59.9999Z", -1)]
    [InlineData("2026-05-01t12:00:00z", 1_777_636_800_000)]
    [InlineData("2026-05-01T14:30:00.0019+02:30", 1_777_636_800_001)]
    [InlineData("2026-05-01T12:00:00.123456789012345-00:00", 1_777_636_800_123)]
    [InlineData("2000-02-29T23:59:59+23:59", 951_782_459_000)]
    [InlineData("0000-01-01T00:00:00Z", -62_167_219_200_000)]
    [InlineData("0000-12-31T23:59:59Z", -62_135_596_801_000)]
    [InlineData("9999-12-31T23:59:59.999Z", 253_402_300_799_999)]
    public void Times_are_parsed(string text, long milliseconds) => Assert.Equal(milliseconds, AttributeTimes.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("2026-05-01")]
    [InlineData("2026-05-01T12:00:00")]
    [InlineData("2026-05-01 12:00:00Z")]
    [InlineData(" 2026-05-01T12:00:00Z")]
    [InlineData("2026-05-01T12:00:00Z ")]
    [InlineData("2026-05-01T12:00Z")]
    [InlineData("2026-05-01T12:00:00.Z")]
    [InlineData("2026-05-01T12:00:00,5Z")]
    [InlineData("2026-05-01T12:00:00+0200")]
    [InlineData("2026-05-01T12:00:00+24:00")]
    [InlineData("2026-05-01T12:00:00\u221202:00")]
    [InlineData("2026-05-01T12:00:60Z")]
    [InlineData("2026-05-01T24:00:00Z")]
    [InlineData("2026-02-29T12:00:00Z")]
    [InlineData("2026-13-01T12:00:00Z")]
    [InlineData("2026-00-01T12:00:00Z")]
    [InlineData("\u0662\u0660\u0662\u0666-05-01T12:00:00Z")]
    [InlineData("+2026-05-01T12:00:00Z")]
    [InlineData("12026-05-01T12:00:00Z")]
    public void Other_texts_are_no_times(string text) => Assert.Null(AttributeTimes.Parse(text));

    [Fact]
    public void Every_day_is_that_of_the_framework()
    {
        for (var day = DateTimeOffset.MinValue; day < DateTimeOffset.MaxValue.AddDays(-40); day = day.AddDays(31))
        {
            var text = day.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", System.Globalization.CultureInfo.InvariantCulture);
            Assert.Equal(day.ToUnixTimeMilliseconds(), AttributeTimes.Parse(text));
        }
    }
}
