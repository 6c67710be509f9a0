using System.Text;
using Embeddings.Tooling.Ingesting;
using FsCheck;
using FsCheck.Fluent;

namespace Embeddings.Tooling.Tests.Ingesting;

public sealed class ItemListLineTests
{
    [Fact]
    public void A_line_with_all_fields_is_read()
    {
        var line = Parse("""
            {"path": "faces/a.jpg", "job_id": "job-1", "media_store_id": "media-1", "face_index": 2,
             "bbox": {"x": -1.5, "y": 2, "width": 30, "height": 40}, "confidence": 0.75,
             "landmarks": [[1, 2], [3, 4], [5, 6], [7, 8], [9.5, 10]], "attributes": {"place": "beach", "year": 2024, "good": true}}
            """);
        Assert.Equal("faces/a.jpg", line.Path);
        Assert.Equal("job-1", line.JobId);
        Assert.Equal("media-1", line.MediaStoreId);
        Assert.Equal(2, line.FaceIndex);
        Assert.Equal((-1.5f, 2f, 30f, 40f), (line.Bbox!.X, line.Bbox.Y, line.Bbox.Width, line.Bbox.Height));
        Assert.Equal(0.75f, line.Confidence);
        Assert.Equal([1f, 2, 3, 4, 5, 6, 7, 8, 9.5f, 10], line.Landmarks!.SelectMany(point => point));
        var item = line.ToRequest(new(1, line, ""), new(), new(ItemKind.Face, "", "", 1)).Face;
        Assert.Equal("beach", item.Attributes.Fields["place"].StringValue);
        Assert.Equal(2024, item.Attributes.Fields["year"].NumberValue);
        Assert.True(item.Attributes.Fields["good"].BoolValue);
        Assert.Equal((9.5f, 10f), (item.Face.Landmarks.RightMouthCorner.X, item.Face.Landmarks.RightMouthCorner.Y));
        Assert.Equal((-1.5f, 0.75f, 2), (item.Bbox.X, item.Confidence, item.FaceIndex));
    }

    [Fact]
    public void Null_and_missing_fields_are_absent()
    {
        var line = Parse("""{"path": "a", "job_id": "b", "bbox": null, "media_store_id": null}""");
        Assert.Null(line.MediaStoreId);
        Assert.Null(line.FaceIndex);
        Assert.Null(line.Bbox);
        Assert.Null(line.Confidence);
        Assert.Null(line.Landmarks);
        Assert.Null(line.Attributes);
    }

