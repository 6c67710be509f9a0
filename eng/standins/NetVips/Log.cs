using System.Runtime.InteropServices;

namespace NetVips;

/// <summary>Where the native libraries' messages go.</summary>
public static unsafe class Log
{
    // Kept here, or it would be collected while native code holds it.
    static LogDelegate handler;

    /// <summary>Takes a message.</summary>
    public delegate void LogDelegate(string logDomain, Enums.LogLevelFlags logLevel, string message);

    /// <summary>Sends messages of a library ("VIPS") and of some weights to a handler of the program's. This stand-in holds one handler.</summary>
    public static uint SetLogHandler(string logDomain, Enums.LogLevelFlags flags, LogDelegate logFunc)
    {
        handler = logFunc;
        return Vips.g_log_set_handler(logDomain, (int)flags, &Receive, 0);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(System.Runtime.CompilerServices.CallConvCdecl)])]
    static void Receive(nint domain, int level, nint message, nint userData) =>
        handler?.Invoke(Marshal.PtrToStringUTF8(domain), (Enums.LogLevelFlags)level, Marshal.PtrToStringUTF8(message));
}
