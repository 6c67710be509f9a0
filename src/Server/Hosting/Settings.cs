using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Reflection;
using Embeddings.Core;
using Embeddings.Storage.Qdrant;
using Embeddings.Storage.Sqlite;
using Microsoft.Extensions.Configuration.Json;
using Microsoft.Extensions.Options;

namespace Embeddings.Server.Hosting;

/// <summary>
/// All sections of the configuration, each bound to a record of options. A setting that does not exist, or has a value
/// out of range, stops the start with a message that names the setting, the value, and the range.
/// </summary>
internal static class Settings
{
    private const string EnvironmentPrefix = "EMBEDDINGS_";

    // Sections of the framework.
    private static readonly string[] HostSections = ["Logging", "Kestrel", "HostBuilder"];

    /// <summary>The sections, outer ones before those they contain.</summary>
    public static IReadOnlyList<Section> Sections { get; } =
    [
        Section.Of<ServerOptions>("Server"),
        Section.Of<ModelOptions>("Models"),
        Section.Of<InferenceOptions>("Inference"),
        Section.Of<BatchingOptions>("Batching"),
        Section.Of<ImagingOptions>("Imaging"),
        Section.Of<MemoryOptions>("Memory"),
        Section.Of<StoreOptions>("Store"),
        // Validated when the store is created, which is before the server listens: the settings of the other store do
        // not matter.
        Section.Of<EmbeddedStoreOptions>("Store:Embedded", validateOnStart: false),
        Section.Of<QdrantStoreOptions>("Store:Qdrant", validateOnStart: false),
        Section.Of<QdrantCollectionOptions>("Store:Qdrant:NewCollections", validateOnStart: false),
        Section.Of<TelemetryOptions>("Telemetry"),
    ];

    /// <summary>Adds environment variables and arguments to a configuration, and checks all of it.</summary>
    /// <exception cref="OptionsValidationException">A setting does not exist or cannot be parsed.</exception>
    public static ConfigurationManager AddSettings(this ConfigurationManager configuration, string[] args)
    {
        // Arguments last: they override the environment.
        configuration.AddEnvironmentVariables(EnvironmentPrefix).AddCommandLine(args);
        var providers = ((IConfigurationRoot)configuration).Providers.ToList();
        List<string> failures =
        [
            .. UnknownSections([.. providers.OfType<JsonConfigurationProvider>(), .. providers[^2..]]),
            .. Sections.SelectMany(section => UnreadableSettings(section, configuration)),
        ];
        return failures.Count == 0
            ? configuration
            : throw new OptionsValidationException("", typeof(Settings), [string.Join(" ", failures.Distinct())]);
    }

    /// <summary>Registers the options of all sections, as <see cref="IOptions{T}"/> and as plain records.</summary>
    public static IServiceCollection AddSettings(this IServiceCollection services)
    {
        foreach (var section in Sections)
        {
            section.Register(services);
        }
        return services
            .AddSingleton<IValidateOptions<ServerOptions>, ServerOptions.Validator>()
            .AddSingleton<IValidateOptions<TelemetryOptions>, TelemetryOptions.Validator>()
            .AddSingleton<IValidateOptions<QdrantCollectionOptions>, QdrantCollectionValidator>();
    }

    // Only sources of our own: other environment variables may have any name. A value without a section is skipped,
    // too; a Kubernetes service named "embeddings" puts variables such as EMBEDDINGS_PORT into every container.
    private static IEnumerable<string> UnknownSections(IEnumerable<IConfigurationProvider> providers)
    {
        var known = Sections.Select(section => section.Name).Where(name => !name.Contains(':')).ToList();
        return
            from provider in providers
            from name in provider.GetChildKeys([], null).Distinct(StringComparer.OrdinalIgnoreCase)
            where provider.GetChildKeys([], name).Any() && !known.Concat(HostSections).Contains(name, StringComparer.OrdinalIgnoreCase)
            select $"{name} is not a configuration section. The sections are {string.Join(", ", known)}, and Logging.";
    }

    private static IEnumerable<string> UnreadableSettings(Section section, IConfiguration configuration) =>
        from setting in configuration.GetSection(section.Name).GetChildren()
        where Find(setting.Path) is null
        let failure = section.Failure(setting)
        where failure is not null
        select failure;

