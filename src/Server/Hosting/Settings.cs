using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Text.Json;
using Embeddings.Core;
using Embeddings.Primitives;
using Embeddings.Server.Audit;
using Embeddings.Server.Privacy;
using Embeddings.Server.Security;
using Embeddings.Storage.Qdrant;
using Embeddings.Storage.Sqlite;
using Microsoft.Extensions.Configuration.Json;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace Embeddings.Server.Hosting;

/// <summary>
/// All sections of the configuration, each bound to a record of options. A setting that does not exist, or has a value
/// out of range, stops the start with a message that names the setting, the value, and the range.
/// </summary>
internal static class Settings
{
    private const string EnvironmentPrefix = "EMBEDDINGS_";

    private const string ArgumentForm = "A setting is --Section:Key=value.";

    // Sections and values of the framework.
    private static readonly string[] HostSections = ["Logging", "Kestrel", "HostBuilder"];

    private static readonly string[] HostValues =
    [
        "$schema", "AllowedHosts", "ApplicationName", "CaptureStartupErrors", "ContentRoot", "DetailedErrors", "Environment",
        "PreventHostingStartup", "ShutdownTimeoutSeconds", "SuppressStatusMessages", "Urls", "WebRoot",
    ];

    private static readonly string[] LoggingKeys = ["LogLevel", "Console", "Debug", "EventSource", "EventLog", "OpenTelemetry"];

    private static readonly Section[] LoggingSections =
    [
        new("Logging:Console", typeof(ConsoleLoggerOptions), _ => { }),
        new("Logging:Console:FormatterOptions", typeof(SimpleConsoleFormatterOptions), _ => { }),
    ];

    /// <summary>The sections, outer ones before those they contain.</summary>
    public static IReadOnlyList<Section> Sections { get; } =
    [
        Section.Of<ServerOptions>("Server"),
        Section.Of<TlsOptions>("Server:Tls"),
        Section.Of<ModelOptions>("Models"),
        Section.Of<InferenceOptions>("Inference"),
        Section.Of<BatchingOptions>("Batching"),
        Section.Of<ImagingOptions>("Imaging"),
        Section.Of<MemoryOptions>("Memory"),
        Section.Of<PersonOptions>("Persons"),
        Section.Of<SecurityOptions>("Security"),
        Section.Of<JwtOptions>("Security:Jwt"),
        Section.Of<PrivacyOptions>("Privacy"),
        Section.Of<StoreOptions>("Store"),
        // Validated when the store is created, which is before the server listens: the settings of the other store do
        // not matter.
        Section.Of<EmbeddedStoreOptions>("Store:Embedded", validateOnStart: false),
        Section.Of<QdrantStoreOptions>("Store:Qdrant", validateOnStart: false),
        Section.Of<QdrantCollectionOptions>("Store:Qdrant:NewCollections", validateOnStart: false),
        Section.Of<TelemetryOptions>("Telemetry"),
        Section.Of<AuditOptions>("Audit"),
    ];

    private static IEnumerable<string> TopSections =>
        Sections.Select(section => section.Name).Where(name => !name.Contains(':'));

    private static IEnumerable<string> Paths =>
        from section in Sections
        from property in section.Type.GetProperties()
        select $"{section.Name}:{property.Name}";

    /// <summary>Adds environment variables and arguments to a configuration, and checks all of it.</summary>
    /// <exception cref="OptionsValidationException">A setting does not exist or cannot be parsed.</exception>
    public static ConfigurationManager AddSettings(this ConfigurationManager configuration, string[] args)
    {
        Require(UnusableArguments(args));
        // Arguments last: they override the environment.
        configuration.AddEnvironmentVariables(EnvironmentPrefix).AddCommandLine(args);
        var providers = ((IConfigurationRoot)configuration).Providers.ToList();
        var (environment, arguments) = (providers[^2], providers[^1]);
        IConfigurationProvider[] files = [.. providers.OfType<JsonConfigurationProvider>()];
        Require([
            .. UnknownSections([.. files, environment, arguments], configuration),
            .. UnknownValues([.. files, arguments]),
            .. SingleUnderscores(environment),
            .. Sections.SelectMany(section => UnreadableSettings(section, configuration)),
            .. UnreadableLogging(configuration),
        ]);
        return configuration;
    }

