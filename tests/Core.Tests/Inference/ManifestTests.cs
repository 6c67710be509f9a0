using System.Text;
using System.Text.Json.Nodes;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Testing;
using FsCheck;
using FsCheck.Fluent;

namespace Embeddings.Core.Tests.Inference;

public sealed class ManifestTests
{
    private const string Least =
        """{"name":"m","kind":"image","input":{"width":8,"height":9},"dimension":3,"sha256":"0123456789ABCDEF"""
        + "0123456789abcdef0123456789abcdef0123456789abcdef\"}";

    private const string LeastDetector =
        """{"name":"m","kind":"detector","input":{"width":8,"height":9},"sha256":"0123456789abcdef"""
        + """0123456789abcdef0123456789abcdef0123456789abcdef","detector":{"boxes":"distances","strides":[8,16],"outputs":"""
        + """{"scores":["s"],"boxes":["b"],"keypoints":["k"]},"nms":0.4,"min_confidence":0.65,"min_face":2,"max_face":8}}""";

    [Fact]
    public void Defaults_fill_what_is_left_out()
    {
        var manifest = Parse(Least);
        Assert.Equal("m", manifest.Name);
        Assert.Equal((8, 9), (manifest.Input.Width, manifest.Input.Height));
        Assert.Equal([1, 1, 1], manifest.Input.Std);
        Assert.Equal(32, manifest.MaxBatch);
        Assert.False(manifest.UnitLength);
        Assert.Null(manifest.SuggestedThreshold);
        Assert.Equal(DecodeMode.Scaled, manifest.Input.Decode);
        Assert.StartsWith("0123456789abcdef", manifest.Sha256, StringComparison.Ordinal);
        Assert.True(Parse(Least.Replace("\"image\"", "\"face\"", StringComparison.Ordinal)).UnitLength);
    }

