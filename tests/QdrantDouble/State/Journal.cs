using Google.Protobuf;

namespace Embeddings.QdrantDouble.State;

/// <summary>A file of all writes, from which another double can continue.</summary>
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
        // A truncated record was never acknowledged.
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