    private static Section? Find(string name) =>
        Sections.FirstOrDefault(section => section.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    /// <summary>A section and its record of options.</summary>
    /// <param name="Name">Its path in the configuration.</param>
    /// <param name="Type">The type of the record.</param>
    /// <param name="Register">Registers the options with a container.</param>
    internal sealed record Section(string Name, Type Type, Action<IServiceCollection> Register)
    {
        public static Section Of<T>(string name, bool validateOnStart = true)
            where T : class, new() => new(name, typeof(T), services =>
            {
                var options = services.AddOptions<T>().BindConfiguration(name);
                if (validateOnStart)
                {
                    options.ValidateOnStart();
                }
                services.AddSingleton<IValidateOptions<T>>(new AnnotationsValidator<T>(name));
                services.AddSingleton(provider => provider.GetRequiredService<IOptions<T>>().Value);
            });

        /// <summary>Returns the reason that a setting cannot be bound, or null.</summary>
        public string? Failure(IConfigurationSection setting)
        {
            var property = Type.GetProperty(setting.Key, BindingFlags.Public | BindingFlags.Instance | BindingFlags.IgnoreCase);
            if (property is null)
            {
                var names = Type.GetProperties().Select(known => known.Name);
                return $"{setting.Path} is not a setting. The settings of section {Name} are {string.Join(", ", names)}.";
            }
            if (property.PropertyType == typeof(IReadOnlyList<string>))
            {
                return string.IsNullOrEmpty(setting.Value)
                    ? null
                    : $"{setting.Path} is a list; set {setting.Path}:0, {setting.Path}:1, and so on.";
            }
            if (setting.GetChildren().Any())
            {
                return $"{setting.Path} must be a single value; got a section.";
            }
            return setting.Value is null || CanConvert(property.PropertyType, setting.Value)
                ? null
                : $"{setting.Path} {Requirement(property)}; got '{setting.Value}'.";
        }

        /// <summary>The values that a setting may have: "must be between 1 and 64".</summary>
        public static string Requirement(PropertyInfo property)
        {
            if (property.GetCustomAttribute<RangeAttribute>() is { } range)
            {
                return FormattableString.Invariant($"must be between {range.Minimum} and {range.Maximum}");
            }
            var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
            if (type.IsEnum)
            {
                return $"must be one of {string.Join(", ", Enum.GetNames(type))}";
            }
            return type == typeof(bool) ? "must be true or false" : "must not be empty";
        }

        // As the binder converts, whose own message names .NET types.
        private static bool CanConvert(Type type, string value)
        {
            try
            {
                TypeDescriptor.GetConverter(type).ConvertFromInvariantString(value);
                return true;
            }
            catch (Exception e) when (e is FormatException or ArgumentException or InvalidCastException)
            {
                return false;
            }
        }
    }

    /// <summary>
    /// Validates the attributes of a record of options; in its messages, settings have the names of the configuration.
    /// </summary>
    private sealed class AnnotationsValidator<T>(string section) : IValidateOptions<T>
        where T : class
    {
        public ValidateOptionsResult Validate(string? name, T options)
        {
            List<string> failures = [];
            foreach (var property in typeof(T).GetProperties())
            {
                var value = property.GetValue(options);
                var rules = property.GetCustomAttributes<ValidationAttribute>();
                if (rules.FirstOrDefault(rule => !rule.IsValid(value)) is { } rule)
                {
                    failures.Add(rule.ErrorMessage is { } message
                        ? $"{section}: {message}"
                        : FormattableString.Invariant(
                            $"{section}:{property.Name} {Section.Requirement(property)}; got '{value}'."));
                }
            }
            if (options is IValidatableObject validatable)
            {
                var results = validatable.Validate(new(options));
                failures.AddRange(results.Select(result => $"{section}: {result.ErrorMessage}"));
            }
            return failures.Count == 0
                ? ValidateOptionsResult.Success
                : ValidateOptionsResult.Fail(string.Join(" ", failures));
        }
    }

    private sealed class QdrantCollectionValidator : IValidateOptions<QdrantCollectionOptions>
    {
        public ValidateOptionsResult Validate(string? name, QdrantCollectionOptions options) =>
            options.WriteConsistency <= options.Replicas
                ? ValidateOptionsResult.Success
                : ValidateOptionsResult.Fail(
                    $"Store:Qdrant:NewCollections:WriteConsistency must be at most Replicas ({options.Replicas}); "
                    + $"got {options.WriteConsistency}.");
    }
}