    [Theory]
    [InlineData("name", "\"\"")]
    [InlineData("name", "\"a b\"")]
    [InlineData("name", "7")]
    [InlineData("name", null)]
    [InlineData("kind", "\"voice\"")]
    [InlineData("kind", "\"Image\"")]
    [InlineData("input", "[]")]
    [InlineData("input.width", "0")]
    [InlineData("input.width", "4097")]
    [InlineData("input.width", "8.5")]
    [InlineData("input.height", null)]
    [InlineData("input.mean", "[1,2]")]
    [InlineData("input.mean", "[1,2,1e400]")]
    [InlineData("input.std", "[1,0,1]")]
    [InlineData("input.color_order", "\"grb\"")]
    [InlineData("input.resize", "\"CenterCrop\"")]
    [InlineData("input.resize_to", "256")]
    [InlineData("input.depth", "3")]
    [InlineData("input.decode", "\"half\"")]
    [InlineData("dimension", "65537")]
    [InlineData("dimension", "\"3\"")]
    [InlineData("max_batch", "0")]
    [InlineData("unit_length", "1")]
    [InlineData("output", "\"a\\nb\"")]
    [InlineData("description", "\"\\ud800\"")]
    [InlineData("sha256", "\"12\"")]
    [InlineData("suggested_threshold", "1.5")]
    [InlineData("dimension", null)]
    [InlineData("false_match_rate", "0.5")]
    [InlineData("input.mean", "[1]")]
    [InlineData("landmarks", "{\"points\":[[1],[1],[1],[1],[1]]}")]
    [InlineData("licence_url", "\"\"")]
    public void A_wrong_field_is_named(string path, string? value)
    {
        var json = JsonNode.Parse(Least)!;
        var at = json;
        var names = path.Split('.');
        foreach (var name in names[..^1])
        {
            at = at[name]!;
        }
        // A lone surrogate cannot go through a JsonNode.
        at[names[^1]] = value is null ? null : JsonValue.Create("\u0001");
        var text = json.ToJsonString().Replace("\"\\u0001\"", value ?? "null", StringComparison.Ordinal);
        var e = Assert.Throws<ModelException>(() => Parse(text));
        Assert.Equal(path, e.Field);
        Assert.StartsWith($"m.json: {path}: ", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[1]")]
    [InlineData("{\"name\":\"m\",}")]
    [InlineData("{\"name\":\"m\",\"name\":\"m\"}")]
    [InlineData("{\"name\":\"m\"} {}")]
    [InlineData("[[[[[[[[[[[[1]]]]]]]]]]]]")]
    [InlineData("{\"na\\ud800\":1}")]
    public void Content_that_is_not_a_manifest_object_is_refused(string json) => Assert.Throws<ModelException>(() => Parse(json));

    [Theory]
    [InlineData("{}", "m.json: name: is required")]
    [InlineData("{\"name\":\"m\",\"kind\":\"image\",\"input\":{\"width\":8}}", "m.json: input.height: is required")]
    [InlineData("{\"kind\":\"voice\"}", "m.json: kind: must be image or face or detector or landmarks or liveness or pose")]
    [InlineData("{\"input\":{\"width\":8.5}}", "m.json: input.width: must be a whole number")]
    [InlineData("{\"input\":{\"width\":8,\"height\":8,\"mean\":[1,2]}}", "m.json: input.mean: must be three numbers")]
    [InlineData("{\"input\":{\"width\":8,\"height\":8,\"decode\":\"half\"}}", "m.json: input.decode: must be scaled or full")]
    [InlineData("{\"licence_url\":\"\"}", "m.json: licence_url: is not a known field")]
    [InlineData("{\n  \"name\": nonsense\n}", "m.json: is not valid JSON: line 2, byte 12")]
    [InlineData("[1]", "m.json: must be a JSON object")]
    public void A_message_names_the_file_and_the_field_or_the_position(string json, string message) =>
        Assert.Equal(message, Assert.Throws<ModelException>(() => Parse(json)).Message);

    [Theory]
    [InlineData("\"unit_length\":1", "m.json: unit_length: must be true or false")]
    [InlineData("\"max_batch\":5000", "m.json: max_batch: must be between 1 and 1,024; got 5,000")]
    [InlineData("\"suggested_threshold\":1.5", "m.json: suggested_threshold: must be between -1 and 1; got 1.5")]
    public void A_value_that_is_not_allowed_is_named_with_its_limits(string field, string message) =>
        Assert.Equal(message, Assert.Throws<ModelException>(() => Parse(Least[..^1] + "," + field + "}")).Message);

    [Theory]
    [InlineData("detector", null, "detector: is required for kind detector")]
    [InlineData("dimension", "4", "dimension: must be absent: a model of kind detector has no vectors")]
    [InlineData("output", "\"x\"", "output: must be absent: a model of kind detector has no vectors")]
    [InlineData("suggested_threshold", "0.5", "suggested_threshold: must be absent: a model of kind detector has no vectors")]
    [InlineData("input.decode", "\"full\"", "input.decode: must be absent: photos in which faces are looked for are decoded at full size")]
    [InlineData("pose", "{\"yaw\":\"a\",\"pitch\":\"b\",\"roll\":\"c\",\"first_bin\":0,\"bin_size\":1}", "pose: must be absent unless kind is pose; kind is detector")]
    [InlineData("detector.boxes", "\"centers\"", "detector.boxes: must be corners or distances or center_log_size or center_size")]
    [InlineData("detector.boxes", "\"corners\"", "detector.strides: must be empty: boxes that are corners have no anchors")]
    [InlineData("detector.strides", "[]", "detector.strides: must have 1 to 8 numbers; got 0")]
    [InlineData("detector.strides", "[8, 0]", "detector.strides: must be between 1 and 256; got 0")]
    [InlineData("detector.strides", "[8, 1.5]", "detector.strides: must be a list of whole numbers")]
    [InlineData("detector.anchors", "[1]", "detector.anchors: must have one number per stride, 2; got 1")]
    [InlineData("detector.anchors", "[1, 17]", "detector.anchors: must be between 1 and 16; got 17")]
    [InlineData("detector.anchor_offset", "1.5", "detector.anchor_offset: must be between 0 and 1; got 1.5")]
    [InlineData("detector.nms", "-1", "detector.nms: must be between 0 and 1; got -1")]
    [InlineData("detector.nms", null, "detector.nms: is required")]
    [InlineData("detector.min_score", "0.7", "detector.min_score: must be between 0.01 and 0.65; got 0.7")]
    [InlineData("detector.min_face", "9", "detector.min_face: must be at most the input's shortest side, 8; got 9")]
    [InlineData("detector.max_face", "1", "detector.max_face: must be between 2 and 4,096; got 1")]
    [InlineData("detector.outputs.scores", "[]", "detector.outputs.scores: must have 1 to 8 names of outputs; got 0")]
    [InlineData("detector.outputs.scores", "[7]", "detector.outputs.scores: must be a list of strings")]
    [InlineData("detector.outputs.boxes", "[\"s\"]", "detector.outputs: must name each output once; got s twice")]
    [InlineData("detector.outputs.boxes", "[\"\"]", "detector.outputs.boxes: must not have an empty name")]
    [InlineData("detector.outputs.objectness", "[\"o\",\"p\"]", "detector.outputs.objectness: must have as many names as scores, 1; got 2")]
    public void A_section_is_checked_field_by_field(string path, string? value, string message)
    {
        var text = LeastDetector;
        var at = JsonNode.Parse(text)!;
        var parent = at;
        var names = path.Split('.');
        foreach (var name in names[..^1])
        {
            parent = parent[name]!;
        }
        if (value is null)
        {
            parent.AsObject().Remove(names[^1]);
        }
        else
        {
            parent[names[^1]] = JsonNode.Parse(value);
        }
        Assert.Equal("m.json: " + message, Assert.Throws<ModelException>(() => Parse(at.ToJsonString())).Message);
    }

    [Fact]
    public void A_detector_is_written_and_read_unchanged()
    {
        var manifest = Parse(LeastDetector);
        Assert.Equal((0, 0.3f, 5), (manifest.Dimension, manifest.Detector!.MinScore, manifest.Detector.Keypoints));
        Assert.Equal(["s", "b", "k"], manifest.OutputNames);
        var written = ManifestFile.Write(manifest);
        var text = Encoding.UTF8.GetString(written);
        Assert.DoesNotContain("dimension", text, StringComparison.Ordinal);
        Assert.DoesNotContain("unit_length", text, StringComparison.Ordinal);
        Assert.Contains("\"strides\": [8, 16]", text, StringComparison.Ordinal);
        var read = ManifestFile.Parse(written, "m.json");
        Assert.Equal(written, ManifestFile.Write(read));
        Assert.Equal(Fingerprint.Of(manifest), Fingerprint.Of(read));
        Assert.NotEqual(Fingerprint.Of(manifest), Fingerprint.Of(manifest with { Detector = manifest.Detector with { AnchorOffset = 0.5f } }));
    }

    [Theory]
    [InlineData("[7]", "[7]")]
    [InlineData("[7, 7, 7]", "[7]")]
    [InlineData(null, "[0]")]
    public void One_channel_has_one_number_or_three_equal_ones(string? mean, string written)
    {
        var input = $"\"width\":8,\"color_order\":\"gray\"{(mean is null ? "" : $",\"mean\":{mean},\"std\":{mean}")}";
        var manifest = Parse(Least.Replace("\"width\":8", input, StringComparison.Ordinal));
        Assert.Equal((1, 72), (manifest.Input.Channels, manifest.Input.TensorLength));
        Assert.Contains($"\"mean\": {written}", Encoding.UTF8.GetString(ManifestFile.Write(manifest)), StringComparison.Ordinal);
        var message = Assert.Throws<ModelException>(
            () => Parse(Least.Replace("\"width\":8", "\"width\":8,\"color_order\":\"gray\",\"mean\":[1,2,3]", StringComparison.Ordinal))).Message;
        Assert.Equal("m.json: input.mean: must be one number for a gray input", message);
    }