    /// <summary>Checks that the configuration reads all arguments; it ignores those that are not settings.</summary>
    /// <exception cref="OptionsValidationException">An argument is not a setting.</exception>
    public static void RequireArguments(string[] args) => Require(UnusableArguments(args));

    /// <summary>Returns the error of a file that is not JSON, with line and column.</summary>
    public static OptionsValidationException Unreadable(InvalidDataException error)
    {
        var cause = error.GetBaseException();
        var reason = cause is JsonException { LineNumber: { } line, BytePositionInLine: { } column }
            ? $"line {line + 1}, column {column + 1}: {cause.Message.Split(" LineNumber:")[0]}"
            : cause.Message;
        return Failure([$"{error.Message.TrimEnd('.')}: {reason}"]);
    }

    /// <summary>Registers the options of all sections, as <see cref="IOptions{T}"/> and as plain records.</summary>
    public static IServiceCollection AddSettings(this IServiceCollection services)
    {
        foreach (var section in Sections)
        {
            section.Register(services);
        }
        services.TryAddSingleton(TimeProvider.System);
        return services
            .AddSingleton<IValidateOptions<ServerOptions>, ServerOptions.Validator>()
            .AddSingleton<IValidateOptions<TlsOptions>, TlsOptions.Validator>()
            .AddSingleton<IValidateOptions<TelemetryOptions>, TelemetryOptions.Validator>()
            .AddSingleton<IValidateOptions<JwtOptions>, JwtOptions.Validator>()
            .AddSingleton<IValidateOptions<QdrantCollectionOptions>, QdrantCollectionValidator>();
    }

    private static void Require(IEnumerable<string> failures)
    {
        var all = failures.Distinct().ToList();
        if (all.Count > 0)
        {
            throw Failure(all);
        }
    }

    private static OptionsValidationException Failure(IEnumerable<string> failures) =>
        new("", typeof(Settings), [string.Join(" ", failures)]);

    // The provider skips arguments without a value and those of another form.
    private static IEnumerable<string> UnusableArguments(string[] args)
    {
        for (var i = 0; i < args.Length; i++)
        {
            var isSwitch = args[i].StartsWith("--", StringComparison.Ordinal) || args[i].StartsWith('/');
            if (!isSwitch && (args[i].StartsWith('-') || !args[i].Contains('=')))
            {
                yield return $"Argument '{args[i]}' is not a setting. {ArgumentForm}";
            }
            else if (!args[i].Contains('=') && ++i == args.Length)
            {
                yield return $"Argument '{args[^1]}' has no value. {ArgumentForm}";
            }
        }
    }

    // Only sources of our own: other environment variables may have any name.
    private static IEnumerable<string> UnknownSections(
        IEnumerable<IConfigurationProvider> providers, IConfiguration configuration) =>
        from provider in providers
        from name in Names(provider)
        where provider.GetChildKeys([], name).Any() && !IsKnown(name, HostSections)
        from path in Leaves(configuration.GetSection(name))
        select NotASetting(path);

    // Not in the environment: a Kubernetes service named "embeddings" puts variables such as EMBEDDINGS_PORT into every
    // container.
    private static IEnumerable<string> UnknownValues(IEnumerable<IConfigurationProvider> providers) =>
        from provider in providers
        from name in Names(provider)
        where provider.TryGet(name, out var value) && !string.IsNullOrEmpty(value)
            && !HostValues.Contains(name, StringComparer.OrdinalIgnoreCase)
        select IsKnown(name, HostSections) ? $"{name} is a section; set {name}:Key." : NotASetting(name);

    private static IEnumerable<string> SingleUnderscores(IConfigurationProvider environment) =>
        from name in Names(environment)
        let path = name.Replace('_', ':')
        where name.Contains('_', StringComparison.Ordinal) && Paths.Contains(path, StringComparer.OrdinalIgnoreCase)
        select $"{EnvironmentPrefix}{name} must have two underscores between section and setting: "
            + $"{EnvironmentPrefix}{name.Replace("_", "__", StringComparison.Ordinal)}.";

    private static IEnumerable<string> Names(IConfigurationProvider provider) =>
        provider.GetChildKeys([], null).Distinct(StringComparer.OrdinalIgnoreCase);

    private static bool IsKnown(string section, IEnumerable<string> more) =>
        TopSections.Concat(more).Contains(section, StringComparer.OrdinalIgnoreCase);

