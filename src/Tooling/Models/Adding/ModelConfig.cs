using System.Globalization;
using System.Text.Json;
using Embeddings.Core;
using Embeddings.Core.Models;

namespace Embeddings.Tooling.Models.Adding;

/// <summary>
/// The preprocessing that a configuration file next to a model states. These files describe RGB images of kind image.
/// </summary>
/// <param name="File">Name of the file, for messages.</param>
/// <param name="Width">Width of the input, pixels, or null if the file does not state the size.</param>
/// <param name="Height">Height of the input, pixels, or null if the file does not state the size.</param>
/// <param name="Mean">Mean of each channel on the scale 0 to 255.</param>
/// <param name="Std">Standard deviation of each channel on the scale 0 to 255.</param>
/// <param name="Resize">Way to the input size.</param>
/// <param name="ResizeTo">Shortest side before the crop, pixels; 0 for that of the input.</param>
/// <param name="Interpolation">Resampling filter.</param>
internal sealed record ModelConfig(
    string File,
    int? Width,
    int? Height,
    IReadOnlyList<float> Mean,
    IReadOnlyList<float> Std,
    ResizeMode Resize,
    int ResizeTo,
    Interpolation Interpolation)
{
    private const long MaxFileBytes = 1 << 20;
    private const float ScaleTolerance = 1e-3f;

    private static readonly (string Name, Func<Reader, ModelConfig?> Read)[] Formats =
    [
        ("preprocessor_config.json", HuggingFace),
        ("preprocess_cfg.json", reader => OpenClip(reader, reader, null)),
        ("open_clip_config.json", reader => reader.Object("preprocess_cfg") is { } preprocess
            ? OpenClip(reader, preprocess, reader.Object("model_cfg")?.Object("vision_cfg"))
            : null),
        ("config.json", reader => reader.Object("pretrained_cfg") is { } pretrained ? Timm(pretrained) : null),
    ];

    /// <summary>
    /// Reads the configuration files in the directory of a model and, if that is called <c>onnx</c>, in its parent: <c>
    /// preprocessor_config.json</c> (Hugging Face), <c>preprocess_cfg.json</c> (OpenCLIP, Immich), <c>open_clip_config.json</c>
    /// (OpenCLIP), and <c>config.json</c> with <c>pretrained_cfg</c> (timm). Returns null if there are none.
    /// </summary>
    /// <exception cref="ModelException">
    /// A file cannot be read, states something that is not supported, or contradicts another one.
    /// </exception>
    public static ModelConfig? Find(string model)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(model))!;
        var folders = Path.GetFileName(folder) == "onnx" ? [folder, Path.GetDirectoryName(folder)!] : new[] { folder };
        var found = folders
            .SelectMany(_ => Formats, (parent, format) => (Path: Path.Combine(parent, format.Name), format.Read))
            .Where(candidate => System.IO.File.Exists(candidate.Path))
            .Select(candidate => Parse(candidate.Path, candidate.Read))
            .OfType<ModelConfig>()
            .ToList();
        foreach (var other in found.Skip(1))
        {
            if (found[0].Contradiction(other) is { } difference)
            {
                throw new ModelException(
                    model, $"{found[0].File} and {other.File} must agree: {difference}. Remove the wrong file, or set --ignore-config.");
            }
        }
        return found.FirstOrDefault();
    }

    /// <summary>Describes the preprocessing in one line.</summary>
    public override string ToString()
    {
        var size = Width is null ? "any size" : $"{Width}x{Height}";
        var resize = Resize == ResizeMode.CenterCrop && ResizeTo > 0
            ? $"shortest side to {ResizeTo}, center crop"
            : ManifestFile.Word(Resize);
        return $"{File}: {size}, rgb, mean {Words(Mean)}, std {Words(Std)}, {resize}, {ManifestFile.Word(Interpolation)}";
    }

    /// <summary>Returns true if two lists of channel values are equal but for rounding.</summary>
    public static bool Same(IReadOnlyList<float> left, IReadOnlyList<float> right) =>
        left.Zip(right).All(pair => MathF.Abs(pair.First - pair.Second) <= ScaleTolerance * MathF.Max(1, MathF.Abs(pair.First)));

    /// <summary>Formats channel values for messages.</summary>
    public static string Words(IReadOnlyList<float> values) =>
        string.Join(',', values.Select(value => value.ToString("0.###", CultureInfo.InvariantCulture)));

    private string? Contradiction(ModelConfig other)
    {
        if (!Same(Mean, other.Mean))
        {
            return $"mean is {Words(Mean)} and {Words(other.Mean)}";
        }
        if (!Same(Std, other.Std))
        {
            return $"std is {Words(Std)} and {Words(other.Std)}";
        }
        if (Resize != other.Resize || ResizeTo != other.ResizeTo)
        {
            return $"resize is {ManifestFile.Word(Resize)} ({ResizeTo}) and {ManifestFile.Word(other.Resize)} ({other.ResizeTo})";
        }
        if (Interpolation != other.Interpolation)
        {
            return $"interpolation is {ManifestFile.Word(Interpolation)} and {ManifestFile.Word(other.Interpolation)}";
        }
        return Width is { } width && other.Width is { } wide && (width != wide || Height != other.Height)
            ? $"size is {Width}x{Height} and {other.Width}x{other.Height}"
            : null;
    }

    private static ModelConfig? Parse(string path, Func<Reader, ModelConfig?> read)
    {
        var name = Path.GetFileName(path);
        try
        {
            var length = new FileInfo(path).Length;
            if (length > MaxFileBytes)
            {
                throw new ModelException(name, $"must have at most {MaxFileBytes:N0} bytes; got {length:N0}");
            }
            using var document = JsonDocument.Parse(System.IO.File.ReadAllBytes(path));
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? read(new(name, "", document.RootElement))
                : throw new ModelException(name, "must be a JSON object");
        }
        catch (JsonException e)
        {
            throw new ModelException(name, $"is not valid JSON: line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelException(name, "cannot be read", e);
        }
    }

    // Keys and defaults: transformers, src/transformers/image_processing_utils.py and the image processors of CLIP, SigLIP,
    // ViT, BiT and ConvNeXT.
    private static ModelConfig HuggingFace(Reader file)
    {
        if (file.Bool("do_pad") == true || file.Bool("rescale_offset") == true)
        {
            throw file.Refuse(file.Bool("do_pad") == true ? "do_pad" : "rescale_offset", "is not supported");
        }
        var scale = file.Bool("do_rescale") == false ? 1 : file.Number("rescale_factor") ?? 1 / 255.0;
        if (!(scale is > 0 and <= 1))
        {
            throw file.Refuse("rescale_factor", $"must be greater than 0 and at most 1; got {scale}");
        }
        var normalize = file.Bool("do_normalize") != false;
        var (mean, std) = Scale(
            normalize ? file.Channels("image_mean") : [0, 0, 0], normalize ? file.Channels("image_std") : [1, 1, 1], 1 / scale);
        var interpolation = file.Number("resample") switch
        {
            null or 2 => Interpolation.Bilinear,
            3 => Interpolation.Bicubic,
            var other => throw file.Refuse("resample", $"must be 2 (bilinear) or 3 (bicubic); got {other}"),
        };
        var (shortest, width, height) = file.Bool("do_resize") == false ? default : file.Size("size");
        var crop = file.Bool("do_center_crop") == true || (file.Has("crop_size") && file.Bool("do_center_crop") != false)
            ? file.Size("crop_size")
            : default;
        if (crop.Shortest is { } square)
        {
            crop = (null, square, square);
        }
        // ConvNeXT states the size after the crop; up to 384 the image is made larger by 1 / crop_pct first.
        if (file.Number("crop_pct") is { } percent && shortest is { } side && crop.Width is null)
        {
            if (!(percent is > 0 and <= 1))
            {
                throw file.Refuse("crop_pct", $"must be greater than 0 and at most 1; got {percent}");
            }
            return side < 384
                ? new(file.Name, side, side, mean, std, ResizeMode.CenterCrop, (int)(side / percent), interpolation)
                : new(file.Name, side, side, mean, std, ResizeMode.Stretch, 0, interpolation);
        }
        return (shortest, width, crop.Width) switch
        {
            ({ } edge, _, { } cropped) =>
                new(file.Name, cropped, crop.Height, mean, std, ResizeMode.CenterCrop, edge, interpolation),
            ({ } edge, _, null) => new(file.Name, edge, edge, mean, std, ResizeMode.Stretch, 0, interpolation),
            (null, { } stretched, { } cropped) when stretched != cropped || height != crop.Height =>
                throw file.Refuse("crop_size", "must equal size if size has a height and a width"),
            (null, { } stretched, _) => new(file.Name, stretched, height, mean, std, ResizeMode.Stretch, 0, interpolation),
            (null, null, { } cropped) =>
                new(
                    file.Name, cropped, crop.Height, mean, std, ResizeMode.CenterCrop, Math.Min(cropped, crop.Height!.Value), interpolation),
            _ => new(file.Name, null, null, mean, std, ResizeMode.Stretch, 0, interpolation),
        };
    }

    // Keys and defaults: open_clip, src/open_clip/transform.py (PreprocessCfg) and constants.py.
    private static ModelConfig OpenClip(Reader file, Reader preprocess, Reader? vision)
    {
        if (preprocess.Text("mode") is { } mode && mode != "RGB")
        {
            throw preprocess.Refuse("mode", $"must be RGB; got '{mode}'");
        }
        var (shortest, width, height) = preprocess.Size("size");
        var (side, _, _) = vision?.Size("image_size") ?? default;
        var (w, h) = (width ?? shortest ?? side, height ?? shortest ?? side);
        var (mean, std) = Scale(
            preprocess.Has("mean") ? preprocess.Channels("mean") : [0.48145466, 0.4578275, 0.40821073],
            preprocess.Has("std") ? preprocess.Channels("std") : [0.26862954, 0.26130258, 0.27577711],
            255);
        var resize = preprocess.Text("resize_mode") switch
        {
            null or "shortest" => ResizeMode.CenterCrop,
            "squash" => ResizeMode.Stretch,
            "longest" when preprocess.Number("fill_color") is null or 0 => ResizeMode.Letterbox,
            var other => throw preprocess.Refuse(
                "resize_mode", $"must be shortest, squash, or longest with fill_color 0; got '{other}'"),
        };
        var resizeTo = resize == ResizeMode.CenterCrop ? Math.Min(w ?? 0, h ?? 0) : 0;
        return new(file.Name, w, h, mean, std, resize, resizeTo, preprocess.Filter());
    }

    // Keys and defaults: timm, data/config.py (resolve_data_config) and data/transforms_factory.py (transforms_imagenet_eval).
    private static ModelConfig Timm(Reader pretrained)
    {
        var size = pretrained.Numbers("input_size") ?? [3, 224, 224];
        if (size is not [3, >= 1 and <= 4_096, >= 1 and <= 4_096])
        {
            throw pretrained.Refuse("input_size", $"must be [3, height, width]; got [{string.Join(", ", size)}]");
        }
        var (height, width) = ((int)size[1], (int)size[2]);
        var percent = pretrained.Number("crop_pct") ?? 0.875;
        if (!(percent is > 0 and <= 1))
        {
            throw pretrained.Refuse("crop_pct", $"must be greater than 0 and at most 1; got {percent}");
        }
        var (mean, std) = Scale(
            pretrained.Has("mean") ? pretrained.Channels("mean") : [0.485, 0.456, 0.406],
            pretrained.Has("std") ? pretrained.Channels("std") : [0.229, 0.224, 0.225],
            255);
        return pretrained.Text("crop_mode") switch
        {
            null or "center" => new(
                pretrained.Name, width, height, mean, std, ResizeMode.CenterCrop, (int)(Math.Min(width, height) / percent),
                pretrained.Filter()),
            "squash" when percent == 1 => new(pretrained.Name, width, height, mean, std, ResizeMode.Stretch, 0, pretrained.Filter()),
            var other => throw pretrained.Refuse("crop_mode", $"must be center, or squash with crop_pct 1; got '{other}'"),
        };
    }

    private static (float[] Mean, float[] Std) Scale(IReadOnlyList<double> mean, IReadOnlyList<double> std, double factor) =>
        ([.. mean.Select(value => (float)(value * factor))], [.. std.Select(value => (float)(value * factor))]);

    /// <summary>Reads an object of a file; errors name the file and the key.</summary>
    private sealed record Reader(string Name, string Prefix, JsonElement Json)
    {
        public ModelException Refuse(string key, string why) => new(Name, $"{Prefix}{key} {why}");

        public bool Has(string key) => Find(key) is not null;

        public Reader? Object(string key) => Find(key) switch
        {
            null => null,
            { ValueKind: JsonValueKind.Object } value => new(Name, $"{Prefix}{key}.", value),
            _ => throw Refuse(key, "must be an object"),
        };

        public bool? Bool(string key) => Find(key) switch
        {
            null => null,
            { ValueKind: JsonValueKind.True or JsonValueKind.False } value => value.GetBoolean(),
            _ => throw Refuse(key, "must be true or false"),
        };

        public string? Text(string key) => Find(key) switch
        {
            null => null,
            { ValueKind: JsonValueKind.String } value => value.GetString(),
            _ => throw Refuse(key, "must be text"),
        };

        public double? Number(string key) => Find(key) switch
        {
            null => null,
            { ValueKind: JsonValueKind.Number } value when value.TryGetDouble(out var number) => number,
            _ => throw Refuse(key, "must be a number"),
        };

        public IReadOnlyList<double>? Numbers(string key) => Find(key) switch
        {
            null => null,
            { ValueKind: JsonValueKind.Array } value when value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Number) =>
                [.. value.EnumerateArray().Select(item => item.GetDouble())],
            _ => throw Refuse(key, "must be a list of numbers"),
        };

        /// <summary>One value per channel.</summary>
        public IReadOnlyList<double> Channels(string key) => Numbers(key) is { Count: 3 } values && values.All(double.IsFinite)
            ? values
            : throw Refuse(key, "must have three numbers");

        /// <summary>
        /// A size as a number or <c>shortest_edge</c> (the shortest side), or as a list or object of height and width.
        /// </summary>
        public (int? Shortest, int? Width, int? Height) Size(string key)
        {
            switch (Find(key))
            {
                case null:
                    return default;
                case { ValueKind: JsonValueKind.Number }:
                    return (Pixels(key), null, null);
                case { ValueKind: JsonValueKind.Array } when Numbers(key) is [var height, var width]:
                    return (null, Pixels(key, width), Pixels(key, height));
                case { ValueKind: JsonValueKind.Object } when Object(key) is { } size:
                    if (size.Has("longest_edge"))
                    {
                        throw size.Refuse("longest_edge", "is not supported");
                    }
                    return size.Has("shortest_edge")
                        ? (size.Pixels("shortest_edge"), null, null)
                        : Sides(size.Pixels("height"), size.Pixels("width"));

                    static (int?, int?, int?) Sides(int height, int width) => (null, width, height);
                default:
                    throw Refuse(key, "must be a number of pixels, or a height and a width");
            }
        }

        /// <summary>The resampling filter of <c>interpolation</c>; bicubic by default.</summary>
        public Interpolation Filter() => Text("interpolation") switch
        {
            null or "bicubic" => Interpolation.Bicubic,
            "bilinear" => Interpolation.Bilinear,
            var other => throw Refuse("interpolation", $"must be bilinear or bicubic; got '{other}'"),
        };

        private int Pixels(string key) => Pixels(key, Number(key) ?? throw Refuse(key, "is missing"));

        private int Pixels(string key, double value) => value is >= 1 and <= 8_192 && value == Math.Floor(value)
            ? (int)value
            : throw Refuse(key, $"must be a whole number of pixels between 1 and 8192; got {value.ToString(CultureInfo.InvariantCulture)}");

        // A null counts as absent, as in the libraries that write these files.
        private JsonElement? Find(string key) =>
            Json.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }
}
