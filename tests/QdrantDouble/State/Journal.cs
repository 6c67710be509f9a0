using Google.Protobuf;

namespace Embeddings.QdrantDouble.State;

/// <summary>What was written, message after message, in a file: another double reads it and goes on.</summary>
internal sealed class Journal : IDisposable
{
    private readonly Lock _lock = new();
    private readonly FileStream? _file;

    public Journal(string? path, Action<byte, byte[]> replay)
    {
        if (path is null)
        {
            return;
        }
        _file = new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 1 << 16);
        using var reader = new BinaryReader(_file, System.Text.Encoding.UTF8, leaveOpen: true);
        var end = 0L;
        // A record that is cut off was never acknowledged.
        while (_file.Length - end >= 5)
        {
            var kind = reader.ReadByte();
            var length = reader.ReadInt32();
            if (length > _file.Length - end - 5)
            {
                break;
            }
            replay(kind, reader.ReadBytes(length));
            end += 5 + length;
        }
        _file.SetLength(end);
        _file.Seek(end, SeekOrigin.Begin);
    }

    public void Write(byte kind, IMessage message)
    {
        if (_file is null)
        {
            return;
        }
        var bytes = message.ToByteArray();
        lock (_lock)
        {
            _file.WriteByte(kind);
            _file.Write(BitConverter.GetBytes(bytes.Length));
            _file.Write(bytes);
            _file.Flush();
        }
    }

    public void Dispose() => _file?.Dispose();
}