    [Fact]
    public void A_batch_larger_than_memory_is_refused()
    {
        var huge = Least.Replace("\"width\":8,\"height\":9", "\"width\":4096,\"height\":4096", StringComparison.Ordinal);
        Assert.Equal("max_batch", Assert.Throws<ModelException>(() => Parse(huge)).Field);
    }

    [Fact]
    public void A_missing_or_too_large_file_is_refused()
    {
        var folder = Directory.CreateTempSubdirectory("embeddings-manifest-");
        try
        {
            var path = Path.Combine(folder.FullName, "m.json");
            Assert.Equal("m.json: does not exist", Assert.Throws<ModelException>(() => ManifestFile.Read(path)).Message);
            Assert.Throws<ModelException>(() => ManifestFile.Read(Path.Combine(folder.FullName, "no", "m.json")));
            File.WriteAllText(path, Least, new UTF8Encoding(encoderShouldEmitUTF8Identifier: true));
            Assert.Equal("m", ManifestFile.Read(path).Name);
            File.WriteAllText(path, Least + new string(' ', 1 << 20));
            Assert.Throws<ModelException>(() => ManifestFile.Read(path));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void A_written_manifest_is_read_unchanged() => Check.QuickThrowOnFailure(Prop.ForAll(Manifests().ToArbitrary(), manifest =>
    {
        var bytes = ManifestFile.Write(manifest);
        var read = ManifestFile.Parse(bytes, "m.json");
        Assert.Equal(Fingerprint.Canonical(manifest), Fingerprint.Canonical(read));
        Assert.Equal((manifest.Name, manifest.Kind, manifest.MaxBatch, manifest.Dimension), (read.Name, read.Kind, read.MaxBatch, read.Dimension));
        Assert.Equal((manifest.Description, manifest.SuggestedThreshold), (read.Description, read.SuggestedThreshold));
        Assert.Equal(bytes, ManifestFile.Write(read));
    }));

    [Fact]
    public void Any_bytes_are_a_manifest_or_a_model_exception()
    {
        var random = from bytes in ArbMap.Default.GeneratorFor<byte[]>() select bytes;
        var mutated =
            from manifest in Manifests()
            from changes in Gen.Choose(1, 6)
            from seed in Gen.Choose(0, int.MaxValue)
            from detector in Gen.Elements(true, false, false)
            select Mutate(ManifestFile.Write(detector ? Parse(LeastDetector) : manifest), changes, new System.Random(seed));
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(2_000), Prop.ForAll(Gen.OneOf(random, mutated, mutated).ToArbitrary(), bytes =>
        {
            try
            {
                var manifest = ManifestFile.Parse(bytes, "m.json");
                // Whatever came through is whole: it can be written and read again.
                ManifestFile.Parse(ManifestFile.Write(manifest), "m.json");
            }
            catch (ModelException e)
            {
                Assert.DoesNotContain('\n', e.Message);
            }
        }));
    }

    private static ModelManifest Parse(string json) => ManifestFile.Parse(Encoding.UTF8.GetBytes(json), "m.json");

    private static byte[] Mutate(byte[] bytes, int changes, System.Random random)
    {
        byte[][] words = [.. "0|-1|1e999|null|{}|[]|\"\"|true|,|\\ud800|99999999999|\"name\":|3.5"
            .Split('|').Select(Encoding.UTF8.GetBytes)];
        for (var i = 0; i < changes; i++)
        {
            var at = random.Next(bytes.Length);
            bytes = random.Next(3) switch
            {
                0 => [.. bytes[..at], (byte)random.Next(256), .. bytes[(at + 1)..]],
                1 => [.. bytes[..at], .. bytes[Math.Min(bytes.Length, at + random.Next(1, 20))..], (byte)' '],
                _ => [.. bytes[..at], .. words[random.Next(words.Length)], .. bytes[at..]],
            };
        }
        return bytes;
    }

    private static Gen<ModelManifest> Manifests() =>
        from kind in Gen.Elements(ModelKind.Image, ModelKind.Face)
        from size in Gen.Choose(1, 300).Two()
        from resize in Gen.Elements(Enum.GetValues<ResizeMode>())
        from extra in Gen.Choose(0, 100)
        from order in Gen.Elements(ColorOrder.Rgb, ColorOrder.Bgr)
        from filter in Gen.Elements(Interpolation.Bilinear, Interpolation.Bicubic)
        from decode in Gen.Elements(DecodeMode.Scaled, DecodeMode.Full)
        from mean in Gen.Choose(-99_999, 99_999).Three()
        from dimension in Gen.Choose(1, 65_536)
        from unit in Gen.Elements(true, false)
        from batch in Gen.Choose(1, 1_024)
        from words in Gen.Elements("", "plain", "\"quoted\" <b>\\", "Ünï – 漢字")
        from threshold in Gen.Elements<float?>(null, 0, -1, 0.3f)
        select new ModelManifest
        {
            Name = $"m-{dimension}",
            Kind = kind,
            Input = new()
            {
                Width = size.Item1,
                Height = size.Item2,
                Resize = resize,
                Decode = decode,
                ResizeTo = resize == ResizeMode.CenterCrop ? Math.Max(size.Item1, size.Item2) + extra : 0,
                ColorOrder = order,
                Interpolation = filter,
                Mean = [mean.Item1 / 7f, mean.Item2 / 100f, mean.Item3],
                Std = [(extra + 1) / 3f, 255, 1e-3f],
            },
            Dimension = dimension,
            UnitLength = kind == ModelKind.Face || unit,
            MaxBatch = batch,
            Output = words,
            Licence = words,
            Origin = words,
            Sha256 = new string('a', 64),
            Description = words,
            SuggestedThreshold = threshold,
        };
}