    private static IEnumerable<string> UnreadableSettings(Section section, IConfiguration configuration) =>
        from setting in configuration.GetSection(section.Name).GetChildren()
        where Find(setting.Path) is null
        from failure in section.Failures(setting)
        select failure;

    // The framework names .NET types or no setting, or ignores the setting.
    private static IEnumerable<string> UnreadableLogging(IConfiguration configuration) =>
    [
        .. from setting in configuration.GetSection("Logging").GetChildren()
           where !LoggingKeys.Contains(setting.Key, StringComparer.OrdinalIgnoreCase)
           let near = NearestName.Of(setting.Key, LoggingKeys)
           where near is not null
           select $"{setting.Path} is not a setting. Did you mean Logging:{near}?",
        .. from setting in configuration.GetSection("Logging").AsEnumerable()
           let allowed = setting.Key.Split(':') switch
           {
               [.., "LogLevel", _] => Enum.GetNames<LogLevel>(),
               [.., "Console", "FormatterName"] => ["simple", "systemd", "json"],
               _ => null,
           }
           where allowed is not null && !string.IsNullOrEmpty(setting.Value)
               && !allowed.Contains(setting.Value, StringComparer.OrdinalIgnoreCase)
           select $"{setting.Key} must be one of {string.Join(", ", allowed)}; got '{setting.Value}'.",
        .. from section in LoggingSections
           from setting in configuration.GetSection(section.Name).GetChildren()
           where section.Find(setting.Key) is not null
           from failure in section.Failures(setting)
           select failure,
    ];

    private static IEnumerable<string> Leaves(IConfigurationSection section) =>
        section.GetChildren().Any() ? section.GetChildren().SelectMany(Leaves) : [section.Path];

    // Without the value: it may be a misspelt key's secret.
    private static string NotASetting(string path)
    {
        var top = path.Split(':')[0];
        var detail = path.Contains(':') && !IsKnown(top, []) ? $": there is no section {top}" : "";
        var why = $"{path} is not a setting{detail}.";
        if (Nearest(path) is { } near)
        {
            return $"{why} Did you mean {near}?";
        }
        if (Sections.LastOrDefault(section => path.StartsWith(section.Name + ":", StringComparison.OrdinalIgnoreCase)) is { } owner)
        {
            var names = owner.Type.GetProperties().Select(known => known.Name);
            return $"{why} The settings of section {owner.Name} are {string.Join(", ", names)}.";
        }
        return $"{why} The sections are {string.Join(", ", TopSections)}, and Logging.";
    }

    // The nearest path, or the only setting of this name in another section.
    private static string? Nearest(string path)
    {
        var key = path.Split(':')[^1];
        return NearestName.Of(path, Paths)
            ?? (Paths.Where(known => known.EndsWith($":{key}", StringComparison.OrdinalIgnoreCase)).ToList() is [var only]
                ? only
                : null);
    }

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

        /// <summary>Returns the property of a setting, or null.</summary>
        public PropertyInfo? Find(string key) =>
            Type.GetProperty(key, BindingFlags.Public | BindingFlags.Instance | BindingFlags.IgnoreCase);

        /// <summary>Returns the reasons that a setting cannot be bound.</summary>
        public IEnumerable<string> Failures(IConfigurationSection setting)
        {
            if (Find(setting.Key) is not { } property)
            {
                return Leaves(setting).Select(NotASetting);
            }
            if (property.PropertyType == typeof(IReadOnlyList<string>))
            {
                return string.IsNullOrEmpty(setting.Value)
                    ? setting.GetChildren().Where(element => element.GetChildren().Any()).Select(NotASingleValue)
                    : [$"{setting.Path} is a list; set {setting.Path}:0, {setting.Path}:1, and so on."];
            }
            if (setting.GetChildren().Any())
            {
                return [NotASingleValue(setting)];
            }
            return setting.Value is null || CanConvert(property.PropertyType, setting.Value)
                ? []
                : [$"{setting.Path} {Requirement(property)}; got '{setting.Value}'."];
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
            if (type == typeof(bool))
            {
                return "must be true or false";
            }
            return type == typeof(string) ? "must not be empty" : "must be a number";
        }

        private static string NotASingleValue(IConfigurationSection setting) =>
            $"{setting.Path} must be a single value; got a section.";

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
