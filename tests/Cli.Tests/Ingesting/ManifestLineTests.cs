using System.Text;
using Embeddings.Cli.Ingesting;
using FsCheck;
using FsCheck.Fluent;

namespace Embeddings.Cli.Tests.Ingesting;

public sealed class ManifestLineTests
{
    [Fact]
    public void A_full_line_is_read_as_it_is()
    {
        var line = Parse("""
            {"path": "faces/a.jpg", "job_id": "job-1", "media_store_id": "media-1", "face_index": 2,
             "bbox": {"x": -1.5, "y": 2, "width": 30, "height": 40}, "confidence": 0.75,
             "landmarks": [[1, 2], [3, 4], [5, 6], [7, 8], [9.5, 10]], "attributes": {"place": "beach", "year": 2024, "good": true}, "more": [1]}
            """);
        Assert.Equal("faces/a.jpg", line.Path);
        Assert.Equal("job-1", line.JobId);
        Assert.Equal("media-1", line.MediaStoreId);
        Assert.Equal(2, line.FaceIndex);
        Assert.Equal((-1.5f, 2f, 30f, 40f), (line.Bbox!.X, line.Bbox.Y, line.Bbox.Width, line.Bbox.Height));
        Assert.Equal(0.75f, line.Confidence);
        Assert.Equal([1f, 2, 3, 4, 5, 6, 7, 8, 9.5f, 10], line.Landmarks!.Points().SelectMany(point => new[] { point.X, point.Y }));
        Assert.Equal("beach", line.Attributes!.Fields["place"].StringValue);
        Assert.Equal(2024, line.Attributes.Fields["year"].NumberValue);
        Assert.True(line.Attributes.Fields["good"].BoolValue);
    }

    [Fact]
    public void What_is_absent_or_null_is_absent()
    {
        var line = Parse("""{"path": "a", "job_id": "b", "bbox": null, "media_store_id": null}""");
        Assert.Equal("", line.MediaStoreId);
        Assert.Null(line.FaceIndex);
        Assert.Null(line.Bbox);
        Assert.Null(line.Confidence);
        Assert.Null(line.Landmarks);
        Assert.Null(line.Attributes);
    }

    [Fact]
    public void Point_ids_are_the_contracts()
    {
        Assert.Equal("b", Parse("""{"path": "a", "job_id": "b", "face_index": 3}""").PointId(ItemKind.Image));
        Assert.Equal("b-3", Parse("""{"path": "a", "job_id": "b", "face_index": 3}""").PointId(ItemKind.Face));
        Assert.Equal("b-0", Parse("""{"path": "a", "job_id": "b"}""").PointId(ItemKind.Face));
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("[]", "")]
    [InlineData("{", "")]
    [InlineData("""{"job_id": "b"}""", "path")]
    [InlineData("""{"path": "", "job_id": "b"}""", "path")]
    [InlineData("""{"path": 1, "job_id": "b"}""", "path")]
    [InlineData("""{"path": "a"}""", "job_id")]
    [InlineData("""{"path": "\ud800", "job_id": "b"}""", "")]
    [InlineData("""{"path": "a", "job_id": "b", "face_index": -1}""", "face_index")]
    [InlineData("""{"path": "a", "job_id": "b", "face_index": 1.5}""", "face_index")]
    [InlineData("""{"path": "a", "job_id": "b", "face_index": 3000000000}""", "face_index")]
    [InlineData("""{"path": "a", "job_id": "b", "bbox": [1, 2, 3, 4]}""", "bbox")]
    [InlineData("""{"path": "a", "job_id": "b", "bbox": {"x": 1, "y": 1, "width": 1}}""", "bbox.height")]
    [InlineData("""{"path": "a", "job_id": "b", "confidence": 1e999}""", "confidence")]
    [InlineData("""{"path": "a", "job_id": "b", "confidence": "1"}""", "confidence")]
    [InlineData("""{"path": "a", "job_id": "b", "landmarks": [[1, 2]]}""", "landmarks")]
    [InlineData("""{"path": "a", "job_id": "b", "landmarks": [[1, 2], [1, 2], [1, 2], [1, 2], [1]]}""", "landmarks")]
    [InlineData("""{"path": "a", "job_id": "b", "landmarks": [[1, 2], [1, 2], [1, 2], [1, 2], [1, "2"]]}""", "landmarks")]
    [InlineData("""{"path": "a", "job_id": "b", "attributes": 1}""", "attributes")]
    [InlineData("""{"path": "a", "job_id": "b", "attributes": {"x": 1e999}}""", "attributes")]
    public void What_is_wrong_is_said_of_its_field(string line, string field)
    {
        var fault = Assert.Throws<ItemFault>(() => Parse(line));
        Assert.Equal(ItemFault.ManifestLineInvalid, fault.Error.Reason);
        Assert.Equal(3, fault.Error.Code);
        Assert.Equal(field, fault.Error.Field);
    }

    [Theory]
    [InlineData(32, true)]
    [InlineData(33, false)]
    public void Attributes_may_be_as_deep_as_the_contract_says(int levels, bool good)
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
    public void Random_bytes_throw_nothing_but_the_items_own_fault() =>
        Check.QuickThrowOnFailure(Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes => OnlyFaults(bytes ?? [])));

    [Fact]
    public void Good_lines_with_random_damage_throw_nothing_but_the_items_own_fault()
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
            return ManifestLine.Parse(bytes).Path.Length > 0;
        }
        catch (ItemFault fault)
        {
            return fault.Error.Message.Length > 0 && fault.Error.Reason == ItemFault.ManifestLineInvalid;
        }
    }

    private static ManifestLine Parse(string line) => ManifestLine.Parse(Encoding.UTF8.GetBytes(line));
}