    [Fact]
    public void Point_ids_follow_the_contract()
    {
        Assert.Equal("b", Parse("""{"path": "a", "job_id": "b", "face_index": 3}""").Id(ItemKind.Image));
        Assert.Equal("b-3", Parse("""{"path": "a", "job_id": "b", "face_index": 3}""").Id(ItemKind.Face));
        Assert.Equal("b-0", Parse("""{"path": "a", "job_id": "b"}""").Id(ItemKind.Face));
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("[]", "")]
    [InlineData("{", "")]
    [InlineData("""{"job_id": "b"}""", "path")]
    [InlineData("""{"path": "", "job_id": "b"}""", "path")]
    [InlineData("""{"path": 1, "job_id": "b"}""", "path")]
    [InlineData("""{"path": "a"}""", "job_id")]
    [InlineData("null", "")]
    [InlineData("""{"path": "\ud800", "job_id": "b"}""", "path")]
    [InlineData("""{"path": "a", "job_id": "b", "more": 1}""", "more")]
    [InlineData("""{"path": "a", "job_id": "b", "job_id": "c"}""", "job_id")]
    [InlineData("""{"path": "a\u0000", "job_id": "b"}""", "path")]
    [InlineData("""{"path": "a", "job_id": "b", "face_index": -1}""", "face_index")]
    [InlineData("""{"path": "a", "job_id": "b", "face_index": 1.5}""", "face_index")]
    [InlineData("""{"path": "a", "job_id": "b", "face_index": 3000000000}""", "face_index")]
    [InlineData("""{"path": "a", "job_id": "b", "bbox": [1, 2, 3, 4]}""", "bbox")]
    [InlineData("""{"path": "a", "job_id": "b", "bbox": {"x": 1, "y": 1, "width": 1}}""", "bbox")]
    [InlineData("""{"path": "a", "job_id": "b", "bbox": {"x": 1, "y": 1, "width": 1, "height": 1e999}}""", "bbox")]
    [InlineData("""{"path": "a", "job_id": "b", "bbox": {"x": 1, "y": 1, "width": 1, "height": "1"}}""", "bbox.height")]
    [InlineData("""{"path": "a", "job_id": "b", "confidence": 1e999}""", "confidence")]
    [InlineData("""{"path": "a", "job_id": "b", "confidence": "1"}""", "confidence")]
    [InlineData("""{"path": "a", "job_id": "b", "landmarks": [[1, 2]]}""", "landmarks")]
    [InlineData("""{"path": "a", "job_id": "b", "landmarks": [[1, 2], [1, 2], [1, 2], [1, 2], [1]]}""", "landmarks")]
    [InlineData("""{"path": "a", "job_id": "b", "landmarks": [[1, 2], [1, 2], [1, 2], [1, 2], [1, "2"]]}""", "landmarks")]
    [InlineData("""{"path": "a", "job_id": "b", "attributes": 1}""", "attributes")]
    [InlineData("""{"path": "a", "job_id": "b", "attributes": {"x": 1e999}}""", "attributes")]
    public void The_error_of_an_invalid_line_names_the_field(string line, string field)
    {
        var fault = Assert.Throws<ItemFault>(() => Parse(line));
        Assert.Equal(ItemFault.LineInvalid, fault.Error.Reason);
        Assert.Equal(3, fault.Error.Code);
        Assert.Equal(field, fault.Error.Field);
        Assert.DoesNotContain("Embeddings.", fault.Error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("System.", fault.Error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("9007199254740993", false)]
    [InlineData("-9007199254740993", false)]
    [InlineData("[1, {\"b\": 12345678901234567890.0}]", false)]
    [InlineData("9007199254740992", true)]
    [InlineData("9007199254740994", true)]
    [InlineData("0.1", true)]
    [InlineData("1e300", true)]
    [InlineData("\"9007199254740993\"", true)]
    public void Integers_that_a_double_does_not_hold_are_refused(string value, bool good)
    {
        var line = $$$"""{"path": "a", "job_id": "b", "attributes": {"a": {{{value}}}}}""";
        if (good)
        {
            Assert.NotNull(Parse(line).Attributes);
            return;
        }
        var fault = Assert.Throws<ItemFault>(() => Parse(line));
        Assert.Equal("attributes", fault.Error.Field);
        Assert.Contains("Send it as a string.", fault.Message);
    }

    [Fact]
    public void The_error_has_line_and_position()
    {
        var line = new RawLine(12, """{"path": "a", "job_id": 5}"""u8.ToArray(), false);
        var fault = Assert.Throws<ItemFault>(() => ItemListLine.Parse(line));
        Assert.Equal("Line 12, position 26: job_id must be a string that is not empty.", fault.Message);
    }

    [Theory]
    [InlineData("""{"path": "a", "job_id": "b", "atributes": {}}""", "atributes", "Did you mean attributes?")]
    [InlineData("""{"path": "a", "jobid": "b"}""", "jobid", "Did you mean job_id?")]
    [InlineData("""{"path": "a", "job_id": "b", "mediaStoreId": "c"}""", "mediaStoreId", "Did you mean media_store_id?")]
    [InlineData("""{"path": "a", "job_id": "b", "bbox": {"x": 1, "y": 1, "widht": 1, "height": 1}}""", "bbox.widht", "Did you mean bbox.width?")]
    [InlineData("""{"path": "a", "job_id": "b", "more": 1}""", "more", "The fields are path, job_id, ")]
    public void A_misspelt_field_is_an_error_with_the_line_and_the_nearest_name(string line, string field, string hint)
    {
        var fault = Assert.Throws<ItemFault>(() => Parse(line));
        Assert.Equal(field, fault.Error.Field);
        Assert.Matches($"^Line 1, position [0-9]+: {field} is not a field of an item list\\. ", fault.Message);
        Assert.Contains(hint, fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(32, true)]
    [InlineData(33, false)]
    public void Attributes_can_be_as_deep_as_the_contract_allows(int levels, bool good)
    {
        var nested = string.Concat(Enumerable.Repeat("{\"a\":", levels - 1)) + "{}" + new string('}', levels - 1);
        var line = $$"""{"path": "a", "job_id": "b", "attributes": {{nested}}}""";
        if (good)
        {
            Assert.NotNull(Parse(line).Attributes);
        }
        else
        {
            Assert.Throws<ItemFault>(() => Parse(line));
        }
    }

    [Fact]
    public void Random_bytes_throw_only_item_faults() =>
        Check.QuickThrowOnFailure(Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes => OnlyFaults(bytes ?? [])));

    [Fact]
    public void Damaged_lines_throw_only_item_faults()
    {
        var good = Encoding.UTF8.GetBytes("""
            {"path":"\u0061","job_id":"b","media_store_id":"c","face_index":1,"bbox":{"x":1,"y":2,"width":3,"height":4},
             "landmarks":[[1,2],[3,4],[5,6],[7,8],[9,1]],"attributes":{"a":[1,{"b":null}]}}
            """);
        var damage = ArbMap.Default.ArbFor<(int At, byte To)[]>();
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(2_000), Prop.ForAll(damage, changes =>
        {
            var bytes = good.ToArray();
            foreach (var (at, to) in changes ?? [])
            {
                bytes[(int)((uint)at % bytes.Length)] = to;
            }
            return OnlyFaults(bytes);
        }));
    }

    private static bool OnlyFaults(byte[] bytes)
    {
        try
        {
            var line = ItemListLine.Parse(new RawLine(1, bytes, false));
            line.CheckForIngest();
            return line.Path.Length > 0;
        }
        catch (ItemFault fault)
        {
            return fault.Error.Message.Length > 0 && fault.Error.Reason == ItemFault.LineInvalid;
        }
    }

    private static ItemListLine Parse(string text)
    {
        var line = ItemListLine.Parse(new RawLine(1, Encoding.UTF8.GetBytes(text), false));
        line.CheckForIngest();
        return line;
    }
}
