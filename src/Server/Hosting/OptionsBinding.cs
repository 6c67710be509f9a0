using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Embeddings.Server.Hosting;

/// <summary>Reads a section of the configuration into its record, and refuses what it does not know or what is out of range, before anything starts.</summary>
internal static class OptionsBinding
{
    /// <exception cref="OptionsValidationException">An unknown key or a bad value; its message is one line for the operator.</exception>
    public static T Read<T>(this IConfiguration configuration, string section, params string[] subsections)
        where T : class, new()
    {
        T options;
        try
        {
            // Sections of other records within this one are not unknown keys.
            var own = new ConfigurationBuilder()
                .AddInMemoryCollection(configuration.GetSection(section).AsEnumerable(makePathsRelative: true)
                    .Where(entry => entry.Key.Length > 0 && !subsections.Any(sub => IsWithin(entry.Key, sub))))
                .Build();
            options = own.Get<T>(binder => binder.ErrorOnUnknownConfiguration = true) ?? new();
        }
        catch (InvalidOperationException e)
        {
            throw Invalid<T>(section, (e.InnerException ?? e).Message);
        }
        var results = new List<ValidationResult>();
        return Validator.TryValidateObject(options, new ValidationContext(options), results, validateAllProperties: true)
            ? options
            : throw Invalid<T>(section, string.Join("; ", results.Select(result => result.ErrorMessage)));
    }

    private static bool IsWithin(string key, string section) =>
        key.Equals(section, StringComparison.OrdinalIgnoreCase) || key.StartsWith(section + ":", StringComparison.OrdinalIgnoreCase);

    private static OptionsValidationException Invalid<T>(string section, string why) =>
        new(section, typeof(T), [$"configuration section '{section}': {why.ReplaceLineEndings(" ")}"]);
}
