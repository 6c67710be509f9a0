namespace Embeddings.Core.Imaging;

/// <summary>A Huffman table of a JPEG file.</summary>
internal sealed class JpegHuffmanTable
{
    private const int MaxLength = 16;

    private readonly byte[] _symbols;

    // By the length of the code, aligned to 16 bits: the first code that is longer.
    private readonly uint[] _ends = new uint[MaxLength + 1];

    // By the length of the code: the index of its first symbol, less the first code.
    private readonly int[] _offsets = new int[MaxLength + 1];

    /// <param name="counts">The number of codes of 1 to 16 bits.</param>
    /// <param name="symbols">The symbols in the order of their codes.</param>
    public JpegHuffmanTable(ReadOnlySpan<byte> counts, ReadOnlySpan<byte> symbols)
    {
        _symbols = symbols.ToArray();
        var code = 0;
        var index = 0;
        for (var length = 1; length <= MaxLength; length++)
        {
            _offsets[length] = index - code;
            code += counts[length - 1];
            index += counts[length - 1];
            _ends[length] = (uint)code << (MaxLength - length);
            code <<= 1;
        }
    }

    // ITU-T T.81, tables K.3 to K.6: what frames of Motion JPEG use without containing them.
    public static JpegHuffmanTable LuminanceDc { get; } = Standard(
        "00010501010101010100000000000000", "000102030405060708090A0B");

    public static JpegHuffmanTable ChrominanceDc { get; } = Standard(
        "00030101010101010101010000000000", "000102030405060708090A0B");

    public static JpegHuffmanTable LuminanceAc { get; } = Standard(
        "0002010303020403050504040000017D",
        "01020300041105122131410613516107227114328191A1082342B1C11552D1F02433627282090A161718191A25262728292A3435363738"
            + "393A434445464748494A535455565758595A636465666768696A737475767778797A838485868788898A92939495969798999AA2A3"
            + "A4A5A6A7A8A9AAB2B3B4B5B6B7B8B9BAC2C3C4C5C6C7C8C9CAD2D3D4D5D6D7D8D9DAE1E2E3E4E5E6E7E8E9EAF1F2F3F4F5F6F7F8F9FA");

    public static JpegHuffmanTable ChrominanceAc { get; } = Standard(
        "00020102040403040705040400010277",
        "000102031104052131061241510761711322328108144291A1B1C109233352F0156272D10A162434E125F11718191A262728292A353637"
            + "38393A434445464748494A535455565758595A636465666768696A737475767778797A82838485868788898A92939495969798999A"
            + "A2A3A4A5A6A7A8A9AAB2B3B4B5B6B7B8B9BAC2C3C4C5C6C7C8C9CAD2D3D4D5D6D7D8D9DAE2E3E4E5E6E7E8E9EAF2F3F4F5F6F7F8F9FA");

    /// <summary>Decodes the code at the start of 16 bits.</summary>
    public bool TryDecode(uint bits, out int symbol, out int length)
    {
        for (length = 1; length <= MaxLength; length++)
        {
            if (bits < _ends[length])
            {
                var index = _offsets[length] + (int)(bits >> (MaxLength - length));
                symbol = (uint)index < (uint)_symbols.Length ? _symbols[index] : 0;
                return true;
            }
        }
        symbol = 0;
        return false;
    }

    private static JpegHuffmanTable Standard(string counts, string symbols) =>
        new(Convert.FromHexString(counts), Convert.FromHexString(symbols));
}
