using Embeddings.Core;
using Embeddings.Core.Models;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Models;

public sealed class ModelCatalogTests
{
    [Fact]
    public void Missing_default_models_are_one_line_with_instructions()
    {
        var folder = Directory.CreateTempSubdirectory("embeddings-none-").FullName;
        foreach (var missing in (string[])[folder, Path.Combine(folder, "none")])
        {
            var message = Assert.Throws<ModelException>(() => ModelCatalog.DefaultManifests(missing)).Message;
            Assert.Contains(missing, message, StringComparison.Ordinal);
            Assert.Contains("./build.sh models", message, StringComparison.Ordinal);
            Assert.Contains("--models none", message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', message);
        }
        Directory.Delete(folder);
    }
}
