@echo off
rem The one entry to everything: build VERB [ARGUMENTS]. The work is in build.cake; this finds the .NET SDK and starts it.
setlocal
cd /d "%~dp0"
set DOTNET_NOLOGO=1
set DOTNET_CLI_TELEMETRY_OPTOUT=1
set CAKE_SETTINGS_ENABLESCRIPTCACHE=true
set DOTNET_CLI_UI_LANGUAGE=en

if "%~1"=="" (
  echo build VERB [ARGUMENTS], where VERB is build, run, models, test, bench, lint, pack, publish, docs or interop
  exit /b 2
)
dotnet --list-sdks 2>nul | findstr /r "^[1-9][0-9][0-9]*\." >nul || (
  echo build.cmd: the .NET SDK 10 or newer is missing: https://dotnet.microsoft.com/download 1>&2
  exit /b 1
)

set EMBEDDINGS_ARGUMENTS=
for /f "tokens=1,* delims= " %%a in ("%*") do set EMBEDDINGS_ARGUMENTS=%%b

if not exist artifacts\setup mkdir artifacts\setup
fc /b .config\dotnet-tools.json artifacts\setup\tools.json >nul 2>nul || (
  dotnet tool restore || exit /b 1
  copy /y .config\dotnet-tools.json artifacts\setup\tools.json >nul
)

if /i "%~1"=="run" goto run
dotnet cake build.cake --verbosity=quiet --target=%~1
exit /b %errorlevel%

:run
set RUN_ARGUMENTS=%EMBEDDINGS_ARGUMENTS%
set EMBEDDINGS_ARGUMENTS=
set BUILD_MODELS=required
echo "%RUN_ARGUMENTS%" | findstr /i /c:"--models" >nul && set BUILD_MODELS=none
dotnet cake build.cake --verbosity=quiet --target=build || exit /b 1
call embeddings.cmd run %RUN_ARGUMENTS%
exit /b %errorlevel%
