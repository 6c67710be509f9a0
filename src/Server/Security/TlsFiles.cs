using System.Security.Cryptography;

namespace Embeddings.Server.Security;

/// <summary>A certificate, key, or list of authorities that cannot be used; the message names the setting and the file.</summary>
internal sealed class TlsException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// The contents of the files of <see cref="TlsOptions"/>. They are compared instead of times, because Kubernetes replaces a secret by
/// changing a link to a folder.
/// </summary>
internal sealed record TlsFiles(byte[] Certificate, byte[]? Key, byte[]? Password, byte[]? ClientCa)
{
    // Certificates have a few kilobytes; lists of all public authorities have a few hundred.
    private const int MaxBytes = 4 << 20;

    /// <summary>Reads all files.</summary>
    /// <exception cref="TlsException">A file cannot be read.</exception>
    public static TlsFiles Read(TlsOptions options) => new(
        Bytes(nameof(TlsOptions.CertificateFile), options.CertificateFile)!,
        Bytes(nameof(TlsOptions.KeyFile), options.KeyFile),
        Bytes(nameof(TlsOptions.PasswordFile), options.PasswordFile),
        Bytes(nameof(TlsOptions.ClientCaFile), options.ClientCaFile));

    /// <summary>A digest of all contents.</summary>
    public string Digest()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var file in (byte[]?[])[Certificate, Key, Password, ClientCa])
        {
            hash.AppendData(BitConverter.GetBytes(file?.Length ?? -1));
            hash.AppendData(file ?? []);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static byte[]? Bytes(string setting, string? path)
    {
        if (string.IsNullOrEmpty(path))
        {
            return null;
        }
        try
        {
            using var file = File.OpenRead(path);
            if (file.Length > MaxBytes)
            {
                throw new TlsException(
                    $"Server:Tls:{setting} must be a file of at most {MaxBytes} bytes; '{path}' has {file.Length}.");
            }
            using var bytes = new MemoryStream();
            file.CopyTo(bytes);
            return bytes.ToArray();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            var why = e is FileNotFoundException or DirectoryNotFoundException ? "the file does not exist" : e.Message.TrimEnd('.');
            throw new TlsException($"Server:Tls:{setting} '{path}' cannot be read: {why}.", e);
        }
    }
}
