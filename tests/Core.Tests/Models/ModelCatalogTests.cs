using Embeddings.Core;
using Embeddings.Core.Models;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Models;

public sealed class ModelCatalogTests
{
    [Fact]
    public void Default_models_that_are_missing_are_one_line_that_says_what_to_do()
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
