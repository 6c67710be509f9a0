using Embeddings.Client;
using Embeddings.V1;
using Google.Protobuf;

namespace Embeddings.Deployment.Tests.Container;

/// <summary>The container image, without a container engine.</summary>
public sealed class ImageTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [ImageFact]
    public async Task The_image_starts_read_only_as_its_user_embeds_stores_and_passes_the_doctor()
    {
        var image = await RootFilesystem.CreateAsync();
        var volume = await image.VolumeAsync(_folder.File("data"));
        // The server listens on loopback here; the image's own setting is all addresses.
        var ports = Tool.FreePorts(2);
        string[] variables = ["EMBEDDINGS_Server__Listen=127.0.0.1", $"EMBEDDINGS_Server__GrpcPort={ports[0]}", $"EMBEDDINGS_Server__HttpPort={ports[1]}"];
        using (var server = image.Start(volume, variables))
        {
            await server.SeenAsync("HTTP ");
            using var client = EmbeddingsClient.ForAddress($"127.0.0.1:{ports[0]}");
            var picture = await File.ReadAllBytesAsync(Path.Combine(Repository.Root, "src", "Cli", "Samples", "scene-01-1.jpg"));
            var item = new ImageItem { JobId = "job-1", MediaStoreId = "media-1", Image = new() { Encoded = ByteString.CopyFrom(picture) } };
            var stored = await client.IngestImageAsync(new IngestImageRequest { Item = item });
            Assert.Equal("job-1", stored.Ack.PointId);
            var found = await client.GetVectorAsync(new GetVectorRequest { Collection = "image_embeddings", PointId = "job-1" });
            Assert.Equal(512, found.Point.Vector.Count);

            var doctor = await image.ExecAsync(volume, variables, "/app/Embeddings.Cli", "doctor", "--address", $"127.0.0.1:{ports[0]}");
            Assert.True(doctor.Code == 0, doctor.Output);
            var healthy = await image.HealthCheckAsync(volume, variables);
            Assert.True(healthy.Code == 0, healthy.Output);
            await server.KillAsync();
        }
        Assert.NotEqual(0, (await image.HealthCheckAsync(volume, variables)).Code);

        // What was acknowledged is there after a kill, in a new container on the same volume.
        using var again = image.Start(volume, variables);
        await again.SeenAsync("HTTP ");
        using var second = EmbeddingsClient.ForAddress($"127.0.0.1:{ports[0]}");
        Assert.Equal(1, (await second.CountVectorsAsync(new CountVectorsRequest { Collection = "image_embeddings" })).Count);
    }

    [ImageFact]
    public async Task The_image_does_not_start_for_other_machines_without_TLS_and_authentication()
    {
        var image = await RootFilesystem.CreateAsync();
        var volume = await image.VolumeAsync(_folder.File("data"));
        var (code, output) = await image.ExecAsync(volume, [], "/app/Embeddings.Cli", "serve");
        Assert.Equal(1, code);
        Assert.Contains("Server:Listen is '*', which other machines can reach, and the server is without TLS and authentication.", output, StringComparison.Ordinal);
    }

    [ImageFact]
    public async Task Only_data_and_tmp_are_writable_and_certificate_authorities_are_there()
    {
        var image = await RootFilesystem.CreateAsync();
        var volume = await image.VolumeAsync(_folder.File("data"));
        var (code, output) = await image.ExecAsync(volume, [], "/bin/sh", "-c", """
            id -u; id -g; pwd
            for folder in /data /tmp / /app /etc /models /usr /var; do
              if touch $folder/x 2>/dev/null; then echo "$folder is writable"; fi
            done
            grep -c BEGIN /etc/ssl/certs/ca-certificates.crt
            """);
        var lines = output.Split('\n');
        Assert.True(code == 0, output);
        Assert.Equal(["10001", "10001", "/data", "/data is writable", "/tmp is writable"], lines[..^1]);
        Assert.InRange(int.Parse(lines[^1], System.Globalization.CultureInfo.InvariantCulture), 50, 1000);
    }

    [PublishedFact]
    public void The_programs_of_both_images_are_for_their_processors()
    {
        foreach (var (architecture, machine) in new[] { ("amd64", 0x3E), ("arm64", 0xB7) })
        {
            string[] files = ["Embeddings.Cli", "libcoreclr.so", "libonnxruntime.so", "libvips.so.42", "libe_sqlite3.so", "libSkiaSharp.so"];
            // The graph library has no build for ARM64.
            foreach (var file in architecture == "amd64" ? [.. files, "libusearch_c.so", "libnumkong.so"] : files)
            {
                var header = new byte[20];
                using var stream = File.OpenRead(Path.Combine(RootFilesystem.App(architecture), file));
                stream.ReadExactly(header);
                // ELF, and the field e_machine.
                Assert.Equal([0x7F, (byte)'E', (byte)'L', (byte)'F'], header[..4]);
                Assert.Equal(machine, header[18] | (header[19] << 8));
            }
            Assert.True(File.Exists(Path.Combine(RootFilesystem.App(architecture), "models", "resnet18.onnx")));
        }
    }
}
