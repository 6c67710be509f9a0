@echo off
rem The `embeddings` command, from the last build: the Release one where there is one.
setlocal
set PROGRAM=%~dp0src\Cli\bin\Release\net10.0\Embeddings.Cli.dll
if not exist "%PROGRAM%" set PROGRAM=%~dp0src\Cli\bin\Debug\net10.0\Embeddings.Cli.dll
if not exist "%PROGRAM%" (
  echo embeddings: not built yet; run build.cmd build first 1>&2
  exit /b 1
)
dotnet "%PROGRAM%" %*
exit /b %errorlevel%
